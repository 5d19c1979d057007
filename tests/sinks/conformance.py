"""What every sink must do, by being listed here: the log-opts, a receiver, and what becomes of a line on its way."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sinks.gelf.receiver import GelfDatagrams
from tests.sinks.json_file.receiver import decode_json_file
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver

SECRET = "correct-horse-battery-staple"  # noqa: S105 (it guards nothing)

Fault = str
ALL_FAULTS: frozenset[Fault] = frozenset({"down", "frozen", "slow"})
ANSWERED: frozenset[Fault] = ALL_FAULTS | {"silent", "breaks"}
HTTP: frozenset[Fault] = ANSWERED | {"statuses", "refuses"}
_BLANK = re.compile(rb"\s*")


def _as_text(line: bytes) -> bytes | None:
    return line.decode("utf-8", "replace").encode()


def _text_unless_empty(line: bytes) -> bytes | None:
    return _as_text(line) if line else None


def _text_unless_blank(line: bytes) -> bytes | None:
    return None if _BLANK.fullmatch(line) else _as_text(line)


def _bytes_without_nul_unless_empty(line: bytes) -> bytes | None:
    return line.replace(b"\0", b"#000") or None


def _as_go_text(line: bytes) -> bytes | None:
    """Go's JSON encoder makes a replacement character of each byte that is no UTF-8."""
    return re.sub("[\udc80-\udcff]", "\ufffd", line.decode("utf-8", "surrogateescape")).encode()


@dataclass(frozen=True)
class Entry:
    """One sink in one of its forms.

    ``options``
        its log-opts, for a receiver at a port or a folder
    ``express``
        what arrives for a line, ``None`` if the sink leaves it out
    ``resolution``
        of its times, in nanoseconds
    ``faults``
        what a receiver of its protocol can do wrong: be ``down``, ``frozen`` or ``slow``; be ``silent`` so that the
        sink gives up waiting, or break off (``breaks``) its answer; say other ``statuses``; ``refuses`` one record
    ``patience``
        the log-opt that says how long it waits for an answer, where its protocol has answers
    ``secret_options``
        further log-opts that hold `SECRET`
    """

    name: str
    options: Callable[[Any], Mapping[str, str]]
    place: Callable[[Path], contextlib.AbstractContextManager[Any]]
    express: Callable[[bytes], bytes | None]
    resolution: int = 1
    faults: frozenset[Fault] = ALL_FAULTS
    patience: str = ""
    secret_options: Callable[[Any], Mapping[str, str]] | None = None
    refused_line: bytes = b""

    def __str__(self) -> str:
        return self.name


class Files:
    """The folder of a json-file sink; while it is down, something else is in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"
        self._itself = folder / "itself"
        self._itself.mkdir()
        self._next = folder / "next"
        self.start()

    def start(self) -> None:
        """Put the folder where it belongs."""
        self._next.symlink_to(self._itself)
        self._next.replace(self.folder)

    def stop(self) -> None:
        """Put a file in the folder's place, at one stroke: the sink would make a folder where there is nothing."""
        self._next.touch()
        self._next.replace(self.folder)

    @property
    def received(self) -> list[Received]:
        """All lines of all files."""
        files = sorted(self.folder.glob("*.log")) if self.folder.is_dir() else []
        return [record for file in files for record in decode_json_file(file.read_bytes(), file.stem)]


def _server(protocol: str) -> Callable[[Path], contextlib.AbstractContextManager[Receiver]]:
    return lambda _: Receiver(PROTOCOLS[protocol])


@contextlib.contextmanager
def _files(folder: Path) -> Iterator[Files]:
    yield Files(folder)


def _datagrams(_: Path) -> GelfDatagrams:
    return GelfDatagrams()


def _url(at: Receiver) -> str:
    return f"http://127.0.0.1:{at.port}"


def _loki(at: Receiver) -> Mapping[str, str]:
    return {"loki-url": _url(at)}


def _splunk(at: Receiver) -> Mapping[str, str]:
    return {
        "splunk-url": _url(at),
        "splunk-token": SECRET,
        "splunk-gzip": "true",
        "splunk-index-acknowledgment": "true",
        "splunk-ack-timeout": "5s",  # what a server took and forgot is asked for so long
        "tag": "{{.Name}}",
    }


def _fluentd(at: Receiver) -> Mapping[str, str]:
    return {"fluentd-address": f"127.0.0.1:{at.port}"}


def _syslog(at: Receiver) -> Mapping[str, str]:
    return {"syslog-address": f"tcp://127.0.0.1:{at.port}", "syslog-format": "rfc5424micro", "tag": "{{.Name}}"}


def _with_password(at: Receiver) -> str:
    return f"http://user:{SECRET}@127.0.0.1:{at.port}"


ENTRIES = (
    Entry(
        "loki",
        _loki,
        _server("loki"),
        _text_unless_blank,
        faults=HTTP,
        patience="loki-timeout",
        secret_options=lambda at: {"loki-url": _with_password(at)},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "http",
        lambda at: {"http-url": _url(at), "http-compression": "zstd"},
        _server("http"),
        _as_text,
        faults=HTTP,
        patience="http-timeout",
        secret_options=lambda at: {"http-url": _with_password(at), "http-headers": f"X-Api-Key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "http array",
        lambda at: {"http-url": _url(at), "http-format": "json", "http-compression": "gzip"},
        _server("http"),
        _as_text,
        faults=HTTP,
        patience="http-timeout",
        secret_options=lambda at: {"http-url": f"{_url(at)}/in/{SECRET}?key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "splunk",
        _splunk,
        _server("splunk"),
        _as_text,
        faults=HTTP,
        patience="splunk-timeout",
        secret_options=lambda _: {},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "fluentd",
        _fluentd,
        _server("fluentd"),
        _as_text,
        faults=ANSWERED,
        patience="fluentd-read-timeout",
        secret_options=lambda _: {
            "fluentd-shared-key": SECRET,
            "fluentd-username": "user",
            "fluentd-password": SECRET,
        },
    ),
    Entry("syslog", _syslog, _server("syslog"), _bytes_without_nul_unless_empty, resolution=1000),
    Entry("gelf", lambda at: {"gelf-address": f"tcp://127.0.0.1:{at.port}"}, _server("gelf"), _text_unless_blank),
    Entry(
        "gelf datagrams",
        lambda at: {"gelf-address": f"udp://127.0.0.1:{at.port}", "gelf-compression-type": "none"},
        _datagrams,
        _text_unless_blank,
        faults=frozenset({"refuses"}),
        refused_line=b"too long " * 25_000,
    ),
    Entry(
        "json-file",
        lambda at: {"json-file-path": f"{at.folder}/{{{{.Name}}}}.log"},
        _files,
        _as_go_text,
        faults=frozenset({"down"}),
    ),
)


def entries_with(fault: Fault) -> list[Entry]:
    """Give the entries whose receivers can do this wrong."""
    return [entry for entry in ENTRIES if fault in entry.faults]

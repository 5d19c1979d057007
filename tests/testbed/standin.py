"""A stand-in for the Docker engine, as far as a log driver can see it.

It follows moby's ``daemon/logger`` (``plugin.go``, ``adapter.go``, ``copier.go``): a FIFO per started logger, one
write per entry, lines cut at 16 KiB, and for the logs of a stopped container a logger that is made, read and closed.
"""

import contextlib
import itertools
import os
import secrets
import select
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.testbed.client import Body, PluginClient, PluginError, PluginUnreachableError
from tests.testbed.wire import LogEntry, Part, encode, entries

PART_SIZE = 16 * 1024
ALL = -1
_SAFETY_NET = 120.0  # seconds; a blocked write would otherwise block the tests for ever
_PATIENCE_STEP = 0.25
_NOT_GIVEN = "0001-01-01T00:00:00Z"


class EngineGoneError(Exception):
    """A container that prints while no engine listens."""


class ContainerHeldUpError(Exception):
    """A write into a FIFO that did not go on: nobody reads the other end."""


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """What ``docker logs`` asks for; times in nanoseconds since 1970 UTC, 0 for none."""

    tail: int = ALL
    since: int = 0
    until: int = 0
    follow: bool = False

    def as_json(self) -> dict[str, object]:
        """Encode it as the engine does."""
        return {
            "Since": rfc3339(self.since) if self.since else _NOT_GIVEN,
            "Until": rfc3339(self.until) if self.until else _NOT_GIVEN,
            "Tail": self.tail,
            "Follow": self.follow,
        }


def rfc3339(nanoseconds: int) -> str:
    """Format nanoseconds since 1970 as RFC 3339 with all nine digits."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


class Fifo:
    """One FIFO, opened as the engine opens it: read-write and non-blocking, so that it never breaks.

    ``piece``: the most bytes of a large frame that are written at once; frames of up to 4,096 bytes are atomic.
    """

    def __init__(self, folder: Path, piece: int = 1 << 20) -> None:
        self.path = folder / secrets.token_hex(32)
        self._piece = piece
        os.mkfifo(self.path, 0o700)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self._writable = select.poll()
        self._writable.register(self._descriptor, select.POLLOUT)
        self._writing = threading.Lock()
        self._closing = False

    def write(self, data: bytes) -> None:
        """Write it all and wait while the pipe is full.

        Raises ``ContainerHeldUpError`` when it stays full, ``EngineGoneError`` when it is closed meanwhile.
        """
        piece = len(data) if len(data) <= select.PIPE_BUF else self._piece
        view = memoryview(data)
        patience = _SAFETY_NET
        with self._writing:
            while view:
                if self._closing:
                    raise EngineGoneError(f"{self.path} is closed")
                try:
                    view = view[os.write(self._descriptor, view[:piece]) :]
                except BlockingIOError:
                    if not self._writable.poll(_PATIENCE_STEP * 1000):
                        patience -= _PATIENCE_STEP
                    if patience <= 0:
                        raise ContainerHeldUpError(f"{self.path} stays full, nobody reads it") from None

    def close(self) -> None:
        """Close the engine's end; the file stays."""
        self._closing = True
        with self._writing:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def remove(self) -> None:
        """Close the engine's end and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)


class Copier:
    """Cuts what a container prints to one of its outputs into entries, as the engine's ``Copier`` does."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._rest = b""
        self._part: Part | None = None
        self._part_time = 0

    def feed(self, data: bytes) -> Iterator[LogEntry]:
        """Take some output; return the entries that it completes."""
        data = self._rest + data
        position = 0
        while True:
            end = data.find(b"\n", position, position + PART_SIZE)
            if end >= 0:
                yield self._line(data[position:end])
                position = end + 1
            elif len(data) - position >= PART_SIZE:
                yield self._next_part(data[position : position + PART_SIZE])
                position += PART_SIZE
            else:
                break
        self._rest = data[position:]

    def finish(self) -> Iterator[LogEntry]:
        """Return the entry for output that ended without a newline, if any: a part that is not the last one."""
        if self._rest:
            yield self._next_part(self._rest)
        self._rest = b""
        self._part = None

    def _line(self, line: bytes) -> LogEntry:
        if self._part is None:
            return LogEntry(self._source, time.time_ns(), line)
        part = Part(self._part.id, self._part.ordinal + 1, last=True)
        self._part = None
        return LogEntry(self._source, self._part_time, line, partial=True, part=part)

    def _next_part(self, line: bytes) -> LogEntry:
        if self._part is None:
            self._part_time = time.time_ns()
            self._part = Part(secrets.token_hex(32), 1, last=False)
        else:
            self._part = Part(self._part.id, self._part.ordinal + 1, last=False)
        return LogEntry(self._source, self._part_time, line, partial=True, part=self._part)


class LogReader:
    """The answer of ``ReadLogs``: entries as the plugin sent them."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._entries = entries(body.read)

    def __iter__(self) -> Iterator[LogEntry]:
        return self._entries

    def take(self, count: int) -> list[LogEntry]:
        """Wait for this many entries; fewer if the stream ends before."""
        return list(itertools.islice(self._entries, count))

    def rest(self) -> list[LogEntry]:
        """Wait for the end of the stream; returns what had not been taken."""
        return list(self._entries)

    def close(self) -> None:
        """Hang up, as a client that leaves."""
        self._body.close()


@dataclass
class Container:
    """A container whose log driver is the plugin; made with ``Engine.create``."""

    engine: "Engine"
    info: dict[str, Any]
    piece: int
    fifo: Fifo | None = None
    _copiers: dict[str, Copier] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """The full id, 64 hexadecimal digits."""
        return str(self.info["ContainerID"])

    @property
    def name(self) -> str:
        """The name as people write it, without the engine's slash."""
        return str(self.info["ContainerName"]).removeprefix("/")

    def start(self) -> None:
        """Start it; raises ``PluginError`` if the plugin refuses."""
        self.fifo = self.engine.start_logging(self.info, self.piece)
        self._copiers = {source: Copier(source) for source in ("stdout", "stderr")}

    def print(self, output: bytes, source: str = "stdout") -> None:
        """Print some output, which need not be whole lines."""
        for entry in self._copiers[source].feed(output):
            self.log(entry)

    def log(self, entry: LogEntry) -> None:
        """Have the engine write one entry, with whatever timestamp and parts it carries."""
        self.write(encode(entry))

    def write(self, data: bytes) -> None:
        """Have the engine write these bytes, whatever they are."""
        with self._lock:
            if self.fifo is None:
                raise EngineGoneError(self.id)
            self.fifo.write(data)

    def stop(self) -> None:
        """Let it exit: the rest of its output is written, then logging stops and the FIFO is removed.

        When the plugin cannot be reached the FIFO stays, as with the real engine.
        """
        for copier in self._copiers.values():
            for entry in copier.finish():
                self.log(entry)
        with self._lock:
            fifo, self.fifo = self.fifo, None
            if fifo is not None:
                self.engine.stop_logging(fifo)

    def entries(self, tail: int = ALL, since: int = 0, until: int = 0) -> list[LogEntry]:
        """What the plugin sends for ``docker logs``."""
        with self.reading(ReadConfig(tail, since, until)) as reader:
            return reader.rest()

    def logs(self, tail: int = ALL, since: int = 0, until: int = 0) -> list[LogEntry]:
        """What ``docker logs`` shows: the engine filters by time once more."""
        shown = []
        for entry in self.entries(tail, since, until):
            if since and entry.time_nano < since:
                continue
            if until and entry.time_nano > until:
                break
            shown.append(entry)
        return shown

    def output(self, source: str = "stdout") -> bytes:
        """All that ``docker logs`` prints for one of the two outputs."""
        return b"".join(entry.line for entry in self.logs() if entry.source == source)

    def follow(self, tail: int = ALL, since: int = 0, until: int = 0) -> LogReader:
        """``docker logs -f`` of a running container."""
        return self.engine.read_logs(self.info, ReadConfig(tail, since, until, follow=True))

    @contextmanager
    def reading(self, config: ReadConfig) -> Iterator[LogReader]:
        """Read its logs; for a container that does not run, through a logger of its own."""
        passing = None if self.fifo else self.engine.start_logging(self.info)
        try:
            reader = self.engine.read_logs(self.info, config)
            try:
                yield reader
            finally:
                reader.close()
        finally:
            if passing is not None:
                self.engine.stop_logging(passing)


class Engine:
    """The engine: it makes containers and talks with the plugin behind ``client``."""

    def __init__(self, client: PluginClient, logging_folder: Path) -> None:
        self.client = client
        self._folder = logging_folder
        self._fifos: set[Fifo] = set()
        self._containers: list[Container] = []
        logging_folder.mkdir(mode=0o700, exist_ok=True)

    def create(
        self,
        options: Mapping[str, str] | None = None,
        *,
        info: Mapping[str, object] | None = None,
        piece: int = 1 << 20,
    ) -> Container:
        """Create a container with these log-opts; ``info`` replaces what the engine says of it otherwise."""
        container = Container(self, container_info(options or {}) | dict(info or {}), piece)
        self._containers.append(container)
        return container

    def run(self, options: Mapping[str, str] | None = None, *, piece: int = 1 << 20) -> Container:
        """Create a container and start it."""
        container = self.create(options, piece=piece)
        container.start()
        return container

    def start_logging(self, info: dict[str, Any], piece: int = 1 << 20) -> Fifo:
        """Make a logger: ask for capabilities, whether they come or not, make the FIFO, start logging.

        When that is refused the FIFO neither goes nor is closed, as with the real engine.
        """
        with contextlib.suppress(PluginError, PluginUnreachableError):
            self.client.call("LogDriver.Capabilities")
        fifo = Fifo(self._folder, piece)
        self._fifos.add(fifo)
        self.client.call("LogDriver.StartLogging", {"File": str(fifo.path), "Info": info})
        return fifo

    def stop_logging(self, fifo: Fifo) -> None:
        """Close a logger; its FIFO stays if the plugin cannot be reached."""
        self.client.call("LogDriver.StopLogging", {"File": str(fifo.path)})
        self._fifos.discard(fifo)
        fifo.remove()

    def read_logs(self, info: dict[str, Any], config: ReadConfig) -> LogReader:
        """Ask for logs, of a logger that was started."""
        return LogReader(self.client.stream("LogDriver.ReadLogs", {"Info": info, "Config": config.as_json()}))

    def kill(self) -> None:
        """Die at once: its ends of all FIFOs close, the files stay, and nobody tells the plugin."""
        for fifo in self._fifos:
            fifo.close()
        self._fifos.clear()
        self.client.close()
        for container in self._containers:
            container.fifo = None

    def live_restore(self, containers: Sequence[Container]) -> None:
        """Take over containers that outlived another engine: each gets a new logger."""
        for container in containers:
            container.engine = self
            self._containers.append(container)
            container.start()


def container_info(options: Mapping[str, str]) -> dict[str, Any]:
    """Describe a new container as the engine does."""
    identifier = secrets.token_hex(32)
    return {
        "Config": dict(options),
        "ContainerID": identifier,
        "ContainerName": f"/peavey-{identifier[:8]}",
        "ContainerEntrypoint": "/bin/sh",
        "ContainerArgs": ["-c", "while :; do date; done"],
        "ContainerImageID": f"sha256:{secrets.token_hex(32)}",
        "ContainerImageName": "busybox:latest",
        "ContainerCreated": rfc3339(time.time_ns()),
        "ContainerEnv": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "ContainerLabels": {},
        "LogPath": "",
        "DaemonName": "docker",
    }

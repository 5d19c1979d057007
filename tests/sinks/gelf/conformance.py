"""gelf in the conformance suite."""

from pathlib import Path

from tests.sinks.conformance import Entry, as_text, server
from tests.sinks.gelf.receiver import PROTOCOL, GelfDatagrams


def _datagrams(_: Path) -> GelfDatagrams:
    return GelfDatagrams()


def text_unless_blank(line: bytes) -> bytes | None:
    return as_text(line) if line.strip() else None


ENTRIES = (
    Entry("gelf", lambda at: {"gelf-address": f"tcp://127.0.0.1:{at.port}"}, server(PROTOCOL), text_unless_blank),
    Entry(
        "gelf datagrams",
        lambda at: {"gelf-address": f"udp://127.0.0.1:{at.port}", "gelf-compression-type": "none"},
        _datagrams,
        text_unless_blank,
        faults=frozenset({"refuses"}),
        refused_line=b"too long " * 25_000,
    ),
)

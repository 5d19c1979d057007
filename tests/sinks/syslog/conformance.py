"""syslog in the conformance suite."""

from collections.abc import Mapping

from tests.sinks.conformance import Entry, server
from tests.sinks.receiving.receiver import Receiver
from tests.sinks.syslog.receiver import PROTOCOL


def _syslog(at: Receiver) -> Mapping[str, str]:
    return {"syslog-address": f"tcp://127.0.0.1:{at.port}", "syslog-format": "rfc5424micro", "tag": "{{.Name}}"}


def bytes_without_nul_unless_empty(line: bytes) -> bytes | None:
    return line.replace(b"\0", b"#000") or None


ENTRIES = (Entry("syslog", _syslog, server(PROTOCOL), bytes_without_nul_unless_empty, resolution=1000),)

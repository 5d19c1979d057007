"""loki in the conformance suite."""

import re
from collections.abc import Mapping

from tests.sinks.conformance import HTTP, Entry, as_text, server, url_of, url_with_password
from tests.sinks.loki.receiver import PROTOCOL
from tests.sinks.receiving.receiver import Receiver

_BLANK = re.compile(rb"\s*")


def _loki(at: Receiver) -> Mapping[str, str]:
    return {"loki-url": url_of(at)}


def text_unless_blank(line: bytes) -> bytes | None:
    return None if _BLANK.fullmatch(line) else as_text(line)


ENTRIES = (
    Entry(
        "loki",
        _loki,
        server(PROTOCOL),
        text_unless_blank,
        faults=HTTP,
        patience="loki-timeout",
        secret_options=lambda at: {"loki-url": url_with_password(at)},
        refused_line=b"no entry for this one",
    ),
)

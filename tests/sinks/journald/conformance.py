"""journald in the conformance suite: against the real one."""

from tests.sinks.conformance import Entry
from tests.sinks.journald.receiver import journald

ENTRIES = (
    Entry(
        "journald",
        lambda at: {"sink": "journald", "journald-socket": str(at.socket)},
        journald,
        lambda line: line,
        faults=frozenset({"down", "frozen", "silent"}),
        patience="journald-timeout",
    ),
)

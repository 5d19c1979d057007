"""nats in the conformance suite: against the real server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.sinks.conformance import SECRET, Entry, as_text
from tests.sinks.nats.receiver import nats_server
from tests.sinks.nats.server import NatsServer


@contextlib.contextmanager
def _with_stream(folder: Path) -> Iterator[NatsServer]:
    with nats_server(folder) as server:
        server.add_stream()
        yield server


ENTRIES = (
    Entry(
        "nats",
        lambda at: {"nats-url": f"nats://{at.address}"},
        _with_stream,
        as_text,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="nats-timeout",
        secret_options=lambda at: {"nats-url": f"nats://user:{SECRET}@{at.address}"},
        exactly_once=True,
    ),
    Entry(
        "nats line by line",
        lambda at: {"nats-url": f"nats://{at.address}", "nats-lines-per-message": "1"},
        _with_stream,
        as_text,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="nats-timeout",
        exactly_once=True,
    ),
)

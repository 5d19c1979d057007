"""Delivery to a bucket that fails, in a process that is killed; and what must be in the bucket in the end."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.sinks.killed_delivery import Backlog
from tests.sinks.s3.store import HANG_UP, KEY_ID, LOSE, SECRET_KEY, Fault, Refusal, Store
from tests.testbed.waiting import wait_until

OPTIONS = {
    "s3-bucket": "logs",
    "s3-region": "us-east-1",
    "s3-access-key-id": KEY_ID,
    "batch-size": "8k",
    "batch-wait": "10ms",
}
FAULTS: list[Fault] = [
    HANG_UP,
    LOSE,
    Refusal(503, "SlowDown"),
    Refusal(409, "ConditionalRequestConflict"),
    Refusal(500, "InternalError"),
]


def make_backlog(store: Store, folder: Path, *, lines: int) -> Backlog:
    """Make journals of three containers, each of so many lines, that wait for the bucket."""
    options = {**OPTIONS, "s3-endpoint": store.url, "s3-secret-access-key": SECRET_KEY, "retry-min": "5ms"}
    return Backlog(folder, "s3", options, containers=3, lines=lines)


def check(store: Store, backlog: Backlog) -> None:
    """Compare what is stored with what was printed."""
    assert set(store.writes.values()) == {1}
    for name in backlog.names:
        found = [line["log"] for key, lines in store.lines().items() if f"/{name}/" in key for line in lines]
        assert found == [line.decode() for line in backlog.lines], "each line once; names are in the order of lines"


def kill_once_stored(store: Store, backlog: Backlog, more: int) -> None:
    """Kill delivery when so many further objects are stored, the last of them in front of its answer."""
    count = len(store.objects) + more
    process = backlog.start()

    def kill(stored: int) -> None:
        if stored >= count:
            process.kill()

    store.stored = kill
    try:
        wait_until(lambda: process.poll() is not None or backlog.is_delivered, "delivery has died")
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    store.stored = lambda _: None


def faults(rng: random.Random) -> Iterator[Fault]:
    """Yield what becomes of 40 requests."""
    for _ in range(40):
        yield rng.choice(FAULTS) if rng.random() < 0.4 else ""

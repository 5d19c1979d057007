"""Every line is stored exactly once, also when delivery dies between sending it and noting that it was taken."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugin.journal.cursors.store import read_cursor
from plugin.journal.seeking import journal_end
from tests.delivery.worker_harness import WorkerHarness
from tests.sinks.elasticsearch.receiver import Store
from tests.sinks.receiving.http import Reply, Request, http_application
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.server import REPOSITORY, plugin_environment
from tests.testbed.waiting import wait_until

KILLS = 4


class Holding:
    """Answers for a store; while ``holds`` is set, it stores documents and then says nothing until let go."""

    def __init__(self, store: Store) -> None:
        self.holds = threading.Event()
        self.stored = threading.Event()
        self.let_go = threading.Event()
        self._store = store

    def answer(self, receiver: Receiver, request: Request) -> Reply:
        """Answer one request."""
        reply = self._store.answer(receiver, request)
        if self.holds.is_set():
            self.stored.set()
            self.let_go.wait(120)
        return reply


@contextmanager
def delivering(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "plugin", "deliver", "--data", str(data)]
    environment = plugin_environment({})
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_delivery_is_killed_between_sending_and_the_cursor(tmp_path: Path) -> None:
    store = Store()
    server = Holding(store)
    with Receiver(http_application(server.answer)) as receiver:
        options = {"elasticsearch-url": f"http://127.0.0.1:{receiver.port}", "batch-size": "20k"}
        harness = WorkerHarness(tmp_path, options)
        lines = [line.decode() for line in harness.journal.lines(0, 4_000)]
        folder = harness.journal.folder

        def cursor() -> int:
            found = read_cursor(folder, "elasticsearch")
            assert found is not None
            return found.offset

        for number in range(KILLS):
            server.holds.set()
            server.stored.clear()
            server.let_go.clear()
            before = cursor()
            with delivering(tmp_path / "data") as process:
                wait_until(server.stored.is_set, "a batch is stored")
                process.kill()
                process.wait()
            assert cursor() == before
            assert store.conflicts == 0 or number
            server.holds.clear()
            server.let_go.set()
            if number % 2:
                # Some of it gets further.
                with delivering(tmp_path / "data"):
                    wait_until(lambda before=before: cursor() > before, "a batch is acknowledged")  # type: ignore[misc]
        with delivering(tmp_path / "data"):
            wait_until(lambda: cursor() >= journal_end(folder), "all is acknowledged")
        harness.journal.close()
    assert store.messages(harness.container[:8]) == lines
    assert store.conflicts > 0

"""The worker, in one process with the test, on a data folder made by hand; its destination is an HTTP server."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plugin.delivery import tail as tail_module
from plugin.delivery import worker as worker_module
from plugin.delivery.worker import Worker
from plugin.engine.frames import Entry, PartialMetadata
from plugin.engine.info import Info
from plugin.journal.cursors import create_cursor, read_cursor
from plugin.journal.folder import DataFolder
from plugin.journal.note import write_note
from tests.delivery.conftest import Journal
from tests.sinks.receivers import PROTOCOLS, Receiver

CONTAINER = "8c1f" * 16
QUICK = {"batch-wait": "10ms", "retry-min": "10ms", "retry-max": "50ms", "http-timeout": "5s"}


class House:
    """A data folder with one container, and where it is delivered to."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.data = DataFolder(folder / "data")
        self.data.create()
        self._options = QUICK | {"http-url": f"http://127.0.0.1:{receiver.port}"}
        self.journal = self.begin()

    def begin(self) -> Journal:
        """Begin the container's journal, as intake does."""
        self.journal = Journal(self.data.container(CONTAINER))
        self._info = Info(container_id=CONTAINER, container_name="/web", config=self._options)
        self._note = write_note(self.journal.folder, self._info, "stream", None)
        create_cursor(self.journal.folder, "http", 0)
        return self.journal

    def touch(self) -> None:
        """Note that the container writes, or has ended, as intake does."""
        self._note = write_note(self.journal.folder, self._info, "stream", self._note)

    def lines(self) -> list[bytes]:
        """What has arrived."""
        return [record.line for record in self.receiver.received]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(tail_module, "_PATIENCE", 0.1)
    monkeypatch.setattr(worker_module, "_WATCH_AFTER_END", 0.3)
    monkeypatch.setattr(worker_module, "_DISCOVER", 0.05)
    with Receiver(PROTOCOLS["http"]()) as receiver:
        made = House(tmp_path, receiver)
        yield made
        made.journal.close()


@asynccontextmanager
async def working(house: House) -> AsyncIterator[Worker]:
    """Have a worker work meanwhile."""
    stop = asyncio.Event()
    worker = Worker(house.data, {}, 0, 1)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (nothing else tells)
            await asyncio.sleep(0.01)


def test_it_takes_up_what_is_there_and_what_comes(house: House) -> None:
    async def story() -> None:
        lines = house.journal.lines(0, 100)
        async with working(house):
            await until(lambda: house.lines() == lines)
            more = house.journal.lines(100, 100)
            house.touch()
            await until(lambda: len(house.lines()) == 200)
        assert house.lines() == lines + more

    asyncio.run(story())


def test_a_last_line_without_its_end_arrives_although_the_destination_was_down_meanwhile(house: House) -> None:
    async def story() -> None:
        house.receiver.stop()
        house.journal.lines(0, 1)
        async with working(house) as worker:
            await until(lambda: any(d.state.retries for d in worker._destinations.values()))
            house.journal.write(
                Entry(
                    "stdout", 5_000, b"prompt> ", partial=True, metadata=PartialMetadata(last=False, id="a", ordinal=1)
                )
            )
            await asyncio.sleep(1)  # the container is watched no more
            house.receiver.start()
            await until(lambda: b"prompt> " in house.lines())

    asyncio.run(story())


def test_a_journal_that_begins_anew_is_not_taken_for_the_old_one(house: House) -> None:
    async def story() -> None:
        async with working(house):
            first = house.journal.lines(0, 100)
            await until(lambda: house.lines() == first)
            house.receiver.freeze()
            house.journal.lines(100, 100)
            await asyncio.sleep(0.3)  # they are on their way

            house.journal.close()
            shutil.rmtree(house.journal.folder)
            second = house.begin().lines(200, 50)
            house.receiver.thaw()
            await until(lambda: second[-1] in house.lines())
            assert [line for line in house.lines() if line in second] == second
            await until(lambda: (c := read_cursor(house.journal.folder, "http")) and c.offset)
            cursor = read_cursor(house.journal.folder, "http")
            assert cursor is not None
            assert cursor.offset == house.journal.writer.offset

    asyncio.run(story())

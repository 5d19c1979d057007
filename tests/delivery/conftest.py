"""A journal that can be written at will, and a sink that says what the test tells it to."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from plugin.config.options import validate
from plugin.delivery.destination import Destination
from plugin.delivery.destination_key import DeliverySettings
from plugin.delivery.tail import Tail
from plugin.docker.frames import Entry, encode_frame
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.writer import JournalWriter
from plugin.sinks.base import Record, RejectError, SinkError
from plugin.sinks.registry import schema

(CHOICE,) = validate({"http-url": "http://127.0.0.1:1"}, {}, schema()).sinks
QUICK = DeliverySettings(batch_wait=0.01, batch_size=100_000, retry_min=0.001, retry_max=0.01)


class Journal:
    """A container's journal, written through a pipe as intake does."""

    def __init__(self, folder: Path, segment_size: int = 1_000_000) -> None:
        self.folder = folder
        self.writer = JournalWriter(folder, segment_size)
        self._source, self._target = os.pipe()
        fcntl.fcntl(self._target, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self._source, False)

    def write(self, *entries: Entry) -> None:
        """Append entries."""
        for entry in entries:
            self.write_bytes(encode_frame(entry))

    def write_bytes(self, content: bytes) -> None:
        """Append bytes as they are."""
        os.write(self._target, content)
        self._take()

    def lines(self, first: int, count: int) -> list[bytes]:
        """Append numbered lines; returns them."""
        made = [b"line %06d" % number for number in range(first, first + count)]
        self.write(*(Entry("stdout", 1_000 + number, line) for number, line in enumerate(made, first)))
        return made

    def close(self) -> None:
        """Close the files."""
        self.writer.close()
        os.close(self._source)
        os.close(self._target)

    def _take(self) -> None:
        try:
            while True:
                self.writer.take(self._source, 1 << 20)
        except BlockingIOError:
            return


class FakeSink:
    """Remembers what was delivered; ``answers`` are raised by the next sends, one each, ``None`` for a yes.

    ``refused`` are lines that this destination will never take.
    """

    joins_parts = True

    def __init__(self) -> None:
        self.delivered: list[tuple[str, bytes]] = []
        self.batches: list[int] = []
        self.answers: list[SinkError | Exception | None] = []
        self.refused: set[bytes] = set()
        self.closed = False
        self._encoded: list[tuple[str, bytes]] = []

    def encode(self, records: Sequence[Record]) -> bytes:
        self._encoded = [(record.prepared, record.line) for record in records]
        return b"x" * len(records)

    async def send(self, payload: bytes) -> None:
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        if any(line in self.refused for _, line in self._encoded):
            raise RejectError("this destination does not like it")
        self.delivered += self._encoded
        self.batches.append(len(payload))

    async def close(self) -> None:
        self.closed = True

    def lines(self, prepared: str = "one") -> list[bytes]:
        return [line for container, line in self.delivered if container == prepared]


@pytest.fixture
def make_journal(tmp_path: Path) -> Iterator[Callable[..., Journal]]:
    """Return a function that makes journals; they are closed with the test."""
    made: list[Journal] = []

    def make(name: str = "aa", segment_size: int = 1_000_000) -> Journal:
        journal = Journal(tmp_path / name, segment_size)
        made.append(journal)
        return journal

    yield make
    for journal in made:
        journal.close()


@pytest.fixture
def journal(make_journal: Callable[..., Journal]) -> Journal:
    """One journal."""
    return make_journal()


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


def make_tail(journal: Journal, sink: FakeSink, prepared: str = "one") -> Tail:
    """Begin, or take up again, the delivery of a journal."""
    cursor = read_cursor(journal.folder, "fake")
    if cursor is None:
        cursor = Cursor(offset=0, resume=0)
        write_cursor(journal.folder, "fake", cursor)
    return Tail(journal.folder, "fake", sink, prepared, cursor)  # type: ignore[arg-type]


def deliver(
    destination: Destination, until: Callable[[], bool], meanwhile: Coroutine[Any, Any, None] | None = None
) -> None:
    """Run a destination until something is so, two minutes at most."""

    async def run() -> None:
        task = asyncio.create_task(destination.run())
        other = None if meanwhile is None else asyncio.create_task(meanwhile)
        try:
            async with asyncio.timeout(120):
                while not until():
                    for tail in destination.tails.values():
                        if tail.has_news():
                            destination.announce(tail)
                    await asyncio.sleep(0.001)
        finally:
            for running in filter(None, (task, other)):
                running.cancel()
            await asyncio.gather(task, *filter(None, [other]), return_exceptions=True)

    asyncio.run(run())

"""Sinks whose batches are noted: whatever a kill comes between, each line is at the destination once."""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.delivery import destination_pool
from plugin.delivery.batch import Group
from plugin.delivery.batch_notes import BatchNotes, notes_folder, remove_stale
from plugin.delivery.dead_letters import dead_letters_path
from plugin.delivery.destination import Destination
from plugin.delivery.sharding import Share
from plugin.delivery.tail import Tail
from plugin.delivery.timing import Timing
from plugin.delivery.worker import Worker
from plugin.docker.frames import Entry
from plugin.journal.cursors.store import Cursor, read_cursor
from plugin.journal.layout import DataFolder
from plugin.sinks.base import Origin, Record, RejectError, RetryError, Sink, TooLargeError
from plugin.sinks.http.options import HttpOptions
from plugin.transforms.chain import make_stages
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver, make_tail
from tests.delivery.worker_harness import WorkerHarness

TIMING = Timing(list=0.01, survey=0.02, look=0.01, lively=0.1, report=0.01, retry=0.01)
CONTAINERS = [letter * 64 for letter in "abc"]
ALONE = Share(0, 1)
POISON = b"refused for good"


class Server:
    """A destination that takes no payload twice, as S3 does under one key; it may refuse some lines, or large ones.

    ``step`` is called at each step of a delivery, and may end it there as a kill does.
    """

    def __init__(self, most: int = 1_000) -> None:
        self.taken: list[tuple[str, str]] = []
        self.step: Callable[[], None] = lambda: None
        self._most = most
        self._seen: set[bytes] = set()
        self._numbers = itertools.count()

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a batch, never twice in the same way: so that one that is made anew passes for another."""
        return json.dumps([next(self._numbers), [[one.prepared, one.line.decode()] for one in records]]).encode()

    async def take(self, payload: bytes) -> None:
        """Take a payload, unless it is there."""
        self.step()
        await asyncio.sleep(0)
        _, lines = json.loads(payload)
        if len(lines) > self._most:
            raise TooLargeError("413")
        if any(line == POISON.decode() for _, line in lines):
            raise RejectError("400")
        if payload not in self._seen:
            self._seen.add(payload)
            self.taken += [(container, line) for container, line in lines]
        self.step()


class NotingSink(Sink[str]):
    """Sends to a `Server`."""

    declaration = HttpOptions
    notes_batches = True

    def __init__(self, server: Server) -> None:
        self._server = server

    def prepare(self, origin: Origin) -> str:
        """Name a container by its first letter."""
        return origin.info.container_id[0]

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a batch."""
        return self._server.encode(records)

    async def send(self, payload: bytes) -> None:
        """Send a batch."""
        await self._server.take(payload)

    async def close(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def delivering_to(server: Server) -> Iterator[None]:
    """Have delivery make sinks for a server, and tell the server of each step on disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(destination_pool, "make_sink", lambda _: NotingSink(server))
        patch.setattr(destination_pool, "load_sink", lambda _: NotingSink)
        for owner, name in (
            (BatchNotes, "write"),
            (BatchNotes, "remove"),
            (BatchNotes, "settle"),
            (Tail, "acknowledge"),
        ):
            patch.setattr(owner, name, _stepping(server, getattr(owner, name)))
        yield


def _stepping(server: Server, method: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*args: Any) -> Any:
        server.step()
        result = method(*args)
        server.step()
        return result

    return stepping


class Kill:
    """Ends delivery at step number ``at`` and from then on, as far as one process can."""

    def __init__(self, at: int) -> None:
        self.fallen = asyncio.Event()
        self._left = at

    def __call__(self) -> None:
        """Count a step."""
        self._left -= 1
        if self._left <= 0:
            self.fallen.set()
            raise asyncio.CancelledError


async def work(data: DataFolder, shares: int, until: Callable[[], bool], kill: Kill | None = None) -> None:
    """Deliver with so many workers until something is so, or a kill has come."""
    stop = asyncio.Event()
    workers = [
        Worker(data, {}, share, shares, lambda choice, info: make_stages(choice.transforms, info), TIMING)
        for share in range(shares)
    ]
    tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
    try:
        async with asyncio.timeout(60):
            while not until() and not (kill and kill.fallen.is_set()):  # noqa: ASYNC110 (nothing else tells)
                await asyncio.sleep(0.002)
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def offset_of(folder: Path) -> int:
    cursor = read_cursor(folder, "http")
    return 0 if cursor is None else cursor.offset


OPTIONS = {"http-url": "http://127.0.0.1:1", "batch-size": "2k", "batch-wait": "1ms"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    kills=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 3)), min_size=1, max_size=4),
    most=st.sampled_from([7, 1_000]),
    poisoned=st.booleans(),
)
def test_each_line_is_there_once_wherever_delivery_is_killed(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[int, int]], most: int, poisoned: bool
) -> None:
    data = DataFolder(tmp_path_factory.mktemp("noted") / "data")
    harnesses = [WorkerHarness(data, OPTIONS, container) for container in CONTAINERS]
    numbers = {container: itertools.count() for container in CONTAINERS}
    server = Server(most)

    def write(count: int) -> None:
        for harness in harnesses:
            number = numbers[harness.container]
            harness.journal.write(*(Entry("stdout", 1, b"line %06d" % next(number)) for _ in range(count)))

    def is_over() -> bool:
        return all(offset_of(one.journal.folder) >= one.journal.writer.offset for one in harnesses)

    async def run() -> None:
        for step, shares in kills:
            write(40)
            server.step = kill = Kill(step)
            await work(data, shares, is_over, kill)
        server.step = lambda: None
        if poisoned:
            harnesses[0].journal.write(Entry("stdout", 1, POISON))
        write(10)
        await work(data, 1, is_over)

    with delivering_to(server):
        asyncio.run(run())
    for harness in harnesses:
        lines = [line for name, line in server.taken if name == harness.container[0]]
        assert lines == [f"line {number:06}" for number in range(next(numbers[harness.container]))]
        harness.journal.close()
    assert dead_letters_path(harnesses[0].journal.folder, "http").exists() == poisoned
    assert list(notes_folder(data).glob("*")) == []


class NotingFake(FakeSink):
    """Looks at the notes whenever it sends."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.seen: list[bool] = []
        self._folder = folder

    async def send(self, payload: bytes) -> None:
        self.seen.append(any(self._folder.glob("*.note")))
        await super().send(payload)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    folder.create()
    return folder


def notes(data: DataFolder, name: str = "d0", share: Share = ALONE) -> BatchNotes:
    return BatchNotes(data, share, name, "fake@here")


def noting(data: DataFolder, sink: FakeSink) -> Destination:
    return Destination("fake", sink, QUICK, notes=notes(data))  # type: ignore[arg-type]


def test_a_batch_is_on_disk_while_it_is_sent_and_no_longer(data: DataFolder, journal: Journal) -> None:
    sink = NotingFake(notes_folder(data))
    journal.lines(0, 10)
    sink.answers = [RetryError("down"), None]
    destination = noting(data, sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.records == 10)
    assert sink.seen == [True, True]
    assert list(notes_folder(data).iterdir()) == []


def test_what_cannot_be_noted_is_not_sent(
    data: DataFolder, journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = NotingFake(notes_folder(data))
    lines = journal.lines(0, 10)
    write, full = BatchNotes.write, [True]

    def refuse(self: BatchNotes, *args: Any) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, *args)

    monkeypatch.setattr(BatchNotes, "write", refuse)
    destination = noting(data, sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.retries > 5)
    assert sink.seen == []
    assert "cannot note a batch before it is sent: No space left on device; retrying" in caplog.text
    full[0] = False
    again = noting(data, sink)
    again.add(make_tail(journal, sink))
    deliver(again, lambda: again.state.records == 10)
    assert sink.lines() == lines


def test_a_noted_batch_that_fails_again_and_again_stays_in_one_piece(data: DataFolder, journal: Journal) -> None:
    sink = NotingFake(notes_folder(data))
    journal.lines(0, 2_000)
    sink.answers = [RetryError("reset")] * 12
    destination = noting(data, sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.records == 2_000)
    assert sink.batches == [2_000]


def test_the_cursor_moves_although_its_tail_was_closed_meanwhile(
    data: DataFolder,
) -> None:
    """As when a container's log-opts lead to other fields: what reads on there begins at the cursor."""
    harness = WorkerHarness(data, OPTIONS, CONTAINERS[0])
    harness.journal.lines(0, 10)
    end = harness.journal.writer.offset
    sink = FakeSink()
    destination = noting(data, sink)
    cursor = Cursor(offset=0, resume=0, birth=harness.birth)
    tail = Tail(harness.journal.folder, "http", sink, "one", cursor)  # type: ignore[arg-type]
    send = sink.send

    async def close_and_send(payload: bytes) -> None:
        destination.remove(tail)
        await send(payload)

    sink.send = close_and_send  # type: ignore[method-assign]
    destination.add(tail)
    deliver(destination, lambda: destination.state.records == 10)
    assert offset_of(harness.journal.folder) == end
    harness.journal.close()


def leave_note(journal: Journal, by: BatchNotes, upto: int) -> None:
    """Leave a note as a delivery does that was killed while it sent one record."""
    sink = FakeSink()
    tail = make_tail(journal, sink)
    chunk = tail.read(1_000_000)
    by.write([Group(tail, chunk.records[:1], chunk.upto._replace(offset=upto, resume=upto))], b"x")
    tail.close()


def test_a_damaged_note_is_dropped(data: DataFolder, caplog: pytest.LogCaptureFixture) -> None:
    notes_folder(data).mkdir(parents=True)
    path = notes_folder(data) / "d0-0-1.note"
    for content in (b"", b"\0" * 7, b"\0" * 100, os.urandom(64)):
        path.write_bytes(content)
        assert notes(data).is_pending()
        assert notes(data).take() is None
        assert not path.exists()
    assert "cannot use the note of a batch" in caplog.text


def test_options_that_have_changed_make_a_note_void(data: DataFolder, make_journal: Callable[..., Journal]) -> None:
    container = "aa"
    journal = make_journal(f"containers/{container}")
    journal.lines(0, 3)
    leave_note(journal, notes(data, "d0"), 10)
    assert notes(data, "d0").claim(container, "fake")
    assert not notes(data, "d1").claim("other", "fake")
    assert notes(data, "d0").claim(container, "fake")
    assert not notes(data, "d1").claim(container, "fake")
    assert not notes(data, "d0").claim(container, "fake")


def test_a_note_is_taken_by_one_process(data: DataFolder, make_journal: Callable[..., Journal]) -> None:
    journal = make_journal("containers/aa")
    journal.lines(0, 3)
    leave_note(journal, notes(data, share=Share(0, 1)), 10)
    first, second = (notes(data, share=Share(number, 2)) for number in (0, 1))
    # Its journal has no info.json: it may be another by now, and what was noted is all there is.
    (data.containers / "aa").rename(data.path / "gone")
    assert first.take() is not None
    assert second.take() is None
    first.let_go()
    assert second.take() is not None
    second.remove()
    assert first.take() is None


def test_old_notes_of_containers_that_are_gone_are_removed(
    data: DataFolder, make_journal: Callable[..., Journal]
) -> None:
    journal = make_journal("containers/aa")
    journal.lines(0, 3)
    leave_note(journal, notes(data), 10)
    (path,) = notes_folder(data).iterdir()
    remove_stale(data)
    week_ago = time.time() - 8 * 24 * 3600
    os.utime(path, (week_ago, week_ago))
    remove_stale(data)
    assert path.exists()
    (data.containers / "aa").rename(data.path / "gone")
    remove_stale(data)
    assert not path.exists()

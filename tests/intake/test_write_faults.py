"""One journal that cannot be written: it is set aside alone, or waits for what is lacking; all others stay whole."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.journal import active_segment, splice
from plugin.journal import writer as writer_module
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.layout import create_atomically, list_segments
from plugin.journal.metadata import read_metadata
from tests.intake.housekeeper_harness import Housekeeping
from tests.intake.pump_harness import ONE, OTHER, THIRD, Clock, PumpHarness, frames

FIRST, SECOND, LATER = (frames(20, start, 50) for start in (0, 20, 40))


@contextmanager
def refused(folder: Path, number: int) -> Iterator[list[str]]:
    """Have every write to one journal fail: opening its files, and moving bytes into them; yields what was tried."""
    tried: list[str] = []
    opened, make, move = os.open, create_atomically, splice.move

    def guard(what: str, path: object) -> None:
        if str(path).startswith(str(folder)):
            tried.append(what)
            raise OSError(number, os.strerror(number), str(path))

    def refuse_to_open(path: str, flags: int, *rest: int, **more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            guard("open", path)
        return opened(path, flags, *rest, **more)

    def refuse_to_make(path: Path, content: bytes) -> int:
        guard("make", path)
        return make(path, content)

    def refuse_to_move(fifo: int, file: int, limit: int, position: int) -> int:
        guard("move", os.readlink(f"/proc/self/fd/{file}"))
        return move(fifo, file, limit, position)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refuse_to_open)
        patch.setattr(active_segment, "create_atomically", refuse_to_make)
        patch.setattr(writer_module, "move", refuse_to_move)
        yield tried


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_waiting(harness: PumpHarness, name: str) -> int:
    return harness.stream(name).waiting()


@pytest.fixture
def turn(harness: PumpHarness, clock: Clock) -> Callable[[], None]:
    """Let so much time pass that the pump tries everything again, and have it do so."""

    def tried_again() -> None:
        for _ in range(2):
            clock.pass_by(40)
            harness.turn()

    return tried_again


BROKEN = [errno.EPERM, errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG]
PASSING = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE]


class TestABrokenJournal:
    """Its lines are dropped and counted, loudly; nobody else is touched, and it recovers by itself."""

    @pytest.mark.parametrize("number", BROKEN)
    def test_is_set_aside_alone_and_recovers(
        self, harness: PumpHarness, turn: Callable[[], None], number: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        fifo, whole = harness.begin("a"), harness.begin("b", OTHER)
        fifo.write(FIRST)
        harness.turn()
        with refused(harness.data.container(ONE), number):
            for _ in range(3):
                fifo.write(SECOND)
                whole.write(FIRST)
                turn()
                assert is_waiting(harness, "a") == 0, "its container never blocks"
            assert harness.pump.room_errors() == set()
            (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
            assert f"name-11 ({ONE[:12]})" in error
            assert os.strerror(number) in error
        turn()
        fifo.write(LATER)
        turn()
        assert harness.written() == FIRST + LATER
        assert harness.pump.snapshot()[0][0].dropped.lines == 60
        assert harness.written(OTHER) == 3 * FIRST

    @pytest.mark.parametrize("number", BROKEN)
    def test_costs_nobody_else_what_is_kept(self, housekeeping: Housekeeping, clock: Clock, number: int) -> None:
        housekeeping.stopped(THIRD, 4)
        housekeeping.running(OTHER, 4)
        housekeeping.running(ONE, 1)
        keeper = housekeeping.keeper()
        keeper.round()
        with refused(housekeeping.harness.data.container(ONE), number):
            for _ in range(5):
                housekeeping.prints(ONE, FIRST)
                clock.pass_by(40)
                keeper.round()
        assert housekeeping.bases(THIRD) == housekeeping.bases(OTHER) == [0, 1, 2, 3]

    def test_that_refuses_every_byte_is_tried_less_and_less_often(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        fifo = harness.begin("a")
        monkeypatch.setattr(writer_module, "move", refuse)
        for _ in range(600):
            fifo.write(frames(1))
            clock.pass_by(1.01)
            harness.turn()
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert 2 <= len(errors) < 40
        assert len(list_segments(harness.data.container(ONE))) < 40

    def test_with_a_file_in_place_of_its_folder(
        self, housekeeping: Housekeeping, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        housekeeping.stopped(THIRD, 4)
        housekeeping.running(OTHER, 4)
        folder = housekeeping.harness.data.container(ONE)
        folder.write_bytes(b"not a folder")
        housekeeping.runs_again(ONE)
        keeper = housekeeping.keeper()
        for _ in range(5):
            housekeeping.prints(ONE, FIRST)
            housekeeping.prints(OTHER, LATER)
            clock.pass_by(40)
            keeper.round()
        assert housekeeping.bases(THIRD) == [0, 1, 2, 3]
        assert housekeeping.bases(OTHER)[:4] == [0, 1, 2, 3]
        assert "removed" not in caplog.text
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1

        folder.unlink()
        clock.pass_by(40)
        housekeeping.harness.pump.call(housekeeping.harness.pump.do_chores, clock.now).result()
        housekeeping.prints(ONE, LATER)
        assert housekeeping.harness.written() == LATER
        assert read_metadata(folder) is not None

    def test_whose_container_stops_does_not_hold_stoplogging(self, harness: PumpHarness) -> None:
        folder = harness.data.container(ONE)
        folder.write_bytes(b"not a folder")
        harness.begin("a").write(FIRST)
        assert harness.pump.detach("a")
        assert harness.attached() == set()
        assert harness.pump.snapshot()[1][ONE].lines == 20
        folder.unlink()
        harness.pump.do_chores(0.0)
        assert list_segments(folder)[-1].base == len(FIRST)


@contextmanager
def unreadable(number: int) -> Iterator[None]:
    """Have what was written to the newest segments not be read back, though they can be written."""

    def refuse(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(active_segment.NewestSegment, "read", refuse)
        yield


class TestAJournalWhoseEndCannotBeRead:
    """What was written is kept: it is walked over later, and what comes meanwhile goes behind it."""

    @pytest.mark.parametrize("number", PASSING)
    def test_for_want_of_a_resource_keeps_all(
        self, harness: PumpHarness, turn: Callable[[], None], number: int
    ) -> None:
        fifo = harness.begin("a", segment_size=len(FIRST) // 2)
        fifo.write(FIRST)
        harness.turn()
        with unreadable(number):
            for _ in range(3):
                fifo.write(SECOND)
                turn()
        turn()
        fifo.write(LATER)
        turn()
        assert harness.written() == FIRST + 3 * SECOND + LATER
        assert harness.pump.snapshot()[0][0].dropped.bytes == 0

    @pytest.mark.parametrize("number", [*PASSING, errno.EIO])
    def test_and_whose_stream_ends_meanwhile_is_not_cut(self, harness: PumpHarness, number: int) -> None:
        fifo = harness.begin("a")
        with unreadable(number):
            fifo.write(FIRST)
            harness.turn()
            fifo.end()
            harness.turn()
        assert harness.written().startswith(FIRST)

    def test_for_good_keeps_what_was_written_before_it_drops(
        self, harness: PumpHarness, turn: Callable[[], None]
    ) -> None:
        fifo = harness.begin("a")
        fifo.write(FIRST)
        harness.turn()
        with unreadable(errno.EIO):
            fifo.write(SECOND)
            harness.turn()
            fifo.write(SECOND)
            harness.turn()
            assert is_waiting(harness, "a") == 0
        turn()
        fifo.write(LATER)
        turn()
        assert harness.written() == FIRST + SECOND + LATER
        assert harness.pump.snapshot()[0][0].dropped.lines == 20

    def test_at_its_opening_leaves_its_cursors_alone(self, harness: PumpHarness, turn: Callable[[], None]) -> None:
        first = harness.begin("a")
        first.write(FIRST)
        harness.turn()
        harness.pump.detach("a")
        cursor = Cursor(offset=len(FIRST), resume=len(FIRST))
        write_cursor(harness.data.container(ONE), "http", cursor)
        again = harness.begin("b")
        with unreadable(errno.ENOMEM):
            again.write(SECOND)
            turn()
        turn()
        assert read_cursor(harness.data.container(ONE), "http") == cursor
        assert harness.written() == FIRST + SECOND


class TestAJournalThatLacksAResource:
    """Its bytes stay in the FIFO, and writing is tried again, with pauses, until it works; nothing is lost."""

    @pytest.mark.parametrize("number", PASSING)
    @pytest.mark.parametrize("began", [True, False])
    def test_waits_and_loses_nothing(
        self, harness: PumpHarness, turn: Callable[[], None], number: int, began: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        fifo = harness.begin("a")
        if began:
            fifo.write(FIRST)
            harness.turn()
        else:
            (harness.data.container(ONE)).mkdir()
        before = read_metadata(harness.data.container(ONE))
        with refused(harness.data.container(ONE), number):
            fifo.write(SECOND)
            for _ in range(5):
                turn()
            assert is_waiting(harness, "a") == len(SECOND)
            assert harness.pump.room_errors() == set()
            assert not harness.pump.dropping()
        turn()
        assert harness.written() == (FIRST if began else b"") + SECOND
        assert harness.pump.snapshot()[0][0].dropped.bytes == 0
        after = read_metadata(harness.data.container(ONE))
        assert after is not None
        assert before is None or before.birth == after.birth
        (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert f"name-11 ({ONE[:12]})" in error

    def test_is_not_tried_in_a_busy_loop(self, harness: PumpHarness, clock: Clock) -> None:
        fifo = harness.begin("a")
        fifo.write(FIRST)
        harness.turn()
        with refused(harness.data.container(ONE), errno.ENOMEM) as tried:
            fifo.write(SECOND)
            for _ in range(100):
                clock.pass_by(0.01)
                harness.turn()
        assert 1 <= len(tried) <= 6

    def test_is_written_before_its_stream_ends_though_stoplogging_is_answered(
        self, harness: PumpHarness, turn: Callable[[], None]
    ) -> None:
        fifo = harness.begin("a")
        fifo.write(FIRST)
        harness.turn()
        with refused(harness.data.container(ONE), errno.EMFILE):
            fifo.write(SECOND)
            assert harness.pump.detach("a")
            fifo.end()
            turn()
            assert harness.attached() == {"a"}
        turn()
        assert harness.written() == FIRST + SECOND
        assert harness.attached() == set()
        assert harness.pump.attached() == set()

    def test_without_any_descriptor_left_everybody_keeps_all(
        self, harness: PumpHarness, turn: Callable[[], None]
    ) -> None:
        old, new = harness.begin("a"), harness.begin("b", OTHER)
        old.write(FIRST)
        harness.turn()
        with no_descriptors():
            old.write(SECOND)
            new.write(FIRST)
            for _ in range(3):
                turn()
            assert is_waiting(harness, "b") == len(FIRST)
        turn()
        assert harness.written() == FIRST + SECOND
        assert harness.written(OTHER) == FIRST
        assert [one.dropped.bytes for one in harness.pump.snapshot()[0]] == [0, 0]

    def test_goes_on_with_its_old_journal_and_its_birth(self, harness: PumpHarness, turn: Callable[[], None]) -> None:
        first = harness.begin("a")
        first.write(FIRST)
        harness.turn()
        harness.pump.detach("a")
        before = read_metadata(harness.data.container(ONE))
        assert before is not None
        again = harness.begin("b")
        with no_descriptors():
            again.write(SECOND)
            turn()
        turn()
        after = read_metadata(harness.data.container(ONE))
        assert after is not None
        assert after.birth == before.birth
        assert harness.written() == FIRST + SECOND

    def test_that_turns_out_to_be_broken_is_dropped_then(self, harness: PumpHarness, turn: Callable[[], None]) -> None:
        folder = harness.data.container(ONE)
        folder.mkdir()
        fifo = harness.begin("a")
        fifo.write(FIRST)
        with refused(folder, errno.EMFILE):
            turn()
        with refused(folder, errno.EPERM):
            turn()
            assert is_waiting(harness, "a") == 0
            assert harness.pump.dropping()

"""The disk quota where sinks still need what has to go: each is told, and some containers are slowed down first."""

import errno
import os
from pathlib import Path

import pytest

from plugin.delivery.tail import Tail
from plugin.intake import disk_quota
from plugin.intake.disk_quota import DiskBounds
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.drop_mode import ROOM_TO_RESUME
from plugin.journal.layout import list_segments
from plugin.journal.reader import JournalReader
from plugin.journal.seeking import journal_end
from plugin.records.position import position_behind
from tests.delivery.conftest import FakeSink
from tests.intake.housekeeper_harness import DAY, SEGMENT, Housekeeping, disk
from tests.intake.pump_harness import ONE, OTHER, THIRD, Clock, frames

SINK = {"http_url": "http://127.0.0.1:9/"}
INSTANCE = "http"


def needed(housekeeping: Housekeeping, container: str, offset: int = 0) -> Path:
    """Let a sink have come so far in a container's journal."""
    folder = housekeeping.harness.data.container(container)
    write_cursor(folder, INSTANCE, Cursor(offset=offset, resume=offset))
    return folder


def deliver(folder: Path) -> list[bytes]:
    """Deliver all of a journal to its sink."""
    cursor = read_cursor(folder, INSTANCE)
    assert cursor is not None
    tail = Tail(folder, INSTANCE, FakeSink(), "prepared", cursor)  # type: ignore[arg-type]
    lines = []
    while records := tail.read(1 << 20).records:
        lines += [record.line for record in records]
        tail.acknowledge(position_behind(records[-1]), len(records))
    tail.close()
    return lines


class TestAStoppedJournal:
    def test_that_a_sink_needs_is_emptied_and_the_sink_is_told(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, 0, **SINK)
        folder = needed(housekeeping, ONE, SEGMENT // 10)
        housekeeping.keeper(limit=0).round()
        assert housekeeping.bases(ONE) == [3]
        assert journal_end(folder) == 3 * SEGMENT

        (gap,) = deliver(folder)
        assert gap.startswith(b"peavey: %d bytes" % (3 * SEGMENT - SEGMENT // 10))
        cursor = read_cursor(folder, INSTANCE)
        assert cursor is not None
        assert (cursor.offset, cursor.gap_bytes) == (3 * SEGMENT, 3 * SEGMENT - SEGMENT // 10)

    def test_whose_note_is_damaged_is_kept_for_whoever_has_a_cursor(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, 0, **SINK)
        housekeeping.stopped(OTHER, 3)
        folder = needed(housekeeping, ONE, SEGMENT // 10)
        (folder / "info.json").write_bytes(b"")
        housekeeping.keeper(limit=3 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2], "what all sinks have passed goes first"
        assert housekeeping.bases(OTHER) == []

        housekeeping.keeper(limit=0).round()
        assert housekeeping.bases(ONE) == [3]
        (gap,) = deliver(folder)
        assert gap.startswith(b"peavey: %d bytes" % (3 * SEGMENT - SEGMENT // 10))

    def test_each_sink_is_told_of_what_it_lacks(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, http_url="http://127.0.0.1:9/", loki_url="http://127.0.0.1:9/")
        folder = needed(housekeeping, ONE, SEGMENT)
        write_cursor(folder, "loki", Cursor(offset=3 * SEGMENT, resume=3 * SEGMENT))
        housekeeping.keeper(limit=0).round()
        (gap,) = deliver(folder)
        assert gap.startswith(b"peavey: %d bytes" % (2 * SEGMENT))

    def test_it_stays_until_the_sinks_were_told_however_long_ago_it_stopped(
        self, housekeeping: Housekeeping, clock: Clock
    ) -> None:
        housekeeping.stopped(ONE, 3, 9 * DAY, **SINK)
        folder = needed(housekeeping, ONE)
        keeper = housekeeping.keeper(limit=0, keep_stopped=DAY)
        for _ in range(3):
            keeper.round()
            clock.pass_by(2 * DAY)
        assert housekeeping.bases(ONE) == [3]
        deliver(folder)
        clock.pass_by(2 * DAY)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == []

    def test_where_they_are_kept_for_ever_it_goes_when_room_is_short_again(
        self, housekeeping: Housekeeping, clock: Clock
    ) -> None:
        housekeeping.stopped(ONE, 3, 0, **SINK)
        folder = needed(housekeeping, ONE)
        keeper = housekeeping.keeper(limit=SEGMENT - 1)
        keeper.round()
        deliver(folder)
        clock.pass_by(31)
        keeper.round()
        assert housekeeping.bases(ONE) == [3]
        housekeeping.running(OTHER, 2)
        clock.pass_by(31)
        keeper.round()
        keeper.round()
        assert housekeeping.harness.data.container_ids() == [OTHER]

    def test_the_container_goes_on_behind_it_when_it_starts_again(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, 0, **SINK)
        folder = needed(housekeeping, ONE)
        housekeeping.keeper(limit=0).round()
        housekeeping.runs_again(ONE)
        housekeeping.prints(ONE, frames(1))
        gap, line = deliver(folder)
        assert gap.startswith(b"peavey: %d bytes" % (3 * SEGMENT))
        assert line.startswith(b"line 0")

    def test_an_entry_that_is_incomplete_at_its_end_is_no_obstacle(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 1, 0, **SINK)
        folder = needed(housekeeping, ONE)
        with open(list_segments(folder)[0].path, "ab") as file:
            file.write(frames(1)[:9])
        housekeeping.keeper(limit=0).round()
        (gap,) = deliver(folder)
        assert gap.startswith(b"peavey: %d bytes" % SEGMENT)

    def test_that_has_grown_since_it_was_measured_does_not_go_as_a_whole(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.stopped(ONE, 2)
        keeper = housekeeping.keeper(limit=0)
        monkeypatch.setattr(keeper._quota, "make_room", lambda *_: set())
        keeper.round()
        monkeypatch.undo()
        housekeeping.runs_again(ONE)
        housekeeping.prints(ONE, frames(1))
        housekeeping.stops(ONE)
        keeper._quota.make_room(keeper._journals, set())
        assert housekeeping.bases(ONE)[-1:] == [1]

    def test_of_very_many_that_wait_the_oldest_go(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disk_quota, "_EMPTIED_AT_MOST", 1)
        for age, container in enumerate((ONE, OTHER, THIRD)):
            housekeeping.stopped(container, 1, age, **SINK)
            needed(housekeeping, container)
        keeper = housekeeping.keeper(limit=0)
        keeper.round()
        assert len(housekeeping.harness.data.container_ids()) == 3
        housekeeping.stopped("4" * 64, 1)
        keeper._next_visit = 0
        keeper.round()
        assert len(housekeeping.harness.data.container_ids()) == 1


class TestOrder:
    def test_what_is_not_delivered_goes_after_what_is(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, 90, **SINK)
        needed(housekeeping, ONE)
        housekeeping.running(OTHER, 3)
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.bases(OTHER) == [2]

    def test_what_a_container_is_slowed_down_for_goes_last_of_all(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, 90, overflow="throttle", **SINK)
        needed(housekeeping, ONE)
        housekeeping.running(OTHER, 3, 0, **SINK)
        needed(housekeeping, OTHER)
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.bases(OTHER) == [2]

    def test_what_was_no_log_entries_goes_first(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3)
        aside = housekeeping.harness.data.container(ONE) / f"{0:020}.corrupt"
        aside.write_bytes(bytes(2 * SEGMENT))
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert not aside.exists()

    def test_what_was_written_since_a_journal_was_looked_at_counts_as_not_delivered(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disk_quota, "_WORTH_LOSING", 1)
        housekeeping.running(ONE, 2, 0, **SINK)
        folder = needed(housekeeping, ONE, 2 * SEGMENT)
        keeper = housekeeping.keeper(limit=2 * SEGMENT)
        keeper.round()
        housekeeping.prints(ONE, frames(10, size=100))
        keeper._quota._bounds = DiskBounds(limit=0, free=None, keep_stopped=None)
        assert keeper._quota.make_room(keeper._journals, {ONE}) == {ONE}
        assert housekeeping.bases(ONE) == [1, 3]
        keeper.note_rotation(ONE)
        write_cursor(folder, INSTANCE, Cursor(offset=3 * SEGMENT, resume=3 * SEGMENT))
        keeper.round()
        assert len(housekeeping.bases(ONE)) == 1, "where it is delivered it may go"


class TestThrottle:
    @pytest.fixture
    def flooding(self, housekeeping: Housekeeping) -> Path:
        """A container that is slowed down rather than that lines of it are lost: three segments wait."""
        housekeeping.running(ONE, 3, 0, overflow="throttle", **SINK)
        return needed(housekeeping, ONE)

    @pytest.mark.usefixtures("flooding")
    def test_beyond_the_limit_a_container_is_slowed_down_and_loses_nothing(self, housekeeping: Housekeeping) -> None:
        housekeeping.keeper(limit=SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.throttled() == {ONE}

    @pytest.mark.usefixtures("flooding")
    def test_so_it_is_where_others_need_the_room(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk(monkeypatch, available=4 * SEGMENT)
        housekeeping.keeper(free=5 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.throttled() == {ONE}

    @pytest.mark.usefixtures("flooding")
    def test_on_a_disk_that_is_all_but_full_its_oldest_lines_go(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk(monkeypatch, available=SEGMENT // 2)
        housekeeping.keeper(free=20 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [2]
        assert housekeeping.throttled() == {ONE}, "and it is slowed down all the same"

    @pytest.mark.usefixtures("flooding")
    def test_so_they_do_where_lines_are_dropped_already(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk(monkeypatch, available=2 * ROOM_TO_RESUME - 2 * SEGMENT, total=200 * SEGMENT)
        monkeypatch.setattr(housekeeping.harness.pump, "room_errors", lambda: {errno.ENOSPC})
        housekeeping.keeper(limit=100 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [2]

    def test_it_goes_on_freely_once_there_is_room_by_a_margin(
        self, housekeeping: Housekeeping, clock: Clock, flooding: Path
    ) -> None:
        keeper = housekeeping.keeper(limit=2 * SEGMENT)
        keeper.round()
        assert housekeeping.throttled() == {ONE}

        def passed(offset: int) -> set[str]:
            write_cursor(flooding, INSTANCE, Cursor(offset=offset, resume=offset))
            clock.pass_by(6)
            keeper.round()
            return housekeeping.throttled()

        assert passed(SEGMENT) == {ONE}, "all that waits is as much as the limit"
        assert housekeeping.bases(ONE) == [1, 2]
        assert passed(2 * SEGMENT) == set(), "what is delivered can go when it must"

    def test_it_is_not_slowed_down_while_others_can_make_room(self, housekeeping: Housekeeping, flooding: Path) -> None:
        assert flooding.exists()
        housekeeping.stopped(OTHER, 2)
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(OTHER) == [1]
        assert housekeeping.throttled() == set()

    @pytest.mark.usefixtures("flooding")
    def test_meanwhile_what_grows_is_measured_at_each_round(self, housekeeping: Housekeeping) -> None:
        keeper = housekeeping.keeper(limit=SEGMENT)
        for lines in (0, 10):
            housekeeping.prints(ONE, frames(lines, size=100))
            keeper.note_change(ONE)
            keeper.round()
        assert keeper._journals[ONE].bytes == 4 * SEGMENT

    def test_others_are_not_slowed_down(self, housekeeping: Housekeeping, flooding: Path) -> None:
        assert flooding.exists()
        housekeeping.running(OTHER, 1, 0, **SINK)
        needed(housekeeping, OTHER)
        housekeeping.running(THIRD, 1, 0, overflow="throttle", **SINK)
        needed(housekeeping, THIRD, SEGMENT)
        housekeeping.keeper(limit=SEGMENT).round()
        assert housekeeping.throttled() == {ONE}

    def test_beyond_buffer_limit_it_is_until_a_tenth_less_waits(self, housekeeping: Housekeeping, clock: Clock) -> None:
        housekeeping.running(ONE, 10, 0, overflow="throttle", buffer_limit=str(9 * SEGMENT), **SINK)
        folder = needed(housekeeping, ONE)
        keeper = housekeeping.keeper()
        waiting = []
        for segments in (0, 1, 2):
            write_cursor(folder, INSTANCE, Cursor(offset=segments * SEGMENT, resume=segments * SEGMENT))
            clock.pass_by(6)
            keeper.round()
            waiting.append(bool(housekeeping.throttled()))
        assert waiting == [True, True, False]


class TestReaders:
    def test_what_a_reader_has_open_takes_no_room_once_it_had_to_go(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3)
        reader = JournalReader(housekeeping.harness.data.container(ONE))
        reader.hold()
        assert reader.peek(10)
        housekeeping.keeper(limit=SEGMENT).round()
        descriptors = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        deleted = [os.stat(path).st_size for path in descriptors if is_deleted(path, housekeeping)]
        assert deleted == [0, 0]
        rest = b""
        while piece := reader.peek(1 << 20):
            rest += piece
            reader.advance(len(piece))
        assert len(rest) == SEGMENT
        reader.close()


def is_deleted(path: str, housekeeping: Housekeeping) -> bool:
    try:
        target = os.readlink(path)
    except FileNotFoundError:
        return False
    return target.startswith(str(housekeeping.harness.data.path)) and ".log (deleted)" in target


def test_a_bound_that_is_off_needs_no_room(housekeeping: Housekeeping) -> None:
    housekeeping.stopped(ONE, 3)
    keeper = housekeeping.keeper()
    keeper._quota._bounds = DiskBounds(None, None, None)
    keeper.round()
    assert housekeeping.bases(ONE) == [0, 1, 2]


@pytest.mark.parametrize(
    ("free", "disk", "kept"), [(10**9, 12 * 10**6, 1_200_000), (10**9, 10**12, 10**9), (None, 10**12, None)]
)
def test_what_is_kept_free_is_a_tenth_at_most(free: int | None, disk: int, kept: int | None) -> None:
    assert DiskBounds(limit=None, free=free, keep_stopped=None).kept_free(disk) == kept

"""The housekeeper, round by round: what goes, in which order, and what stays."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.docker.frames import Entry
from plugin.intake import disk_quota, retention
from plugin.intake import housekeeper as housekeeper_module
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.housekeeper import Housekeeper
from plugin.journal import metadata as note_module
from plugin.journal import retention as journal_retention
from plugin.journal.cursors.store import Cursor, cursor_path, write_cursor
from plugin.journal.drop_mode import ROOM_TO_RESUME
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.losses import Cause
from plugin.journal.metadata import JournalNote
from plugin.journal.retention import SegmentUse, remove_segment
from tests.intake.housekeeping_bench import DAY, HOUR, SEGMENT, House, disk, write_segments
from tests.intake.pump_bench import ONE, OTHER, THIRD, Bench, Clock, frames
from tests.journal.entries import encode


class TestSurplus:
    def test_the_oldest_segments_beyond_max_file_go_with_their_index(self, house: House) -> None:
        house.stopped(ONE, 5, max_file="2")
        house.keeper().round()
        assert house.bases(ONE) == [3, 4]
        assert len(list(house.bench.data.container(ONE).glob("*.idx"))) == 2

    def test_as_many_as_max_file_are_none_too_many(self, house: House) -> None:
        house.running(ONE, 3, max_file="3")
        house.keeper().round()
        assert house.bases(ONE) == [0, 1, 2]

    def test_only_the_newest_few_corrupt_files_are_kept(self, house: House) -> None:
        house.stopped(ONE, 1)
        for number in range(8):
            (house.bench.data.container(ONE) / f"{number:020}.corrupt").write_bytes(b"?")
        house.keeper().round()
        assert [int(path.stem) for path in sorted(house.bench.data.container(ONE).glob("*.corrupt"))] == [3, 4, 5, 6, 7]

    def test_a_damaged_note_keeps_all_and_is_told_once(
        self, house: House, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.stopped(ONE, 5, age=9 * DAY, max_file="2")
        (house.bench.data.container(ONE) / "info.json").write_bytes(b'{"info": "\xff"}')
        keeper = house.keeper(keep_stopped=DAY)
        for _ in range(3):
            keeper.round()
            clock.pass_by(60)
        assert house.bases(ONE) == [0, 1, 2, 3, 4]
        assert caplog.text.count("log-opts unknown, keeping the journal") == 1

    def test_a_missing_note_keeps_all_and_is_told_once_when_it_is_late(
        self, house: House, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.stopped(ONE, 5, max_file="2")
        house.running(OTHER, 1)
        for container in (ONE, OTHER):
            (house.bench.data.container(container) / "info.json").unlink()
        keeper = house.keeper(keep_stopped=DAY)
        keeper.round()
        assert "log-opts unknown" not in caplog.text, "it may be about to be written"
        for _ in range(3):
            clock.pass_by(61)
            keeper.round()
        assert house.bases(ONE) == [0, 1, 2, 3, 4]
        (told,) = [record.getMessage() for record in caplog.records]
        path = house.bench.data.container(ONE) / "info.json"
        assert told == f"container {ONE[:12]}: log-opts unknown, keeping the journal: {path} is missing"


class TestMaxAge:
    def test_older_segments_go_and_the_newest_stays_while_its_container_runs(self, house: House) -> None:
        house.running(ONE, 3, max_age="1h")
        house.age(ONE, 0, HOUR + 1)
        house.age(ONE, 1, HOUR - 1)
        house.keeper().round()
        assert house.bases(ONE) == [1, 2, 3], "the last is empty: what was the newest is closed, so that it can go"

    def test_a_journal_that_is_all_too_old_goes_when_its_container_has_stopped(self, house: House) -> None:
        house.stopped(ONE, 3, age=HOUR + 1, max_age="1h")
        house.stopped(OTHER, 3, age=HOUR - 1, max_age="1h")
        house.keeper().round()
        assert house.bench.data.container_ids() == [OTHER]
        assert [path.name for path in house.bench.data.containers.iterdir()] == [OTHER], "swept as well"

    def test_that_of_a_stopped_one_is_not_closed_so_that_its_journal_can_go_as_a_whole(self, house: House) -> None:
        house.stopped(ONE, 2, 0, max_age="1h", http_url="http://127.0.0.1:9/")
        write_cursor(house.bench.data.container(ONE), "http", Cursor(offset=0, resume=0))
        house.keeper().round()
        assert house.bases(ONE) == [0, 1]

    def test_the_newest_segment_of_a_running_container_is_closed_in_time_and_goes(
        self, house: House, clock: Clock
    ) -> None:
        house.running(ONE, 0, max_age="1h", max_file="4")
        keeper = house.keeper()
        house.prints(ONE, encode([Entry("stdout", clock.wall, b"line")]))
        keeper.round()
        assert house.bases(ONE) == [0]

        clock.pass_by(HOUR // 4 - 5)
        keeper.round()
        assert len(house.bases(ONE)) == 1
        clock.pass_by(10)
        keeper.round()
        assert len(house.bases(ONE)) == 2, "closed when a share of max-age has passed"

        closed = list_segments(house.bench.data.container(ONE))[0]
        os.utime(closed.path, ns=(clock.wall, clock.wall))
        clock.pass_by(HOUR - 5)
        keeper.round()
        assert closed in list_segments(house.bench.data.container(ONE))
        clock.pass_by(10)
        keeper.round()
        assert closed not in list_segments(house.bench.data.container(ONE))

    def test_without_it_age_is_no_reason(self, house: House) -> None:
        house.stopped(ONE, 3, age=900 * DAY)
        house.keeper().round()
        assert house.bases(ONE) == [0, 1, 2]


class TestKeepStopped:
    def test_what_was_seen_long_ago_goes(self, house: House) -> None:
        house.stopped(ONE, 2, age=DAY + 1)
        house.stopped(OTHER, 2, age=DAY - 1)
        house.keeper(keep_stopped=DAY).round()
        assert house.bench.data.container_ids() == [OTHER]

    def test_never_that_of_a_container_that_runs(self, house: House) -> None:
        house.running(ONE, 3, age=9 * DAY, max_file="2")
        house.keeper(keep_stopped=DAY).round()
        assert house.bases(ONE) == [1, 2], "and it is kept within its own options"

    def test_what_was_written_later_than_noted_stays(self, house: House) -> None:
        house.stopped(ONE, 2, age=9 * DAY)
        house.age(ONE, 1, HOUR)
        house.keeper(keep_stopped=DAY).round()
        assert house.bases(ONE) == [0, 1]

    def test_an_entry_that_nothing_can_complete_does_not_keep_a_journal_for_ever(
        self, house: House, clock: Clock
    ) -> None:
        house.stopped(ONE, 1, 9 * DAY, http_url="http://127.0.0.1:9/")
        folder = house.bench.data.container(ONE)
        write_cursor(folder, "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        with open(list_segments(folder)[0].path, "ab") as file:
            file.write(frames(1)[:7])
        house.age(ONE, 0, 9 * DAY)
        keeper = house.keeper(keep_stopped=DAY)
        keeper.round()
        clock.pass_by(2 * DAY)
        keeper.round()
        assert house.bench.data.container_ids() == []

    def test_when_it_is_off_they_stay(self, house: House) -> None:
        house.stopped(ONE, 2, age=900 * DAY)
        house.keeper(keep_stopped=None).round()
        assert house.bases(ONE) == [0, 1]


class TestCompression:
    @pytest.mark.parametrize(("option", "expected"), [("true", [True, True, False]), ("false", [False] * 3)])
    def test_closed_segments_are_compressed_where_that_is_wanted(
        self, house: House, option: str, expected: list[bool]
    ) -> None:
        house.stopped(ONE, 3, compress=option)
        house.keeper().round()
        assert [segment.compressed for segment in list_segments(house.bench.data.container(ONE))] == expected

    def test_a_failure_leaves_them_as_they_are(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: Path, __: int | None) -> int:
            raise OSError(28, "No space left on device")

        house.stopped(ONE, 4, compress="true", max_file="3")
        monkeypatch.setattr(retention, "compress_closed", refuse)
        house.keeper().round()
        assert house.bases(ONE) == [1, 2, 3]


class TestDiskLimit:
    def test_within_it_all_stay(self, house: House) -> None:
        house.stopped(ONE, 4)
        house.keeper(limit=4 * SEGMENT).round()
        assert house.bases(ONE) == [0, 1, 2, 3]

    def test_the_oldest_of_stopped_containers_go_first_as_many_as_needed(self, house: House) -> None:
        house.running(ONE, 3, age=90)
        house.stopped(OTHER, 3)
        house.stopped(THIRD, 3, age=10)
        house.age(OTHER, 0, 50)
        house.keeper(limit=7 * SEGMENT).round()
        assert house.bases(ONE) == [0, 1, 2]
        assert house.bases(OTHER) == [1, 2]
        assert house.bases(THIRD) == [1, 2]

    def test_a_stopped_journal_of_which_the_newest_segment_must_go_goes_as_a_whole(self, house: House) -> None:
        house.running(ONE, 3)
        house.stopped(OTHER, 2, age=10)
        house.keeper(limit=3 * SEGMENT).round()
        assert house.bench.data.container_ids() == [ONE]
        assert house.bases(ONE) == [0, 1, 2]

    def test_then_closed_ones_of_running_containers(self, house: House) -> None:
        house.running(ONE, 3)
        house.running(OTHER, 3, age=10)
        house.stopped(THIRD, 1)
        house.age(ONE, 0, 20)
        house.keeper(limit=4 * SEGMENT).round()
        assert house.bases(ONE) == [1, 2]
        assert house.bases(OTHER) == [1, 2]
        assert house.bases(THIRD) == []

    def test_what_is_being_written_goes_last_and_only_where_it_is_worth_it(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.running(ONE, 3)
        house.prints(ONE, frames(1))
        house.keeper(limit=0).round()
        (newest,) = list_segments(house.bench.data.container(ONE))
        assert newest.base == 2 * SEGMENT

        monkeypatch.setattr(disk_quota, "_WORTH_LOSING", 1)
        house.keeper(limit=0).round()
        assert [segment.base > newest.base for segment in list_segments(house.bench.data.container(ONE))] == [True]
        house.prints(ONE, frames(2))
        assert house.bench.written() == frames(2)

    def test_closed_ones_go_before_one_that_is_being_written_whatever_their_age(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disk_quota, "_WORTH_LOSING", 1)
        house.running(ONE, 1, age=90)
        house.running(OTHER, 2)
        house.keeper(limit=2 * SEGMENT).round()
        assert house.bases(ONE) == [0]
        assert house.bases(OTHER) == [1]

    def test_what_goes_is_told(self, house: House, caplog: pytest.LogCaptureFixture) -> None:
        house.stopped(ONE, 4)
        keeper = house.keeper(limit=2 * SEGMENT)
        keeper.round()
        keeper.round()
        (told,) = [record.getMessage() for record in caplog.records]
        assert f"removed the oldest segments, {2 * SEGMENT} bytes" in told

    def test_it_holds_for_what_is_written_later(self, house: House, clock: Clock) -> None:
        house.running(ONE, 1)
        keeper = house.keeper(limit=3 * SEGMENT)
        keeper.round()
        for number in range(1, 6):
            house.bench.pump.call(house.bench.pump.rotate, ONE).result()
            house.prints(ONE, frames(10, number * 10, 100))
        keeper.note_change(ONE)
        keeper.round()
        assert house.bases(ONE) == [0, 1, 2, 3, 4, 5], "measured now and then only"
        clock.pass_by(5.1)
        keeper.round()
        assert house.bases(ONE) == [3, 4, 5]

    def test_a_journal_that_someone_removed_counts_no_more(self, house: House, clock: Clock) -> None:
        house.stopped(ONE, 4, age=90)
        house.stopped(OTHER, 3)
        keeper = house.keeper(limit=7 * SEGMENT)
        keeper.round()
        house.bench.data.remove_container(ONE)
        house.bench.data.sweep()
        house.stopped(THIRD, 4)
        clock.pass_by(31)
        keeper.round()
        keeper.round()
        assert house.bases(OTHER) == [0, 1, 2]
        assert house.bases(THIRD) == [0, 1, 2, 3]

    def test_a_journal_that_someone_removed_does_not_keep_others_from_going(self, house: House) -> None:
        house.stopped(ONE, 1, age=90)
        house.stopped(OTHER, 3)
        keeper = house.keeper(limit=None)
        keeper.round()
        house.bench.data.remove_container(ONE)
        keeper._quota._bounds = DiskBounds(limit=2 * SEGMENT, free=None, keep_stopped=None)
        keeper.round()
        keeper.round()
        assert len(house.bases(OTHER)) <= 2


class TestDiskFree:
    def test_others_are_made_room_for(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=3 * SEGMENT)
        house.keeper(free=5 * SEGMENT).round()
        assert house.bases(ONE) == [2, 3]

    def test_at_most_a_tenth_of_the_disk_is_left_free(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=SEGMENT, total=20 * SEGMENT)
        house.keeper(free=5 * SEGMENT).round()
        assert house.bases(ONE) == [1, 2, 3]

    def test_when_it_is_off_the_disk_may_fill_up(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=0)
        house.keeper(free=None).round()
        assert house.bases(ONE) == [0, 1, 2, 3]

    @pytest.mark.parametrize(("total", "least"), [(1 << 30, (1 << 30) // 100), (200 * SEGMENT, 2 * ROOM_TO_RESUME)])
    def test_where_lines_are_dropped_a_hundredth_of_the_disk_is_made_free(
        self, house: House, bench: Bench, monkeypatch: pytest.MonkeyPatch, total: int, least: int
    ) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=least - 2 * SEGMENT, total=total)
        monkeypatch.setattr(bench.pump, "room_errors", lambda: {errno.ENOSPC})
        house.keeper().round()
        assert house.bases(ONE) == [2, 3], "and no more than is short"

    @pytest.mark.parametrize("errors", [set(), {errno.ENOSPC}])
    def test_where_the_disk_has_room_none_is_made_whatever_a_journal_says(
        self, house: House, bench: Bench, monkeypatch: pytest.MonkeyPatch, errors: set[int]
    ) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30)
        monkeypatch.setattr(bench.pump, "room_errors", lambda: errors)
        house.keeper().round()
        assert house.bases(ONE) == [0, 1, 2, 3]

    def test_where_the_disk_does_not_tell_only_the_limit_holds(
        self, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(_: object) -> os.statvfs_result:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        house.stopped(ONE, 4)
        monkeypatch.setattr(os, "statvfs", refuse)
        keeper = house.keeper(limit=3 * SEGMENT, free=1 << 40)
        keeper.round()
        keeper.round()
        assert house.bases(ONE) == [1, 2, 3]
        warnings = [one.getMessage() for one in caplog.records if "how full the disk is" in one.getMessage()]
        assert len(warnings) >= 1
        assert [one.levelname for one in caplog.records if "how full" in one.getMessage()].count("WARNING") == 1

    @pytest.mark.parametrize("met", [errno.EDQUOT, errno.EIO, 0])
    def test_a_quota_that_is_met_beside_the_journals_too_gets_room_step_by_step(
        self, house: House, bench: Bench, monkeypatch: pytest.MonkeyPatch, met: int
    ) -> None:
        def allocate(*_: int) -> None:
            if met:
                raise OSError(met, os.strerror(met))

        house.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30)
        monkeypatch.setattr(disk_quota, "_FREED_FOR_A_QUOTA", SEGMENT)
        monkeypatch.setattr(bench.pump, "room_errors", lambda: {errno.EDQUOT})
        monkeypatch.setattr(os, "posix_fallocate", allocate)
        house.keeper().round()
        assert house.bases(ONE) == ([1, 2, 3] if met == errno.EDQUOT else [0, 1, 2, 3])

    def test_where_no_file_can_be_made_one_segment_goes_at_a_time(
        self, house: House, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30, files=1_000)
        monkeypatch.setattr(bench.pump, "room_errors", lambda: {errno.ENOSPC})
        house.keeper().round()
        assert house.bases(ONE) == [1, 2, 3]


class TestFsync:
    @pytest.fixture
    def synced(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Names of the files that were synced."""
        found: list[str] = []
        monkeypatch.setattr(os, "fsync", lambda fd: found.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name))
        return found

    def test_the_newest_segment_is_synced_at_intervals(self, house: House, clock: Clock, synced: list[str]) -> None:
        house.running(ONE, 2, age=60, fsync_interval="10s")
        keeper = house.keeper()
        keeper.round()
        newest = [f"{SEGMENT:020}.log"]
        assert synced == newest
        clock.pass_by(9)
        keeper.round()
        assert synced == newest
        clock.pass_by(1.1)
        keeper.round()
        assert synced == newest * 2

    def test_none_is_synced_unless_that_is_wanted_or_once_the_container_has_stopped(
        self, house: House, synced: list[str]
    ) -> None:
        house.running(ONE, 2)
        house.stopped(OTHER, 2, age=60, fsync_interval="1s")
        house.keeper().round()
        assert synced == []

    def test_what_was_written_to_a_segment_before_it_was_closed_is_synced_too(
        self, house: House, clock: Clock, synced: list[str]
    ) -> None:
        house.running(ONE, 1, age=60, fsync_interval="10s")
        keeper = house.keeper()
        keeper.round()
        assert synced == [f"{0:020}.log"]
        house.prints(ONE, frames(10, 10, 100))
        assert house.bench.pump.call(house.bench.pump.rotate, ONE).result()
        keeper.note_rotation(ONE)
        clock.pass_by(10.1)
        keeper.round()
        assert synced[1:] == [f"{0:020}.log", f"{2 * SEGMENT:020}.log"]

    def test_the_last_lines_of_a_container_are_synced_once_more(
        self, house: House, clock: Clock, synced: list[str]
    ) -> None:
        house.running(ONE, 1, age=60, fsync_interval="10s")
        keeper = house.keeper()
        keeper.round()
        house.prints(ONE, frames(10, 10, 100))
        house.stops(ONE)
        keeper.note_rotation(ONE)
        keeper.round()
        assert synced == [f"{0:020}.log"] * 2, "at once, whatever the interval"
        time.sleep(0.15)  # the file system's clock stands still for less
        keeper.round()
        done = len(synced)
        clock.pass_by(60)
        keeper.round()
        assert len(synced) == done

    def test_a_failure_is_told_and_costs_no_other_its_sync_nor_the_bounds(
        self, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tried: list[str] = []

        def fail(descriptor: int) -> None:
            tried.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            raise OSError(5, "Input/output error")

        for container in (ONE, OTHER):
            house.running(container, 1, fsync_interval="1s")
        house.stopped(THIRD, 2)
        monkeypatch.setattr(os, "fsync", fail)
        house.keeper(limit=2 * SEGMENT).round()
        assert len(tried) == 2
        assert "Input/output error" in caplog.text
        assert house.bench.data.container_ids() == [ONE, OTHER]


class TestTrouble:
    def test_one_journals_does_not_stop_the_others(
        self, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for container in (ONE, OTHER):
            house.stopped(container, 3, max_file="1")
        remove_unless_broken(monkeypatch, ONE)
        house.keeper().round()
        assert house.bases(ONE) == [0, 1, 2]
        assert house.bases(OTHER) == [2]
        assert f"retention failed for container name-11 ({ONE[:12]}): " in caplog.text

    def test_one_that_cannot_be_removed_does_not_keep_others_from_making_room(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.running(ONE, 3, age=90)
        house.running(OTHER, 3)
        remove_unless_broken(monkeypatch, ONE)
        house.keeper(limit=5 * SEGMENT).round()
        assert house.bases(OTHER) == [1, 2]

    def test_a_defect_does_not_end_the_thread(
        self, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        rounds = threading.Semaphore(0)

        def fail() -> None:
            rounds.release()
            raise RuntimeError("a defect")

        keeper = house.keeper()
        monkeypatch.setattr(keeper, "round", fail)
        keeper.start()
        for _ in range(2):
            assert rounds.acquire(timeout=120)
            keeper.note_rotation(ONE)
        keeper.stop()
        keeper.join()
        assert "housekeeping failed; retrying" in caplog.text


class TestQuiet:
    """A journal that does not grow costs nothing until its time has come, or a sink that needs it goes on."""

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The containers whose journals are looked into."""
        seen: list[str] = []
        original = note_module.read_note

        def read_note(folder: Path) -> JournalNote | None:
            seen.append(folder.name)
            return original(folder)

        monkeypatch.setattr(retention, "read_note", read_note)
        return seen

    @pytest.fixture
    def waiting(self, house: House) -> Path:
        """The journal of a container that stopped long ago, which a sink needs; its cursor was written a while ago."""
        house.stopped(ONE, 2, 9 * DAY, http_url="http://127.0.0.1:9/", compress="true")
        folder = house.bench.data.container(ONE)
        write_cursor(folder, "http", Cursor(offset=0, resume=0))
        os.utime(cursor_path(folder, "http"), (1_000_000_000, 1_000_000_000))
        return folder

    def test_it_is_not_looked_at_again_whether_delivered_or_not(
        self, house: House, clock: Clock, read: list[str], waiting: Path
    ) -> None:
        house.stopped(OTHER, 2, max_age="48h")
        house.running(THIRD, 2)
        keeper = house.keeper(keep_stopped=DAY)
        keeper.round()
        assert sorted(read) == [waiting.name, OTHER, THIRD]
        read.clear()
        clock.pass_by(60)
        keeper.round()
        assert read == []

    def test_a_sink_that_needs_it_goes_on(self, house: House, clock: Clock, read: list[str], waiting: Path) -> None:
        keeper = house.keeper()
        keeper.round()
        write_cursor(waiting, "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        clock.pass_by(6)
        keeper.round()
        assert read == [ONE, ONE]
        assert keeper._journals[ONE].undelivered == SEGMENT

    def test_a_container_that_has_not_printed_yet_is_looked_at_when_it_ends(
        self, house: House, clock: Clock, read: list[str]
    ) -> None:
        keeper = house.keeper()
        house.bench.on_change = keeper.note_change
        house.runs_again(ONE)
        folder = house.bench.data.container(ONE)
        folder.mkdir()
        write_cursor(folder, "http", Cursor(offset=0, resume=0))
        for _ in range(3):
            keeper.round()
            clock.pass_by(60)
        assert read == [ONE]
        house.stops(ONE)
        keeper.round()
        assert house.bench.data.container_ids() == []

    def test_whose_container_ends_while_a_round_begins_is_looked_at_as_stopped(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.running(ONE, 2, age=9 * DAY)
        keeper = house.keeper(keep_stopped=DAY)
        house.bench.on_rotate = keeper.note_rotation
        list_due = keeper._due

        def end_meanwhile(now: float) -> list[str]:
            house.stops(ONE)
            for path in house.bench.data.container(ONE).glob("*.log"):
                os.utime(path, (1_000_000_000, 1_000_000_000))
            return list_due(now)

        monkeypatch.setattr(keeper, "_due", end_meanwhile)
        keeper.round()
        assert house.bench.data.container_ids() == []

    def test_a_gap_that_could_not_be_made_is_tried_again(
        self, house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch, waiting: Path
    ) -> None:
        gap_path(waiting, 3 * SEGMENT).touch()
        keeper = house.keeper()
        with monkeypatch.context() as patch:
            patch.setattr(house.bench.pump, "settle", lambda _: None)
            keeper.round()
        clock.pass_by(31)
        keeper.round()
        assert not list(waiting.glob("*.gap"))
        assert house.bases(ONE) == [0, 1, 3]

    def test_one_that_grows_again_or_stops_is_looked_at(self, house: House, clock: Clock, read: list[str]) -> None:
        keeper = house.keeper(keep_stopped=DAY)
        house.bench.on_change = house.bench.on_rotate = keeper.note_change
        house.running(ONE, 2)
        keeper.round()
        read.clear()
        house.prints(ONE, frames(1))
        clock.pass_by(60)
        keeper.round()
        assert read == [ONE]
        house.stops(ONE)
        clock.pass_by(60)
        keeper.round()
        assert read == [ONE, ONE]

    @pytest.mark.parametrize(("options", "keep_stopped"), [({}, DAY), ({"max_age": "24h"}, None)])
    def test_its_time_comes(
        self, house: House, clock: Clock, options: dict[str, str], keep_stopped: float | None
    ) -> None:
        house.stopped(ONE, 2, DAY - 60, **options)
        keeper = house.keeper(keep_stopped=keep_stopped)
        keeper.round()
        clock.pass_by(61)
        keeper.round()
        assert house.bench.data.container_ids() == []

    def test_its_oldest_segment_is_due_first(self, house: House, clock: Clock) -> None:
        house.running(ONE, 3, max_age="24h", max_size="20m", max_file="1")
        house.age(ONE, 0, DAY - 60)
        keeper = house.keeper()
        keeper.round()
        clock.pass_by(61)
        keeper.round()
        assert house.bases(ONE)[0] == 1

    def test_what_could_not_be_compressed_is_tried_again(
        self, house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.stopped(ONE, 3, compress="true")
        keeper = house.keeper()
        with monkeypatch.context() as patch:
            patch.setattr(retention, "compress_closed", lambda *_: (_ for _ in ()).throw(OSError("full")))
            keeper.round()
        clock.pass_by(60)
        keeper.round()
        assert [s.compressed for s in list_segments(house.bench.data.container(ONE))] == [True, True, False]


class TestThread:
    def test_it_sweeps_and_tidies_when_it_begins_and_when_a_journal_rotates(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds = threading.Semaphore(0)
        house.stopped(ONE, 3, max_file="2")
        house.stopped(OTHER, 1)
        house.bench.data.remove_container(OTHER)
        monkeypatch.setattr(housekeeper_module, "_TICK", 60.0)
        keeper = house.keeper()
        original = keeper.round
        monkeypatch.setattr(keeper, "round", after(original, rounds.release))
        keeper.start()
        assert rounds.acquire(timeout=120)
        assert house.bases(ONE) == [1, 2]
        assert [path.name for path in house.bench.data.containers.iterdir()] == [ONE]

        write_segments(house.bench.data.container(ONE), range(3, 4))
        keeper.note_rotation(ONE)
        assert rounds.acquire(timeout=120)
        assert house.bases(ONE) == [2, 3]
        keeper.stop()
        keeper.join()

    def test_it_is_nicer_than_the_process_and_never_less_nice(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found: list[int] = []
        monkeypatch.setattr(
            Housekeeper, "round", lambda _: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        )

        def begin(nice: int) -> None:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
            keeper = house.keeper()
            monkeypatch.setattr(keeper._wake, "wait", lambda _: keeper.stop())
            keeper.start()
            keeper.join()

        usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        for nice in (usual, 19):
            beginner = threading.Thread(target=begin, args=(nice,))
            beginner.start()
            beginner.join()
        assert found == [max(usual, 10), 19]


def after(function: Callable[..., None], then: Callable[[], object]) -> Callable[..., None]:
    """Make a function that does something more in the end."""

    def both(*arguments: object) -> None:
        function(*arguments)
        then()

    return both


def remove_unless_broken(monkeypatch: pytest.MonkeyPatch, container: str) -> None:
    """Let no segment of a container be removed."""

    def remove(use: SegmentUse, cause: Cause | None = None, *, at_once: bool = False) -> None:
        if f"/{container}/" in use.segment.path:
            raise OSError(5, "Input/output error")
        remove_segment(use, cause, at_once=at_once)

    for module in (journal_retention, disk_quota):
        monkeypatch.setattr(module, "remove_segment", remove)

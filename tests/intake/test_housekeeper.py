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
from plugin.journal import metadata as metadata_module
from plugin.journal import retention as journal_retention
from plugin.journal.cursors.store import Cursor, cursor_in, cursor_path, write_cursor
from plugin.journal.drop_mode import ROOM_TO_RESUME
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.losses import Cause
from plugin.journal.metadata import JournalMetadata, read_metadata
from plugin.journal.retention import SegmentUse, remove_segment
from tests.intake.housekeeper_harness import DAY, HOUR, SEGMENT, Housekeeping, disk, write_segments
from tests.intake.pump_harness import ONE, OTHER, THIRD, Clock, PumpHarness, frames
from tests.journal.entries import encode


class TestSurplus:
    def test_the_oldest_segments_beyond_max_file_go_with_their_index(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 5, max_file="2")
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [3, 4]
        assert len(list(housekeeping.harness.data.container(ONE).glob("*.idx"))) == 2

    def test_as_many_as_max_file_are_none_too_many(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, max_file="3")
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [0, 1, 2]

    def test_only_the_newest_few_corrupt_files_are_kept(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 1)
        for number in range(8):
            (housekeeping.harness.data.container(ONE) / f"{number:020}.corrupt").write_bytes(b"?")
        housekeeping.keeper().round()
        assert [int(path.stem) for path in sorted(housekeeping.harness.data.container(ONE).glob("*.corrupt"))] == [
            3,
            4,
            5,
            6,
            7,
        ]

    def test_a_damaged_note_keeps_all_and_is_told_once(
        self, housekeeping: Housekeeping, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        housekeeping.stopped(ONE, 5, age=9 * DAY, max_file="2")
        (housekeeping.harness.data.container(ONE) / "info.json").write_bytes(b'{"info": "\xff"}')
        keeper = housekeeping.keeper(keep_stopped=DAY)
        for _ in range(3):
            keeper.round()
            clock.pass_by(60)
        assert housekeeping.bases(ONE) == [0, 1, 2, 3, 4]
        assert caplog.text.count("log-opts unknown, keeping the journal") == 1

    def test_a_missing_note_keeps_all_and_is_told_once_when_it_is_late(
        self, housekeeping: Housekeeping, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        housekeeping.stopped(ONE, 5, max_file="2")
        housekeeping.running(OTHER, 1)
        for container in (ONE, OTHER):
            (housekeeping.harness.data.container(container) / "info.json").unlink()
        keeper = housekeeping.keeper(keep_stopped=DAY)
        keeper.round()
        assert "log-opts unknown" not in caplog.text, "it may be about to be written"
        for _ in range(3):
            clock.pass_by(61)
            keeper.round()
        assert housekeeping.bases(ONE) == [0, 1, 2, 3, 4]
        (told,) = [record.getMessage() for record in caplog.records]
        path = housekeeping.harness.data.container(ONE) / "info.json"
        assert told == f"container {ONE[:12]}: log-opts unknown, keeping the journal: {path} is missing"


class TestMaxAge:
    def test_older_segments_go_and_the_newest_stays_while_its_container_runs(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, max_age="1h")
        housekeeping.age(ONE, 0, HOUR + 1)
        housekeeping.age(ONE, 1, HOUR - 1)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [1, 2, 3], (
            "the last is empty: what was the newest is closed, so that it can go"
        )

    def test_a_journal_that_is_all_too_old_goes_when_its_container_has_stopped(
        self, housekeeping: Housekeeping
    ) -> None:
        housekeeping.stopped(ONE, 3, age=HOUR + 1, max_age="1h")
        housekeeping.stopped(OTHER, 3, age=HOUR - 1, max_age="1h")
        housekeeping.keeper().round()
        assert housekeeping.harness.data.container_ids() == [OTHER]
        assert [path.name for path in housekeeping.harness.data.containers.iterdir()] == [OTHER], "swept as well"

    def test_that_of_a_stopped_one_is_not_closed_so_that_its_journal_can_go_as_a_whole(
        self, housekeeping: Housekeeping
    ) -> None:
        housekeeping.stopped(ONE, 2, 0, max_age="1h", http_url="http://127.0.0.1:9/")
        write_cursor(housekeeping.harness.data.container(ONE), "http", Cursor(offset=0, resume=0))
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [0, 1]

    def test_the_newest_segment_of_a_running_container_is_closed_in_time_and_goes(
        self, housekeeping: Housekeeping, clock: Clock
    ) -> None:
        housekeeping.running(ONE, 0, max_age="1h", max_file="4")
        keeper = housekeeping.keeper()
        housekeeping.prints(ONE, encode([Entry("stdout", clock.wall, b"line")]))
        keeper.round()
        assert housekeeping.bases(ONE) == [0]

        clock.pass_by(HOUR // 4 - 5)
        keeper.round()
        assert len(housekeeping.bases(ONE)) == 1
        clock.pass_by(10)
        keeper.round()
        assert len(housekeeping.bases(ONE)) == 2, "closed when a share of max-age has passed"

        closed = list_segments(housekeeping.harness.data.container(ONE))[0]
        os.utime(closed.path, ns=(clock.wall, clock.wall))
        clock.pass_by(HOUR - 5)
        keeper.round()
        assert closed in list_segments(housekeeping.harness.data.container(ONE))
        clock.pass_by(10)
        keeper.round()
        assert closed not in list_segments(housekeeping.harness.data.container(ONE))

    def test_without_it_age_is_no_reason(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3, age=900 * DAY)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [0, 1, 2]


class TestKeepStopped:
    def test_what_was_seen_long_ago_goes(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 2, age=DAY + 1)
        housekeeping.stopped(OTHER, 2, age=DAY - 1)
        housekeeping.keeper(keep_stopped=DAY).round()
        assert housekeeping.harness.data.container_ids() == [OTHER]

    def test_never_that_of_a_container_that_runs(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, age=9 * DAY, max_file="2")
        housekeeping.keeper(keep_stopped=DAY).round()
        assert housekeeping.bases(ONE) == [1, 2], "and it is kept within its own options"

    def test_what_was_written_later_than_noted_stays(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 2, age=9 * DAY)
        housekeeping.age(ONE, 1, HOUR)
        housekeeping.keeper(keep_stopped=DAY).round()
        assert housekeeping.bases(ONE) == [0, 1]

    def test_an_entry_that_nothing_can_complete_does_not_keep_a_journal_for_ever(
        self, housekeeping: Housekeeping, clock: Clock
    ) -> None:
        housekeeping.stopped(ONE, 1, 9 * DAY, http_url="http://127.0.0.1:9/")
        folder = housekeeping.harness.data.container(ONE)
        write_cursor(folder, "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        with open(list_segments(folder)[0].path, "ab") as file:
            file.write(frames(1)[:7])
        housekeeping.age(ONE, 0, 9 * DAY)
        keeper = housekeeping.keeper(keep_stopped=DAY)
        keeper.round()
        clock.pass_by(2 * DAY)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == []

    def test_what_was_not_delivered_for_too_long_is_given_up_and_told(
        self, housekeeping: Housekeeping, caplog: pytest.LogCaptureFixture
    ) -> None:
        for container, age in ((ONE, 9 * DAY), (OTHER, 8 * DAY - 1)):
            housekeeping.stopped(container, 2, age, http_url="http://127.0.0.1:9/")
            write_cursor(housekeeping.harness.data.container(container), "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        keeper = housekeeping.keeper(keep_stopped=DAY, keep_undelivered=8 * DAY)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == [OTHER]
        assert f"sink http: gave up {SEGMENT} bytes" in caplog.text
        assert keeper.given_up_bytes == SEGMENT

    def test_what_is_given_up_may_still_be_read_back(self, housekeeping: Housekeeping, clock: Clock) -> None:
        housekeeping.stopped(ONE, 2, 7 * DAY, http_url="http://127.0.0.1:9/")
        folder = housekeeping.harness.data.container(ONE)
        write_cursor(folder, "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        keeper = housekeeping.keeper(keep_stopped=None, keep_undelivered=8 * DAY)
        keeper.round()
        assert keeper.given_up_bytes == 0
        clock.pass_by(2 * DAY)
        keeper.round()
        clock.pass_by(2 * DAY)
        keeper.round()
        assert housekeeping.bases(ONE) == [0, 1]
        assert keeper.given_up_bytes == SEGMENT, "once"
        cursor = cursor_in(folder, "http", read_metadata(folder).birth)  # type: ignore[union-attr]
        assert cursor is not None
        assert (cursor.offset, cursor.gap_bytes) == (2 * SEGMENT, SEGMENT)

    def test_a_container_that_runs_gives_nothing_up(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, age=9 * DAY, http_url="http://127.0.0.1:9/")
        keeper = housekeeping.keeper(keep_undelivered=DAY)
        keeper.round()
        assert keeper.given_up_bytes == 0
        assert housekeeping.bases(ONE) == [0, 1, 2]

    def test_when_it_is_off_they_stay(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 2, age=900 * DAY)
        housekeeping.keeper(keep_stopped=None).round()
        assert housekeeping.bases(ONE) == [0, 1]


class TestCompression:
    @pytest.mark.parametrize(("option", "expected"), [("true", [True, True, False]), ("false", [False] * 3)])
    def test_closed_segments_are_compressed_where_that_is_wanted(
        self, housekeeping: Housekeeping, option: str, expected: list[bool]
    ) -> None:
        housekeeping.stopped(ONE, 3, compress=option)
        housekeeping.keeper().round()
        assert [segment.compressed for segment in list_segments(housekeeping.harness.data.container(ONE))] == expected

    def test_a_failure_leaves_them_as_they_are(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: Path, __: int | None) -> int:
            raise OSError(28, "No space left on device")

        housekeeping.stopped(ONE, 4, compress="true", max_file="3")
        monkeypatch.setattr(retention, "compress_closed", refuse)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [1, 2, 3]


class TestDiskLimit:
    def test_within_it_all_stay(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 4)
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2, 3]

    def test_the_oldest_of_stopped_containers_go_first_as_many_as_needed(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3, age=90)
        housekeeping.stopped(OTHER, 3)
        housekeeping.stopped(THIRD, 3, age=10)
        housekeeping.age(OTHER, 0, 50)
        housekeeping.keeper(limit=7 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.bases(OTHER) == [1, 2]
        assert housekeeping.bases(THIRD) == [1, 2]

    def test_a_stopped_journal_of_which_the_newest_segment_must_go_goes_as_a_whole(
        self, housekeeping: Housekeeping
    ) -> None:
        housekeeping.running(ONE, 3)
        housekeeping.stopped(OTHER, 2, age=10)
        housekeeping.keeper(limit=3 * SEGMENT).round()
        assert housekeeping.harness.data.container_ids() == [ONE]
        assert housekeeping.bases(ONE) == [0, 1, 2]

    def test_then_closed_ones_of_running_containers(self, housekeeping: Housekeeping) -> None:
        housekeeping.running(ONE, 3)
        housekeeping.running(OTHER, 3, age=10)
        housekeeping.stopped(THIRD, 1)
        housekeeping.age(ONE, 0, 20)
        housekeeping.keeper(limit=4 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [1, 2]
        assert housekeeping.bases(OTHER) == [1, 2]
        assert housekeeping.bases(THIRD) == []

    def test_what_is_being_written_goes_last_and_only_where_it_is_worth_it(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.running(ONE, 3)
        housekeeping.prints(ONE, frames(1))
        housekeeping.keeper(limit=0).round()
        (newest,) = list_segments(housekeeping.harness.data.container(ONE))
        assert newest.base == 2 * SEGMENT

        monkeypatch.setattr(disk_quota, "_WORTH_LOSING", 1)
        housekeeping.keeper(limit=0).round()
        assert [segment.base > newest.base for segment in list_segments(housekeeping.harness.data.container(ONE))] == [
            True
        ]
        housekeeping.prints(ONE, frames(2))
        assert housekeeping.harness.written() == frames(2)

    def test_closed_ones_go_before_one_that_is_being_written_whatever_their_age(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disk_quota, "_WORTH_LOSING", 1)
        housekeeping.running(ONE, 1, age=90)
        housekeeping.running(OTHER, 2)
        housekeeping.keeper(limit=2 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [0]
        assert housekeeping.bases(OTHER) == [1]

    def test_what_goes_is_told(self, housekeeping: Housekeeping, caplog: pytest.LogCaptureFixture) -> None:
        housekeeping.stopped(ONE, 4)
        keeper = housekeeping.keeper(limit=2 * SEGMENT)
        keeper.round()
        keeper.round()
        (told,) = [record.getMessage() for record in caplog.records]
        assert f"removed the oldest segments, {2 * SEGMENT} bytes" in told

    def test_it_holds_for_what_is_written_later(self, housekeeping: Housekeeping, clock: Clock) -> None:
        housekeeping.running(ONE, 1)
        keeper = housekeeping.keeper(limit=3 * SEGMENT)
        keeper.round()
        for number in range(1, 6):
            housekeeping.harness.pump.call(housekeeping.harness.pump.rotate, ONE).result()
            housekeeping.prints(ONE, frames(10, number * 10, 100))
        keeper.note_change(ONE)
        keeper.round()
        assert housekeeping.bases(ONE) == [0, 1, 2, 3, 4, 5], "measured now and then only"
        clock.pass_by(5.1)
        keeper.round()
        assert housekeeping.bases(ONE) == [3, 4, 5]

    def test_a_journal_that_someone_removed_counts_no_more(self, housekeeping: Housekeeping, clock: Clock) -> None:
        housekeeping.stopped(ONE, 4, age=90)
        housekeeping.stopped(OTHER, 3)
        keeper = housekeeping.keeper(limit=7 * SEGMENT)
        keeper.round()
        housekeeping.harness.data.remove_container(ONE)
        housekeeping.harness.data.sweep()
        housekeeping.stopped(THIRD, 4)
        clock.pass_by(31)
        keeper.round()
        keeper.round()
        assert housekeeping.bases(OTHER) == [0, 1, 2]
        assert housekeeping.bases(THIRD) == [0, 1, 2, 3]

    def test_a_journal_that_someone_removed_does_not_keep_others_from_going(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 1, age=90)
        housekeeping.stopped(OTHER, 3)
        keeper = housekeeping.keeper(limit=None)
        keeper.round()
        housekeeping.harness.data.remove_container(ONE)
        keeper._quota._bounds = DiskBounds(limit=2 * SEGMENT, free=None, keep_stopped=None)
        keeper.round()
        keeper.round()
        assert len(housekeeping.bases(OTHER)) <= 2


class TestDiskFree:
    def test_others_are_made_room_for(self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=3 * SEGMENT)
        housekeeping.keeper(free=5 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [2, 3]

    def test_at_most_a_tenth_of_the_disk_is_left_free(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=SEGMENT, total=20 * SEGMENT)
        housekeeping.keeper(free=5 * SEGMENT).round()
        assert housekeeping.bases(ONE) == [1, 2, 3]

    def test_when_it_is_off_the_disk_may_fill_up(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=0)
        housekeeping.keeper(free=None).round()
        assert housekeeping.bases(ONE) == [0, 1, 2, 3]

    @pytest.mark.parametrize(("total", "least"), [(1 << 30, (1 << 30) // 100), (200 * SEGMENT, 2 * ROOM_TO_RESUME)])
    def test_where_lines_are_dropped_a_hundredth_of_the_disk_is_made_free(
        self, housekeeping: Housekeeping, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, total: int, least: int
    ) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=least - 2 * SEGMENT, total=total)
        monkeypatch.setattr(harness.pump, "room_errors", lambda: {errno.ENOSPC})
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [2, 3], "and no more than is short"

    @pytest.mark.parametrize("errors", [set(), {errno.ENOSPC}])
    def test_where_the_disk_has_room_none_is_made_whatever_a_journal_says(
        self, housekeeping: Housekeeping, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, errors: set[int]
    ) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30)
        monkeypatch.setattr(harness.pump, "room_errors", lambda: errors)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [0, 1, 2, 3]

    def test_where_the_disk_does_not_tell_only_the_limit_holds(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(_: object) -> os.statvfs_result:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        housekeeping.stopped(ONE, 4)
        monkeypatch.setattr(os, "statvfs", refuse)
        keeper = housekeeping.keeper(limit=3 * SEGMENT, free=1 << 40)
        keeper.round()
        keeper.round()
        assert housekeeping.bases(ONE) == [1, 2, 3]
        warnings = [one.getMessage() for one in caplog.records if "how full the disk is" in one.getMessage()]
        assert len(warnings) >= 1
        assert [one.levelname for one in caplog.records if "how full" in one.getMessage()].count("WARNING") == 1

    @pytest.mark.parametrize("met", [errno.EDQUOT, errno.EIO, 0])
    def test_a_quota_that_is_met_beside_the_journals_too_gets_room_step_by_step(
        self, housekeeping: Housekeeping, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, met: int
    ) -> None:
        def allocate(*_: int) -> None:
            if met:
                raise OSError(met, os.strerror(met))

        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30)
        monkeypatch.setattr(disk_quota, "_FREED_FOR_A_QUOTA", SEGMENT)
        monkeypatch.setattr(harness.pump, "room_errors", lambda: {errno.EDQUOT})
        monkeypatch.setattr(os, "posix_fallocate", allocate)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == ([1, 2, 3] if met == errno.EDQUOT else [0, 1, 2, 3])

    def test_where_no_file_can_be_made_one_segment_goes_at_a_time(
        self, housekeeping: Housekeeping, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.stopped(ONE, 4)
        disk(monkeypatch, available=1 << 29, total=1 << 30, files=1_000)
        monkeypatch.setattr(harness.pump, "room_errors", lambda: {errno.ENOSPC})
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [1, 2, 3]


class TestFsync:
    @pytest.fixture
    def synced(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Names of the files that were synced."""
        found: list[str] = []
        monkeypatch.setattr(os, "fsync", lambda fd: found.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name))
        return found

    def test_the_newest_segment_is_synced_at_intervals(
        self, housekeeping: Housekeeping, clock: Clock, synced: list[str]
    ) -> None:
        housekeeping.running(ONE, 2, age=60, fsync_interval="10s")
        keeper = housekeeping.keeper()
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
        self, housekeeping: Housekeeping, synced: list[str]
    ) -> None:
        housekeeping.running(ONE, 2)
        housekeeping.stopped(OTHER, 2, age=60, fsync_interval="1s")
        housekeeping.keeper().round()
        assert synced == []

    def test_what_was_written_to_a_segment_before_it_was_closed_is_synced_too(
        self, housekeeping: Housekeeping, clock: Clock, synced: list[str]
    ) -> None:
        housekeeping.running(ONE, 1, age=60, fsync_interval="10s")
        keeper = housekeeping.keeper()
        keeper.round()
        assert synced == [f"{0:020}.log"]
        housekeeping.prints(ONE, frames(10, 10, 100))
        assert housekeeping.harness.pump.call(housekeeping.harness.pump.rotate, ONE).result()
        keeper.note_rotation(ONE)
        clock.pass_by(10.1)
        keeper.round()
        assert synced[1:] == [f"{0:020}.log", f"{2 * SEGMENT:020}.log"]

    def test_the_last_lines_of_a_container_are_synced_once_more(
        self, housekeeping: Housekeeping, clock: Clock, synced: list[str]
    ) -> None:
        housekeeping.running(ONE, 1, age=60, fsync_interval="10s")
        keeper = housekeeping.keeper()
        keeper.round()
        housekeeping.prints(ONE, frames(10, 10, 100))
        housekeeping.stops(ONE)
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
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tried: list[str] = []

        def fail(descriptor: int) -> None:
            tried.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            raise OSError(5, "Input/output error")

        for container in (ONE, OTHER):
            housekeeping.running(container, 1, fsync_interval="1s")
        housekeeping.stopped(THIRD, 2)
        monkeypatch.setattr(os, "fsync", fail)
        housekeeping.keeper(limit=2 * SEGMENT).round()
        assert len(tried) == 2
        assert "Input/output error" in caplog.text
        assert housekeeping.harness.data.container_ids() == [ONE, OTHER]


class TestTrouble:
    def test_one_journals_does_not_stop_the_others(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for container in (ONE, OTHER):
            housekeeping.stopped(container, 3, max_file="1")
        remove_unless_broken(monkeypatch, ONE)
        housekeeping.keeper().round()
        assert housekeeping.bases(ONE) == [0, 1, 2]
        assert housekeeping.bases(OTHER) == [2]
        assert f"retention failed for container name-11 ({ONE[:12]}): " in caplog.text

    def test_one_that_cannot_be_removed_does_not_keep_others_from_making_room(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.running(ONE, 3, age=90)
        housekeeping.running(OTHER, 3)
        remove_unless_broken(monkeypatch, ONE)
        housekeeping.keeper(limit=5 * SEGMENT).round()
        assert housekeeping.bases(OTHER) == [1, 2]

    def test_a_defect_does_not_end_the_thread(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        rounds = threading.Semaphore(0)

        def fail() -> None:
            rounds.release()
            raise RuntimeError("a defect")

        keeper = housekeeping.keeper()
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
        original = metadata_module.read_metadata

        def read_metadata(folder: Path) -> JournalMetadata | None:
            seen.append(folder.name)
            return original(folder)

        monkeypatch.setattr(retention, "read_metadata", read_metadata)
        return seen

    @pytest.fixture
    def waiting(self, housekeeping: Housekeeping) -> Path:
        """The journal of a container that stopped long ago, which a sink needs; its cursor was written a while ago."""
        housekeeping.stopped(ONE, 2, 9 * DAY, http_url="http://127.0.0.1:9/", compress="true")
        folder = housekeeping.harness.data.container(ONE)
        write_cursor(folder, "http", Cursor(offset=0, resume=0))
        os.utime(cursor_path(folder, "http"), (1_000_000_000, 1_000_000_000))
        return folder

    def test_it_is_not_looked_at_again_whether_delivered_or_not(
        self, housekeeping: Housekeeping, clock: Clock, read: list[str], waiting: Path
    ) -> None:
        housekeeping.stopped(OTHER, 2, max_age="48h")
        housekeeping.running(THIRD, 2)
        keeper = housekeeping.keeper(keep_stopped=DAY)
        keeper.round()
        assert sorted(read) == [waiting.name, OTHER, THIRD]
        read.clear()
        clock.pass_by(60)
        keeper.round()
        assert read == []

    def test_a_sink_that_needs_it_goes_on(
        self, housekeeping: Housekeeping, clock: Clock, read: list[str], waiting: Path
    ) -> None:
        keeper = housekeeping.keeper()
        keeper.round()
        write_cursor(waiting, "http", Cursor(offset=SEGMENT, resume=SEGMENT))
        clock.pass_by(6)
        keeper.round()
        assert read == [ONE, ONE]
        assert keeper._journals[ONE].undelivered == SEGMENT

    def test_a_container_that_has_not_printed_yet_is_looked_at_when_it_ends(
        self, housekeeping: Housekeeping, clock: Clock, read: list[str]
    ) -> None:
        keeper = housekeeping.keeper()
        housekeeping.harness.on_change = keeper.note_change
        housekeeping.runs_again(ONE)
        folder = housekeeping.harness.data.container(ONE)
        folder.mkdir()
        write_cursor(folder, "http", Cursor(offset=0, resume=0))
        for _ in range(3):
            keeper.round()
            clock.pass_by(60)
        assert read == [ONE]
        housekeeping.stops(ONE)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == []

    def test_whose_container_ends_while_a_round_begins_is_looked_at_as_stopped(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.running(ONE, 2, age=9 * DAY)
        keeper = housekeeping.keeper(keep_stopped=DAY)
        housekeeping.harness.on_rotate = keeper.note_rotation
        list_due = keeper._due

        def end_meanwhile(now: float) -> list[str]:
            housekeeping.stops(ONE)
            for path in housekeeping.harness.data.container(ONE).glob("*.log"):
                os.utime(path, (1_000_000_000, 1_000_000_000))
            return list_due(now)

        monkeypatch.setattr(keeper, "_due", end_meanwhile)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == []

    def test_a_gap_that_could_not_be_made_is_tried_again(
        self, housekeeping: Housekeeping, clock: Clock, monkeypatch: pytest.MonkeyPatch, waiting: Path
    ) -> None:
        gap_path(waiting, 3 * SEGMENT).touch()
        keeper = housekeeping.keeper()
        with monkeypatch.context() as patch:
            patch.setattr(housekeeping.harness.pump, "settle", lambda _: None)
            keeper.round()
        clock.pass_by(31)
        keeper.round()
        assert not list(waiting.glob("*.gap"))
        assert housekeeping.bases(ONE) == [0, 1, 3]

    def test_one_that_grows_again_or_stops_is_looked_at(
        self, housekeeping: Housekeeping, clock: Clock, read: list[str]
    ) -> None:
        keeper = housekeeping.keeper(keep_stopped=DAY)
        housekeeping.harness.on_change = housekeeping.harness.on_rotate = keeper.note_change
        housekeeping.running(ONE, 2)
        keeper.round()
        read.clear()
        housekeeping.prints(ONE, frames(1))
        clock.pass_by(60)
        keeper.round()
        assert read == [ONE]
        housekeeping.stops(ONE)
        clock.pass_by(60)
        keeper.round()
        assert read == [ONE, ONE]

    @pytest.mark.parametrize(("options", "keep_stopped"), [({}, DAY), ({"max_age": "24h"}, None)])
    def test_its_time_comes(
        self, housekeeping: Housekeeping, clock: Clock, options: dict[str, str], keep_stopped: float | None
    ) -> None:
        housekeeping.stopped(ONE, 2, DAY - 60, **options)
        keeper = housekeeping.keeper(keep_stopped=keep_stopped)
        keeper.round()
        clock.pass_by(61)
        keeper.round()
        assert housekeeping.harness.data.container_ids() == []

    def test_its_oldest_segment_is_due_first(self, housekeeping: Housekeeping, clock: Clock) -> None:
        housekeeping.running(ONE, 3, max_age="24h", max_size="20m", max_file="1")
        housekeeping.age(ONE, 0, DAY - 60)
        keeper = housekeeping.keeper()
        keeper.round()
        clock.pass_by(61)
        keeper.round()
        assert housekeeping.bases(ONE)[0] == 1

    def test_what_could_not_be_compressed_is_tried_again(
        self, housekeeping: Housekeeping, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        housekeeping.stopped(ONE, 3, compress="true")
        keeper = housekeeping.keeper()
        with monkeypatch.context() as patch:
            patch.setattr(retention, "compress_closed", lambda *_: (_ for _ in ()).throw(OSError("full")))
            keeper.round()
        clock.pass_by(60)
        keeper.round()
        assert [s.compressed for s in list_segments(housekeeping.harness.data.container(ONE))] == [True, True, False]


class TestThread:
    def test_it_sweeps_and_tidies_when_it_begins_and_when_a_journal_rotates(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds = threading.Semaphore(0)
        housekeeping.stopped(ONE, 3, max_file="2")
        housekeeping.stopped(OTHER, 1)
        housekeeping.harness.data.remove_container(OTHER)
        monkeypatch.setattr(housekeeper_module, "_TICK", 60.0)
        keeper = housekeeping.keeper()
        original = keeper.round
        monkeypatch.setattr(keeper, "round", after(original, rounds.release))
        keeper.start()
        assert rounds.acquire(timeout=120)
        assert housekeeping.bases(ONE) == [1, 2]
        assert [path.name for path in housekeeping.harness.data.containers.iterdir()] == [ONE]

        write_segments(housekeeping.harness.data.container(ONE), range(3, 4))
        keeper.note_rotation(ONE)
        assert rounds.acquire(timeout=120)
        assert housekeeping.bases(ONE) == [2, 3]
        keeper.stop()
        keeper.join()

    def test_it_is_nicer_than_the_process_and_never_less_nice(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found: list[int] = []
        monkeypatch.setattr(
            Housekeeper, "round", lambda _: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        )

        def begin(nice: int) -> None:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
            keeper = housekeeping.keeper()
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

"""Containers without streams: a journal goes only as it was seen by whoever wants it to go."""

from collections.abc import Callable, Sequence

import pytest

from plugin.intake import disk_quota
from plugin.journal.cursors.store import Cursor, write_cursor
from plugin.journal.retention import SegmentUse, measure, remove_segment
from tests.intake.housekeeper_harness import DAY, HOUR, Housekeeping
from tests.intake.pump_harness import ONE, OTHER, frames


def never_printed(housekeeping: Housekeeping) -> None:
    folder = housekeeping.harness.data.container(ONE)
    folder.mkdir()
    write_cursor(folder, "http", Cursor(offset=0, resume=0))
    housekeeping.keeper().round()


def stopped_long_ago(housekeeping: Housekeeping) -> None:
    housekeeping.stopped(ONE, 2, age=2 * DAY)
    housekeeping.keeper(keep_stopped=DAY).round()


def older_than_max_age(housekeeping: Housekeeping) -> None:
    housekeeping.stopped(ONE, 2, age=2 * HOUR, max_age="1h")
    housekeeping.keeper().round()


def for_want_of_room(housekeeping: Housekeeping) -> None:
    housekeeping.stopped(ONE, 2)
    housekeeping.keeper(limit=0).round()


def emptied_and_one_of_too_many(housekeeping: Housekeeping) -> None:
    housekeeping.stopped(ONE, 1, http_url="http://127.0.0.1:9/")
    write_cursor(housekeeping.harness.data.container(ONE), "http", Cursor(offset=0, resume=0))
    keeper = housekeeping.keeper(limit=0)
    keeper.round()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_quota, "_EMPTIED_AT_MOST", 0)
        housekeeping.stopped(OTHER, 1)
        keeper._next_visit = 0
        keeper.round()


REASONS = [never_printed, stopped_long_ago, older_than_max_age, for_want_of_room, emptied_and_one_of_too_many]


class TestRemoval:
    @pytest.mark.parametrize("want_it_to_go", REASONS)
    def test_a_container_that_prints_and_ends_before_it_keeps_its_lines_whatever_the_reason(
        self, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch, want_it_to_go: Callable[[Housekeeping], None]
    ) -> None:
        harness = housekeeping.harness
        remove = harness.pump.remove
        lines = frames(3, start=1_000)
        asked = []

        def remove_too_late(container_id: str, seen: Sequence[SegmentUse]) -> bool:
            asked.append(container_id)
            if container_id == ONE:
                fifo = harness.fifo("late")
                harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open())
                fifo.write(lines)
                harness.pump.detach(fifo.name)
            return remove(container_id, seen)

        monkeypatch.setattr(harness.pump, "remove", remove_too_late)
        want_it_to_go(housekeeping)
        assert ONE in asked
        assert harness.written(ONE).endswith(lines)

    @pytest.mark.parametrize("want_it_to_go", REASONS)
    def test_else_it_goes(self, housekeeping: Housekeeping, want_it_to_go: Callable[[Housekeeping], None]) -> None:
        want_it_to_go(housekeeping)
        assert ONE not in housekeeping.harness.data.container_ids()

    def test_what_retention_has_taken_from_its_beginning_does_not_keep_it(self, housekeeping: Housekeeping) -> None:
        housekeeping.stopped(ONE, 3)
        seen = measure(housekeeping.harness.data.container(ONE))
        remove_segment(seen[0])
        assert housekeeping.harness.pump.remove(ONE, seen)

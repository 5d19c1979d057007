"""Containers without streams: a journal goes only as it was seen by whoever wants it to go."""

from collections.abc import Callable, Sequence

import pytest

from plugin.intake import disk_quota
from plugin.journal.cursors.store import Cursor, write_cursor
from plugin.journal.retention import SegmentUse, measure, remove_segment
from tests.intake.housekeeping_bench import DAY, HOUR, House
from tests.intake.pump_bench import ONE, OTHER, frames


def never_printed(house: House) -> None:
    folder = house.bench.data.container(ONE)
    folder.mkdir()
    write_cursor(folder, "http", Cursor(offset=0, resume=0))
    house.keeper().round()


def stopped_long_ago(house: House) -> None:
    house.stopped(ONE, 2, age=2 * DAY)
    house.keeper(keep_stopped=DAY).round()


def older_than_max_age(house: House) -> None:
    house.stopped(ONE, 2, age=2 * HOUR, max_age="1h")
    house.keeper().round()


def for_want_of_room(house: House) -> None:
    house.stopped(ONE, 2)
    house.keeper(limit=0).round()


def emptied_and_one_of_too_many(house: House) -> None:
    house.stopped(ONE, 1, http_url="http://127.0.0.1:9/")
    write_cursor(house.bench.data.container(ONE), "http", Cursor(offset=0, resume=0))
    keeper = house.keeper(limit=0)
    keeper.round()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_quota, "_EMPTIED_AT_MOST", 0)
        house.stopped(OTHER, 1)
        keeper._next_visit = 0
        keeper.round()


REASONS = [never_printed, stopped_long_ago, older_than_max_age, for_want_of_room, emptied_and_one_of_too_many]


class TestRemoval:
    @pytest.mark.parametrize("want_it_to_go", REASONS)
    def test_a_container_that_prints_and_ends_before_it_keeps_its_lines_whatever_the_reason(
        self, house: House, monkeypatch: pytest.MonkeyPatch, want_it_to_go: Callable[[House], None]
    ) -> None:
        bench = house.bench
        remove = bench.pump.remove
        lines = frames(3, start=1_000)
        asked = []

        def remove_too_late(container_id: str, seen: Sequence[SegmentUse]) -> bool:
            asked.append(container_id)
            if container_id == ONE:
                fifo = bench.fifo("late")
                bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open())
                fifo.write(lines)
                bench.pump.detach(fifo.name)
            return remove(container_id, seen)

        monkeypatch.setattr(bench.pump, "remove", remove_too_late)
        want_it_to_go(house)
        assert ONE in asked
        assert bench.written(ONE).endswith(lines)

    @pytest.mark.parametrize("want_it_to_go", REASONS)
    def test_else_it_goes(self, house: House, want_it_to_go: Callable[[House], None]) -> None:
        want_it_to_go(house)
        assert ONE not in house.bench.data.container_ids()

    def test_what_retention_has_taken_from_its_beginning_does_not_keep_it(self, house: House) -> None:
        house.stopped(ONE, 3)
        seen = measure(house.bench.data.container(ONE))
        remove_segment(seen[0])
        assert house.bench.pump.remove(ONE, seen)

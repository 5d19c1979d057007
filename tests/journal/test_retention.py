from pathlib import Path

from plugin.journal.layout import Segment
from plugin.journal.retention import SegmentUse, undelivered


def use(base: int, end: int | None, size: int) -> SegmentUse:
    return SegmentUse(Segment(base, str(Path(f"{base:020}.log")), compressed=False), end, size, modified=0)


SEGMENTS = [use(100, 200, 100), use(200, 300, 100), use(300, None, 50)]


def test_undelivered_is_what_lies_behind_the_floor() -> None:
    assert undelivered(SEGMENTS, 350) == 0
    assert undelivered(SEGMENTS, 250) == 100
    assert undelivered(SEGMENTS, 100) == 250


def test_what_was_dropped_already_is_not_counted_again() -> None:
    assert undelivered(SEGMENTS, 0) == 250


def test_without_a_sink_nothing_is_undelivered() -> None:
    assert undelivered(SEGMENTS, None) == 0
    assert undelivered([], 0) == 0

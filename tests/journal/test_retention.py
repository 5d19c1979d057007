from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from plugin.journal.layout import Segment
from plugin.journal.losses import Cause, read_losses
from plugin.journal.retention import (
    LEAST_SEGMENT,
    SegmentUse,
    remove_segments,
    segment_size,
    surplus,
    undelivered,
)


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


class TestSurplus:
    """What goes is the oldest beyond max-size × max-file, which counts bytes."""

    def test_of_full_segments_so_many_are_kept_as_max_file_says(self) -> None:
        assert surplus(row(100, 100, 100, 100, 5), max_size=100, max_file=3) == row(100, 100, 100, 100, 5)[:2]
        assert surplus(row(100, 100, 5), max_size=100, max_file=1) == row(100, 100, 5)[:2]
        assert surplus(row(100, 100, 99), max_size=100, max_file=3) == []

    def test_those_that_were_closed_early_count_by_their_bytes(self) -> None:
        """As where garbage was set aside: each piece of it begins another segment."""
        segments = row(100, 100, 1, 1, 1, 1, 5)
        assert surplus(segments, max_size=100, max_file=3) == []
        assert surplus(segments, max_size=100, max_file=2) == segments[:1]

    def test_segments_that_are_larger_than_max_size_hold_what_several_would(self) -> None:
        large = LEAST_SEGMENT
        assert surplus(row(large, large, large, 5), max_size=100, max_file=5) == row(large, large, large, 5)[:2]
        assert surplus(row(large, large, 500), max_size=100, max_file=5) == row(large, large, 500)[:2]
        assert surplus(row(large, 499), max_size=100, max_file=5) == []

    def test_what_is_missing_behind_one_does_not_count(self) -> None:
        segments = [use(0, 10_000, 100), use(10_000, 20_000, 100), use(20_000, None, 5)]
        assert surplus(segments, max_size=100, max_file=3) == []

    def test_what_a_sink_needs_stays(self) -> None:
        assert surplus(row(100, 100, 100, 5), max_size=100, max_file=1, floor=100) == row(100, 100, 100, 5)[:1]


@given(st.lists(st.integers(1, 3 * LEAST_SEGMENT), max_size=8), st.integers(1, 2 * LEAST_SEGMENT), st.integers(1, 6))
def test_the_bound_holds_over_all_segments(sizes: list[int], max_size: int, max_file: int) -> None:
    size = segment_size(max_size)
    segments = row(*(min(one, size) for one in sizes))
    kept = segments[len(surplus(segments, max_size, max_file)) :]
    assert sum(one.bytes for one in kept) <= max_size * max_file + size
    assert sum(one.bytes for one in kept) >= min(sum(one.bytes for one in segments), max_size * (max_file - 1))


def test_a_run_of_segments_is_one_loss(tmp_path: Path) -> None:
    segments = [
        SegmentUse(Segment(one.segment.base, str(tmp_path / one.segment.path), compressed=False), one.end, one.bytes, 0)
        for one in [*row(100, 100, 100), use(500, 600, 100), use(600, None, 5)]
    ]
    remove_segments([segments[0], segments[1], segments[3]], Cause.RETENTION)
    assert [(loss.start, loss.end) for loss in read_losses(tmp_path)] == [(0, 200), (500, 600)]


def row(*sizes: int) -> list[SegmentUse]:
    """Make segments of these sizes that follow each other; the last one is the newest."""
    made, base = [], 0
    for number, size in enumerate(sizes, 1):
        made.append(use(base, base + size if number < len(sizes) else None, size))
        base += size
    return made

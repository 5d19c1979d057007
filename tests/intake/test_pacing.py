"""Pauses between readings: long while little comes, short enough that a pipe does not fill up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.intake.pacing import LONGEST_PAUSE, Pace

CAPACITY = 1 << 20
OVERHEAD = 0.0004  # seconds that a reading takes


def run(pace: Pace, rates: list[float], holds: int = CAPACITY, now: float = 0.0) -> list[tuple[float, int]]:
    """Read a pipe that fills at so many bytes a second, and holds so many; return each pause, and what came in it."""
    readings = []
    pause = 0.0
    for rate in rates:
        now += pause + OVERHEAD
        taken = min(holds, int(rate * (pause + OVERHEAD)))
        pause = pace.pause_after(taken, CAPACITY, now)
        readings.append((pause, taken))
    return readings


def test_a_pipe_that_fills_slowly_is_left_alone_for_long() -> None:
    assert run(Pace(0.0), [1e6] * 10)[-1][0] == LONGEST_PAUSE
    assert run(Pace(0.0), [0.0] * 10)[-1][0] == LONGEST_PAUSE


@pytest.mark.parametrize(("rate", "holds"), [(1e8, CAPACITY), (4e8, CAPACITY), (2e8, CAPACITY // 2 + 1)])
def test_a_pipe_that_fills_fast_is_read_before_it_is_full(rate: float, holds: int) -> None:
    assert all(taken < holds for _, taken in run(Pace(0.0), [rate] * 100, holds)[20:])


def test_a_pipe_that_was_left_alone_for_too_long_is_read_faster_and_faster() -> None:
    pace = Pace(0.0)
    quiet = run(pace, [1e3] * 20)
    pauses = [pause for pause, _ in run(pace, [1e9] * 20, now=1.0)]
    assert pauses[-1] < quiet[-1][0] / 10


def test_a_lull_does_not_end_a_burst() -> None:
    pace = Pace(0.0)
    before = run(pace, [4e8] * 50)[-1][0]
    (lull,) = run(pace, [0.0], now=1.0)
    assert lull[0] <= 2 * before


@given(st.lists(st.tuples(st.integers(0, 2 * CAPACITY), st.floats(0, 1e6)), min_size=1))
def test_no_pause_is_longer_than_the_longest(readings: list[tuple[int, float]]) -> None:
    pace, now = Pace(0.0), 0.0
    for taken, elapsed in readings:
        now += elapsed
        assert 0 < pace.pause_after(taken, CAPACITY, now) <= LONGEST_PAUSE

"""Percentiles by nearest rank: each is a value that was measured."""

import random

import pytest

from bench.percentiles import percentile


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.1, 51), (99, 99), (99.5, 100), (100, 100)]
)
def test_of_the_numbers_to_a_hundred(percent: float, expected: int) -> None:
    values = [float(number) for number in range(1, 101)]
    random.Random(1).shuffle(values)  # noqa: S311  (no secret)
    assert percentile(values, percent) == expected


def test_of_one_value_all_are_that() -> None:
    assert [percentile([7.0], percent) for percent in (0, 50, 100)] == [7.0, 7.0, 7.0]


def test_of_nothing_there_are_none() -> None:
    with pytest.raises(ValueError, match="empty list"):
        percentile([], 50)

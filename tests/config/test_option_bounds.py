"""Every option that is a size, a count or a duration has bounds, so that no value of one container harms another."""

import re

import pytest

from plugin.config.schema import Option
from plugin.sinks.registry import schema

OPTIONS = [*schema().common, *(option for sink in schema().sinks for option in sink.options)]


def largest(option: Option[object], unit: str) -> int:
    """Return the largest number of ``unit`` that an option accepts, 0 for none; all below are taken to be as good."""
    low, high = 0, 2**63
    while high - low > 1:
        middle = (low + high) // 2
        try:
            option.kind.parse(f"{middle}{unit}")
        except ValueError:
            high = middle
        else:
            low = middle
    return low


def is_number(option: Option[object]) -> bool:
    return re.search("size|whole number|duration", option.kind.accepts) is not None


NUMBERS = [option for option in OPTIONS if is_number(option)]


def test_all_of_them_are_looked_at() -> None:
    assert len(NUMBERS) >= 30


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_it_has_bounds(option: Option[object]) -> None:
    if "duration" in option.kind.accepts:
        assert largest(option, "h") <= 10 * 365 * 24
        assert largest(option, "ns") < 2**63 - 1
    else:
        assert largest(option, "") <= (10**15 if "size" in option.kind.accepts else 2**32)
    for text in ("-9223372036854775808", "9223372036854775807", "9223372036854775808", "1e300", "-1e300ns", "9e18"):
        with pytest.raises(ValueError, match=r"'-?\d"):
            option.kind.parse(text)


@pytest.mark.parametrize("name", ["batch-size", "loki-batch-size", "loki-max-line-size"])
def test_what_is_held_in_memory_is_bounded_by_it(name: str) -> None:
    (option,) = (option for option in OPTIONS if option.name == name)
    assert largest(option, "") <= 64_000_000


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_what_is_waited_for_is_no_longer_than_a_day(option: Option[object]) -> None:
    if "duration" in option.kind.accepts and option.name != "max-age":
        assert largest(option, "s") <= 24 * 3600

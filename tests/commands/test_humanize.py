"""Quantities are short, and never look like the next larger unit."""

import pytest

from plugin.commands.humanize import show_age, show_bytes, show_count, show_seconds


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (10**10, "10.0 GB"),
        (10**20, "100000 PB"),
    ],
)
def test_bytes(count: int, shown: str) -> None:
    assert show_bytes(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0s"), (0.44, "0.4s"), (59.9, "59s"), (61, "1m 1s"), (3_600, "1h 0m"), (183_600, "2d 3h")],
)
def test_seconds(seconds: float, shown: str) -> None:
    assert show_seconds(seconds) == shown


def test_counts_have_commas() -> None:
    assert show_count(1_234_567.2) == "1,234,567"


def test_a_moment_is_so_long_ago() -> None:
    assert show_age(0, 10) == "never"
    assert show_age(5_000_000_000, 20_000_000_000) == "15s ago"
    assert show_age(30_000_000_000, 20_000_000_000) == "0.0s ago"

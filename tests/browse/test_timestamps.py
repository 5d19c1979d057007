"""Moments: what a person may write for --since and --until."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.browse.timestamps import parse_moment

SECOND = 1_000_000_000
NOW = 1_769_860_800 * SECOND  # 2026-01-31T12:00:00Z


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is three hours and a half behind UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XXX+03:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1769860800", NOW),
        ("1769860800.5", NOW + SECOND // 2),
        ("1769860800.000000001", NOW + 1),
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-01-31T12:00:00.000000001Z", NOW + 1),
        ("2026-01-31T14:00:00+02:00", NOW),
        ("2026-01-31T12:00Z", NOW),
        ("2026-01-31T07:00-05:00", NOW),
        ("2026-01-31Z", NOW - 43_200 * SECOND),
        ("10m", NOW - 600 * SECOND),
        ("1h30m", NOW - 5400 * SECOND),
        ("500ms", NOW - SECOND // 2),
        ("-10s", NOW + 10 * SECOND),
        ("0s", NOW),
    ],
)
def test_forms_that_do_not_depend_on_the_zone(text: str, expected: int) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T08:30:00", NOW),
        ("2026-01-31 08:30:00", NOW),
        ("2026-01-31T08:30", NOW),
        ("2026-01-31", NOW - 8 * 3600 * SECOND - 1800 * SECOND),
        ("2026-01-31T08:30:00.5", NOW + SECOND // 2),
        ("2026-01-31T08:30:00.123456789", NOW + 123_456_789),
        ("1969-12-31T20:29:59.75", -SECOND // 4),
        ("2026-01-31T12:00:00Z", NOW),
    ],
)
def test_local_time_where_no_zone_is_given(text: str, expected: int) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "12:00",
        "2026-13-01",
        "2026-02-30T00:00:00",
        "10 m",
        "1e3",
        "m",
        "1769860800.0000000001",
        "1" * 13,
        "١٢٣",
        "10m\n",
        "99999999999999999h",
        "2026-W05-6",
        "20260131T1200",
        "2026-01-31T",
    ],
)
def test_what_is_none_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time \(examples: ") as caught:
        parse_moment(text, NOW)
    assert str(caught.value).startswith(f"'{text}'")


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    "text", ["0001-01-01", "0001-01-01T00:00+05:00", "9999-12-31T23:59:59", "9999-12-31T23:00-05:00"]
)
def test_moments_at_the_ends_of_the_calendar_are_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_moment(text, NOW), int)


@given(st.text(max_size=30) | st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_moment(text, NOW), int)


@given(st.integers(0, 10**12 - 1), st.integers(0, SECOND - 1))
def test_unix_seconds_are_exact(seconds: int, fraction: int) -> None:
    assert parse_moment(f"{seconds}.{fraction:09}", NOW) == seconds * SECOND + fraction

"""Times: RFC 3339 to nanoseconds and back, as the engine writes them."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.times import format_time, parse_time

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("2026-01-31T12:00:00Z", 1_769_860_800 * SECOND),
        ("2026-01-31T12:00:00.000000001Z", 1_769_860_800 * SECOND + 1),
        ("2026-01-31T12:00:00.5Z", 1_769_860_800 * SECOND + SECOND // 2),
        ("2026-01-31T14:00:00+02:00", 1_769_860_800 * SECOND),
        ("2026-01-31T06:30:00.000000001-05:30", 1_769_860_800 * SECOND + 1),
        ("2026-01-31t12:00:00z", 1_769_860_800 * SECOND),
        ("2026-01-31 12:00:00Z", 1_769_860_800 * SECOND),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
        ("9999-12-31T23:59:59Z", 253_402_300_799 * SECOND),
        ("9999-12-31T23:59:59-01:00", 253_402_304_399 * SECOND),
    ],
)
def test_times_are_read_as_nanoseconds_since_1970(text: str, expected: int) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000000Z", "0001-01-01T00:00:00+02:00"]
)
def test_gos_zero_time_means_not_given(text: str) -> None:
    assert parse_time(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00+0200",
        "2026-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:60Z",
        "0000-01-01T00:00:00Z",
        "2026-01-31T12:00:00Z\n",
        " 2026-01-31T12:00:00Z",
        "1769860800",
        "٢٠٢٦-01-31T12:00:00Z",
    ],
)
def test_what_is_none_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time") as caught:
        parse_time(text)
    assert f"'{text}'" in str(caught.value)


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_769_860_800 * SECOND + 1, "2026-01-31T12:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_times_are_written_with_all_nine_digits(nanoseconds: int, expected: str) -> None:
    assert format_time(nanoseconds) == expected


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_reads_back(nanoseconds: int) -> None:
    assert parse_time(format_time(nanoseconds)) == nanoseconds


@given(
    st.datetimes(datetime(2, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 (the zone comes next)
    st.integers(-23 * 60, 23 * 60),
)
def test_any_zone_is_the_same_moment(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    whole = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (whole.days * 86_400 + whole.seconds) * SECOND + whole.microseconds * 1_000
    assert parse_time(zoned.isoformat()) == expected


@given(
    st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", fullmatch=True)
)
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_time(text), int)

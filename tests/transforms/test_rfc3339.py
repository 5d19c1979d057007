"""Times in RFC 3339 are read as the standard library reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.transforms.rfc3339 import read_rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2255, 1, 1), timezones=ZONES),  # noqa: DTZ001
    st.text("0123456789", max_size=9),
)
def test_a_time_is_the_one_that_is_written(moment: datetime, fraction: str) -> None:
    moment = moment.replace(microsecond=0)
    text = moment.isoformat()
    written = text[:19] + ("." + fraction if fraction else "") + text[19:]
    nanoseconds = (moment - EPOCH) // timedelta(seconds=1) * 1_000_000_000 + int(fraction.ljust(9, "0"))

    assert read_rfc3339(written) == nanoseconds
    if moment.utcoffset() == timedelta(0):
        assert read_rfc3339(written.removesuffix("+00:00") + "Z") == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31t12:00:00Z",
        "2026-01-31T12:00:00z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z",
        "2026-02-29T12:00:00Z",
        "2026-1-031T12:00:00Z",
        "0000-01-01T12:00:00Z",
        "2256-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        "2026-01-31T12:00:00+01:00 ",
        "2026-01-31T1²:00:00Z",
        "²026-01-31T12:00:00Z",
        "+026-01-31T12:00:00Z",
    ],
)
def test_whatever_else_is_left_to_others(text: str) -> None:
    assert read_rfc3339(text) == -1


@given(st.text("0123456789-+:.TZ ", min_size=18, max_size=36))
def test_no_text_is_an_error(text: str) -> None:
    assert read_rfc3339(text) >= -1

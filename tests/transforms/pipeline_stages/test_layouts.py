"""Times in Go's layouts; what is expected is what Go's ``time.Parse`` returns."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.gotemplate.timelayout import format_time
from plugin.transforms.pipeline_stages.layouts import NAMED, reader
from tests.sinks.factories import TIME

SECOND = 1_000_000_000
MOMENT = 1_136_239_445
"""2006-01-02T22:04:05Z."""

READ = [
    ("ANSIC", "Mon Jan  2 22:04:05 2006", MOMENT * SECOND),
    ("UnixDate", "Mon Jan  2 22:04:05 UTC 2006", MOMENT * SECOND),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006", MOMENT * SECOND),
    ("RFC822", "02 Jan 06 22:04 UTC", (MOMENT - 5) * SECOND),
    ("RFC822Z", "02 Jan 06 15:04 -0700", (MOMENT - 5) * SECOND),
    ("RFC850", "Monday, 02-Jan-06 22:04:05 UTC", MOMENT * SECOND),
    ("RFC1123", "Mon, 02 Jan 2006 22:04:05 UTC", MOMENT * SECOND),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700", MOMENT * SECOND),
    ("RFC3339", "2006-01-02T15:04:05-07:00", MOMENT * SECOND),
    ("RFC3339", "2006-01-02T22:04:05.5Z", MOMENT * SECOND + 500_000_000),
    ("RFC3339Nano", "2006-01-02T15:04:05.999999999-07:00", MOMENT * SECOND + 999_999_999),
    ("Unix", "1562708916", 1562708916 * SECOND),
    ("Unix", "1562708916.000000123", 1562708916000000123),
    ("Unix", "1562708916.5", 1562708916500000000),
    ("UnixMs", "1562708916414", 1562708916414000000),
    ("UnixUs", "1562708916414123", 1562708916414123000),
    ("UnixNs", "1562708916000000123", 1562708916000000123),
    ("2006-01-02 15:04:05.000", "2006-01-02 22:04:05.123", MOMENT * SECOND + 123_000_000),
    ("2006-01-02 15:04:05,000", "2006-01-02 22:04:05,123", MOMENT * SECOND + 123_000_000),
    ("2006/01/02 15:04:05", "2006/01/02 22:04:05.25", MOMENT * SECOND + 250_000_000),
    ("2006/01/02 03:04:05 PM", "2006/01/02 10:04:05 PM", MOMENT * SECOND),
    ("2/Jan/2006:15:04:05 -0700", "2/jan/2006:15:04:05 -0700", MOMENT * SECOND),
    ("January _2, 2006 3:04pm", "January  2, 2006 10:04pm", (MOMENT - 5) * SECOND),
    ("2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05-0700", MOMENT * SECOND),
    ("2006-01-02T15:04:05Z07", "2006-01-02T15:04:05-07", MOMENT * SECOND),
    ("2006-002 15:04", "2006-033 00:00", 1_138_838_400 * SECOND),
    ("06-1-2 15:4:5 MST", "69-1-2 0:0:0 XYZ", None),
    ("06-1-2 15:4:5 MST", "06-1-2 22:4:5 GMT+3", (MOMENT - 3 * 3600) * SECOND),
    ("2006-01-02", "2006-02-30", None),
    ("2006-01-02", "2006-1-2", None),
    ("2006-01-02 15:04", "2006-01-02 24:00", None),
    ("2006-01-02", "1969-12-31", None),
    ("2006-01-02", "9999-01-01", None),
    ("RFC3339", "yesterday", None),
    ("Unix", "1.2.3", None),
    ("UnixMs", "", None),
    ("RFC3339", "2006-01-02T15:04:05-07:00 ", None),
]


@pytest.mark.parametrize(("form", "text", "expected"), READ)
def test_reading(form: str, text: str, expected: int | None) -> None:
    assert reader(form, "")(text, TIME) == expected


def test_a_location_holds_where_the_text_has_none() -> None:
    summer = int(datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()) * SECOND
    assert reader("2006-01-02 15:04:05", "Europe/Berlin")("2026-07-01 12:00:00", TIME) == summer
    assert reader("2006-01-02 15:04:05 MST", "Europe/Berlin")("2026-07-01 12:00:00 CEST", TIME) == summer
    assert reader("2006-01-02 15:04:05 -0700", "Europe/Berlin")("2026-07-01 10:00:00 +0000", TIME) == summer


@pytest.mark.parametrize(
    ("printed", "text", "year"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), "Jun  1 12:00:00", 2026),
        (datetime(2026, 1, 1, tzinfo=UTC), "Dec 31 23:59:59", 2025),
        (datetime(2026, 12, 31, tzinfo=UTC), "Jan  1 00:00:01", 2027),
    ],
    ids=["the same year", "the year before", "the year after"],
)
def test_a_time_without_a_year_is_next_to_that_of_the_line(printed: datetime, text: str, year: int) -> None:
    time = reader("Jan _2 15:04:05", "")(text, int(printed.timestamp()) * SECOND)
    assert time is not None
    assert datetime.fromtimestamp(time // SECOND, UTC).year == year


LAYOUTS = [*NAMED.values(), "2006-01-02 15:04:05.000000000 -07:00", "Jan _2 2006 03:04:05PM", "__2 2006 15h04m05s"]


@given(st.sampled_from(LAYOUTS), st.datetimes(datetime(1990, 1, 1), datetime(2068, 1, 1)))  # noqa: DTZ001
def test_what_go_writes_is_read_again(layout: str, at: datetime) -> None:
    second = at.replace(microsecond=0, tzinfo=UTC)
    text = format_time(second, 0, layout)
    exact = second if "05" in layout else second.replace(second=0)
    assert reader(layout, "")(text, TIME) == int(exact.timestamp()) * SECOND


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_layout_reads_any_text_or_says_that_it_does_not(layout: str, text: str) -> None:
    time = reader(layout, "")(text, TIME)
    assert time is None or 0 <= time < 2**63


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("2" * 60, "1" * 150 + "x"),
        ("MST" * 60, "GMT+1" * 40),
        (" _2" * 60, " " * 190 + "x"),
        (".999" * 50, ".1" * 90 + "x"),
    ],
    ids=["days", "zones", "spaces", "fractions"],
)
def test_a_layout_and_a_text_that_fit_in_many_ways_are_read_in_one(form: str, text: str) -> None:
    """As Go reads them; to try all ways would take years."""
    assert reader(form, "")(text, TIME) is None

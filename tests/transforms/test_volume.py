"""Less of the same: sampling, rate limits and deduplication."""

import math

from hypothesis import given
from hypothesis import strategies as st

from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.base import Reason
from plugin.transforms.pipeline import Pipeline
from plugin.transforms.sample import mixed
from tests.transforms.lines import FRAME, SECOND, START, lines_of, record, records, shaped, stages

MINUTE = START - START % (60 * SECOND)


def at(*seconds: float) -> list[Record]:
    """Make a record for each of these times after a full minute; the line is the number."""
    return [record(str(n), n, time_nano=MINUTE + int(when * SECOND)) for n, when in enumerate(seconds)]


class TestSample:
    def test_keeps_about_its_share(self) -> None:
        made = shaped({"sample": "0.1"}, records(["x"] * 10_000))

        assert 900 < len(made) < 1_100

    def test_keeps_warnings_and_worse(self) -> None:
        made = shaped({"sample": "0.001"}, records(["WARN x", "ERROR y", "INFO z"] * 20))

        assert len(made) == 40
        assert len(shaped({"sample": "0.001", "sample-all": "true"}, records(["WARN x"] * 60))) < 5

    def test_keeps_the_same_records_each_time(self) -> None:
        fed = ["x"] * 500
        made = [each.offset for each in shaped({"sample": "0.5"}, records(fed))]

        assert made == [each.offset for each in shaped({"sample": "0.5"}, records(fed))]
        rest = [each for each in records(fed) if each.offset >= 100 * FRAME]
        assert [each.offset for each in shaped({"sample": "0.5"}, rest)] == [one for one in made if one >= 100 * FRAME]

    def test_all_is_all(self) -> None:
        assert len(shaped({"sample": "1"}, records(["x"] * 1_000))) == 1_000

    @given(st.integers(0, 2**63))
    def test_a_hash_is_of_64_bits(self, number: int) -> None:
        assert 0 <= mixed(number) < 2**64


class TestRateLimit:
    def test_lets_a_burst_through_and_then_the_rate(self) -> None:
        times = [0.0] * 5 + [0.4, 0.5, 0.9, 1.0, 1.1]
        made = shaped({"rate-limit": "2/s"}, at(*times))

        assert lines_of(made)[:-1] == ["0", "1", "6", "8"]

    def test_says_in_place_what_was_dropped(self) -> None:
        *_, notice = shaped({"rate-limit": "1/s"}, at(0, 0, 0, 0))

        assert notice.line == b"peavey: 3 records dropped here by rate-limit=1/s"
        assert (notice.offset, notice.time_nano, notice.severity) == (FRAME, MINUTE, 13)
        assert notice.fields == {"dropped": 3}

    def test_says_it_once_a_period(self) -> None:
        made = shaped({"rate-limit": "1/s"}, at(0, 0, 0, 10, 10, 20))

        assert lines_of(made) == [
            "0",
            "peavey: 2 records dropped here by rate-limit=1/s",
            "3",
            "peavey: 1 records dropped here by rate-limit=1/s",
            "5",
        ]

    def test_a_burst_may_be_larger_than_the_rate(self) -> None:
        assert len(shaped({"rate-limit": "1/s", "rate-limit-burst": "5"}, at(*[0] * 9))) == 6

    def test_may_be_per_minute(self) -> None:
        assert lines_of(shaped({"rate-limit": "6/m"}, at(0, 1, 5, 10, 11, 60)))[:2] == ["0", "3"]

    def test_says_it_when_nothing_more_comes(self) -> None:
        pipeline = Pipeline(stages({"rate-limit": "1/s"}), Position(0, 0))
        pipeline.feed(at(0, 0))

        assert pipeline.flush(100.0) == []
        assert pipeline.holds
        assert lines_of(pipeline.flush(110.0)) == ["peavey: 1 records dropped here by rate-limit=1/s"]
        assert not pipeline.holds
        assert pipeline.dropped == {Reason("rate limit", "rate-limit"): 1}

    def test_times_that_go_back_do_no_harm(self) -> None:
        assert len(shaped({"rate-limit": "1/s"}, at(5, 0, 5, 0))) == 2

    @given(st.lists(st.floats(0, 60), max_size=60), st.integers(1, 20), st.integers(1, 5))
    def test_no_more_goes_through_than_rate_and_burst_allow(self, times: list[float], burst: int, rate: int) -> None:
        given = {"rate-limit": f"{rate}/s", "rate-limit-burst": str(burst)}
        made = [each for each in shaped(given, at(*sorted(times))) if b"peavey" not in each.line]

        for period in range(6):
            within = [each for each in made if period * 10 <= (each.time_nano - MINUTE) / SECOND < (period + 1) * 10]
            assert len(within) <= burst + 10 * rate


class TestDedupe:
    def test_makes_one_of_equal_lines_in_a_row(self) -> None:
        made = shaped({"dedupe": "5s"}, records(["a", "a", "a", "b", "a"]))

        assert [(each.line, each.fields) for each in made] == [(b"a", {"repeated": 3}), (b"b", None), (b"a", None)]
        assert made[0].offset == 0

    def test_not_beyond_its_time(self) -> None:
        fed = [record("a", n, time_nano=MINUTE + int(when * SECOND)) for n, when in enumerate([0, 4, 5, 6])]
        made = shaped({"dedupe": "5s"}, fed)

        assert [each.fields for each in made] == [{"repeated": 3}, None]

    def test_not_of_another_stream_or_with_other_fields(self) -> None:
        assert len(shaped({"dedupe": "5s"}, [record("a", 0), record("a", 1, "stderr")])) == 2
        assert len(shaped({"dedupe": "5s", "parse": "json"}, records(['{"msg":"a","n":1}', '{"msg":"a","n":2}']))) == 2

    def test_goes_on_when_nothing_more_comes(self) -> None:
        pipeline = Pipeline(stages({"dedupe": "5s"}), Position(0, 0))
        pipeline.feed(records(["a", "a"]))

        assert pipeline.flush(10.0) == []
        (made,) = pipeline.flush(15.0)
        assert made.fields == {"repeated": 2}
        assert pipeline.dropped == {Reason("dedupe", "dedupe"): 1}
        assert pipeline.flush(math.inf) == []

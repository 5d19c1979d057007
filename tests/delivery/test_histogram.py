from plugin.delivery.histogram import BOUNDS, Histogram


def test_a_time_falls_into_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    histogram = Histogram()
    for seconds in (0.05, 0.1, 0.11, BOUNDS[-1], BOUNDS[-1] + 1):
        histogram.observe(seconds)
    assert histogram.counts[:2] == [2, 1]
    assert histogram.counts[-2:] == [1, 1]
    assert sum(histogram.counts) == 5


def test_a_clock_that_was_set_back_takes_no_time() -> None:
    histogram = Histogram()
    histogram.observe(-5.0)
    assert (histogram.counts[0], histogram.sum_seconds) == (1, 0.0)

"""A histogram of times, as Prometheus has them."""

from bisect import bisect_left

import msgspec

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""Upper bounds of the buckets, in seconds; the last bucket, behind these, has none."""


class Histogram(msgspec.Struct, kw_only=True):
    """How many times fell into each bucket, those of the buckets before not included, and the sum of all times."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum_seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count a time; one below 0, as after the clock was set back, counts as 0."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum_seconds += seconds

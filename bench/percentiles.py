"""Percentiles of many values that were measured one by one, such as latencies."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent do not exceed (nearest rank); raises ValueError if there are none."""
    if not values:
        raise ValueError("cannot take a percentile of an empty list")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]

"""Yielding: while there are too few processors, those who print have them, and delivery comes a little later.

A low priority alone does not see to that: whoever runs shares caches, and often a core, with the others, and what
delivery sends makes the receiver work, perhaps on the same host.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_PAUSES = 4.0
"""How much longer than it works delivery pauses then: it takes at most a fifth of one processor."""

_LONGEST = 1.0
"""Seconds of a pause at most."""

_CONTENDED = 1.0
"""There are too few processors if delivery waits for one longer than so many times what it runs.

A receiver on the same host, whom its own sending wakes, makes it wait for less.
"""

_LATEST = 5.0
"""Seconds that records may be old: delivery that has fallen behind further takes what it can get."""

_OUTDATED = 3.0
"""Seconds since the last batch after which it is not known whether processors are short now."""

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
_SECOND = 1_000_000_000


class Times(NamedTuple):
    """Nanoseconds: the monotonic clock, how long a thread has run, and how long it has waited for a processor."""

    now: int
    run: int
    waited: int


def thread_times() -> Times:
    """Read the calling thread's times; zeros if the kernel does not tell. Source: Linux, sched-stats.rst."""
    now = time.monotonic_ns()
    try:
        run, waited, _ = _SCHEDSTAT.read_text().split()
        return Times(now, int(run), int(waited))
    except (OSError, ValueError):
        return Times(now, 0, 0)


class Yielding:
    """How long to send nothing; ``times`` are those of the thread that delivers."""

    def __init__(self, times: Callable[[], Times] = thread_times) -> None:
        self._times = times
        self._last = times()

    def pause(self, oldest: int) -> float:
        """Return seconds to wait after a batch whose oldest record is of this moment, nanoseconds since 1970 UTC."""
        times = self._times()
        since, run, waited = (now - last for now, last in zip(times, self._last, strict=True))
        self._last = times
        says_of_now = since <= _OUTDATED * _SECOND
        is_recent = abs(time.time_ns() - oldest) <= _LATEST * _SECOND  # after now: the clock was set back since
        if not says_of_now or not is_recent or waited <= run * _CONTENDED:
            return 0.0
        return min(_LONGEST, _PAUSES * (run + waited) / _SECOND)

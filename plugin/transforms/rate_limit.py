"""Rate limits: what is beyond so many records per second is dropped, and a record says so in place.

Also runs compiled (see ``rate_limit.pxd``).
"""

import copy
import math
from collections import Counter
from collections.abc import Sequence

from plugin.config.shaping_kinds import Rate
from plugin.records.record import Record
from plugin.transforms.base import Holder, Reason, held_since
from plugin.transforms.levels import WARN

_SECOND = 1_000_000_000
_SHORTEST_PERIOD = 10
_WHY = Reason("rate limit", "rate-limit")

DROPPED = "dropped"
"""The field of the record that says how many were dropped."""


class RateLimit:
    """Lets records through by a token bucket: ``burst`` at once, and ``rate`` over time.

    The time is that at which records were printed. The bucket is full at the beginning of each period of ten seconds,
    or of a minute for a rate per minute: so that after a kill the same is dropped, it is enough to read a period again.
    What is dropped within one is a burst, said by one record with the offset and the time of the first. ``before`` are
    the stages that records come from.
    """

    def __init__(self, rate: Rate, burst: int | None, before: Sequence[Holder] = ()) -> None:
        self.released_from: int | None = None
        self._before = before
        self.dropped: Counter[Reason] = Counter()
        self._text = rate.text
        self._period = max(_SHORTEST_PERIOD, rate.seconds) * _SECOND
        self._cost = rate.seconds * _SECOND  # tokens are counted in parts: so many nanoseconds × records are one record
        self._records = rate.records
        if burst is None:
            burst = rate.records if rate.seconds == 1 else -(-rate.records * _SHORTEST_PERIOD // rate.seconds)
        self._full = burst * self._cost
        self._tokens = self._full
        self._latest = 0
        self._number = -1
        self._first: int | None = None
        self._notice: Record | None = None
        self._count = 0
        self._since: float | None = None

    @property
    def held_from(self) -> int | None:
        """The offset of the first record of the period, as long as that goes on."""
        return self._first

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it if there is a token for it, behind the notice of the burst before it."""
        self._since = None
        self.released_from = self._first
        made: list[Record] = []
        now = max(record.time_nano, self._latest)
        if now // self._period != self._number:
            made += self._end()
            self._number = now // self._period
            self._first = held_since(record, self._before)
            self._tokens = self._full
        else:
            self._tokens = min(self._full, self._tokens + (now - self._latest) * self._records)
        self._latest = now
        if self._tokens >= self._cost:
            self._tokens -= self._cost
            made.append(record)
            return made
        self.dropped[_WHY] += 1
        self._count += 1
        if self._notice is None:
            self._notice = copy.copy(record)
        return made

    def flush(self, now: float) -> Sequence[Record]:
        """Return the notice of a burst, if nothing has come for a period."""
        self.released_from = self._first
        if self._first is None:
            return ()
        if self._since is None:
            self._since = now
        if now != math.inf and now < self._since + self._period / _SECOND:
            return ()
        made = self._end()
        self._first = None
        self._number = -1
        return made

    def _end(self) -> Sequence[Record]:
        """End a period; return the notice if something was dropped in it."""
        notice, self._notice = self._notice, None
        count, self._count = self._count, 0
        if notice is None:
            return ()
        notice.line = f"peavey: {count} records dropped here by rate-limit={self._text}".encode()
        notice.fields = {DROPPED: count}
        notice.severity = WARN
        return (notice,)

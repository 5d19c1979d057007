"""Deduplication: equal lines in a row become one record with a count.

Also runs compiled (see ``dedupe.pxd``).
"""

import math
from collections import Counter
from collections.abc import Sequence

from plugin.records.record import Record
from plugin.transforms.base import Holder, Reason, held_since

_SECOND = 1_000_000_000
_WHY = Reason("dedupe", "dedupe")

REPEATED = "repeated"
"""The field that has how often the line came, where that is more than once."""


class Dedupe:
    """Makes one record of equal ones that follow each other within ``seconds`` of the first, which it is.

    Equal are line, stream and fields. The record goes on once another one comes, or ``seconds`` after nothing came.
    ``before`` are the stages that records come from.
    """

    def __init__(self, seconds: float, before: Sequence[Holder] = ()) -> None:
        self.released_from: int | None = None
        self._before = before
        self._held_from = 0
        self.dropped: Counter[Reason] = Counter()
        self._seconds = seconds
        self._window = int(seconds * _SECOND)
        self._held: Record | None = None
        self._count = 0
        self._since: float | None = None

    @property
    def held_from(self) -> int | None:
        """Where to begin to read to hold the same again."""
        return None if self._held is None else self._held_from

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return the one before it if it is another."""
        held = self._held
        self._since = None
        self.released_from = self.held_from
        if held is not None and self._is_same(held, record):
            self._count += 1
            self.dropped[_WHY] += 1
            return ()
        made = self._release()
        self._held = record
        self._held_from = held_since(record, self._before)
        self._count = 1
        return made

    def flush(self, now: float) -> Sequence[Record]:
        """Return the record that is held, if nothing has come for long enough."""
        self.released_from = self.held_from
        if self._held is None:
            return ()
        if self._since is None:
            self._since = now
        return self._release() if now == math.inf or now >= self._since + self._seconds else ()

    def _is_same(self, held: Record, record: Record) -> bool:
        return (
            held.line == record.line
            and held.source == record.source
            and held.fields == record.fields
            and record.time_nano - held.time_nano <= self._window
        )

    def _release(self) -> Sequence[Record]:
        held, self._held = self._held, None
        if held is None:
            return ()
        if self._count > 1:
            held.fields = {**(held.fields or {}), REPEATED: self._count}
        return (held,)

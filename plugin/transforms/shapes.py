"""Stages that look at one record at a time, run one after the other as a single one.

Also runs compiled (see ``shapes.pxd``).
"""

from collections import Counter
from collections.abc import Sequence

from plugin.records.record import Record
from plugin.transforms.base import Reason, Shape


class Shapes:
    """Puts each record through ``shapes``, until one drops it."""

    held_from = None

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.dropped: Counter[Reason] = Counter()
        self._shapes = [(shape.shape, shape.name) for shape in shapes]

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it unless it is dropped."""
        for shape, name in self._shapes:
            reason = shape(record)
            if reason is not None:
                self.dropped[Reason(name, reason)] += 1
                return ()
        return (record,)

    def flush(self, _now: float) -> Sequence[Record]:
        """Return nothing, since nothing is held."""
        return ()

"""Stages that look at one record at a time, run one after the other as a single one; many records at once, too.

Also runs compiled (see ``shapes.pxd``).
"""

from collections import Counter
from collections.abc import Callable, Sequence

from plugin.records.record import Record
from plugin.transforms.base import BatchShape, Reason, Shape


class Shapes:
    """Puts each record through ``shapes``, until one drops it."""

    held_from = None

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.dropped: Counter[Reason] = Counter()
        self._shapes = [(shape.shape, shape.name) for shape in shapes]
        self._batches = [
            (shape.shape, shape.shape_all if isinstance(shape, BatchShape) else None, shape.name) for shape in shapes
        ]

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it unless it is dropped."""
        for shape, name in self._shapes:
            reason = shape(record)
            if reason is not None:
                self.dropped[Reason(name, reason)] += 1
                return ()
        return (record,)

    def feed_all(self, records: list[Record]) -> list[Record]:
        """Take many records; return those that are not dropped."""
        for shape, shape_all, name in self._batches:
            reasons = self._reasons(shape, records) if shape_all is None else shape_all(records)
            if reasons:
                for reason, count in Counter(reasons.values()).items():
                    self.dropped[Reason(name, reason)] += count
                records = [record for number, record in enumerate(records) if number not in reasons]
        return records

    def _reasons(self, shape: Callable[[Record], str | None], records: list[Record]) -> dict[int, str]:
        """Shape records one by one; return which are to be dropped, and why."""
        reasons: dict[int, str] = {}
        for number, record in enumerate(records):
            reason = shape(record)
            if reason is not None:
                reasons[number] = reason
        return reasons

    def flush(self, _now: float) -> Sequence[Record]:
        """Return nothing, since nothing is held."""
        return ()

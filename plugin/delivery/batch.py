"""Batches: what is sent at once, as groups of records that are one container's each."""

from dataclasses import dataclass

from plugin.delivery.tail import Tail
from plugin.sinks.base import Record

_FRAME = 25
"""Bytes that an entry takes in the journal besides its line, about."""


@dataclass(slots=True)
class Group:
    """Records of one tail within a batch, in order; a batch may hold several groups of the same."""

    tail: Tail
    records: list[Record]


Batch = list[Group]
"""Groups in the order in which they are sent, of which none is empty."""


def records_of(batch: Batch) -> list[Record]:
    """List the records of a batch."""
    return [record for group in batch for record in group.records]


def is_one_record(batch: Batch) -> bool:
    """Tell whether a batch can be split no further."""
    return len(batch) == 1 and len(batch[0].records) == 1


def journal_bytes(batch: Batch) -> int:
    """Count the bytes of journal that a batch takes, about."""
    return sum(len(record.line) + _FRAME for group in batch for record in group.records)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Cut a batch of more than one record in two."""
    if len(batch) > 1:
        return batch[: len(batch) // 2], batch[len(batch) // 2 :]
    tail, records = batch[0].tail, batch[0].records
    middle = len(records) // 2
    return [Group(tail, records[:middle])], [Group(tail, records[middle:])]

"""Batches: what is sent at once, as groups of records that are one container's each."""

from collections import Counter
from dataclasses import dataclass

from plugin.delivery.tail import Tail
from plugin.journal.layout import is_gone
from plugin.records.position import Position, position_behind
from plugin.sinks.base import Record

_FRAME = 25
"""Bytes that an entry takes in the journal besides its line, about."""


@dataclass(slots=True)
class Group:
    """Records of one tail within a batch, in order; a batch may hold several groups of the same.

    ``upto`` is acknowledged once all of them are done with. There may be none, where transforms have dropped all.
    """

    tail: Tail
    records: list[Record]
    upto: Position


Batch = list[Group]
"""Groups in the order in which they are sent."""


def records_of(batch: Batch) -> list[Record]:
    """List the records of a batch."""
    return [record for group in batch for record in group.records]


def has_records(batch: Batch) -> bool:
    """Return whether there is anything to send, or only cursors to move."""
    return any(group.records for group in batch)


def without_closed(batch: Batch) -> Batch:
    """Leave out what is read again: the groups of tails that are closed, unless their journals are gone."""
    return [group for group in batch if not group.tail.is_closed or is_gone(group.tail.folder)]


def count_records(batch: Batch) -> int:
    """Count the records of a batch."""
    return sum(len(group.records) for group in batch)


def is_one_record(batch: Batch) -> bool:
    """Return whether a batch can be split no further."""
    return count_records(batch) == 1


def journal_bytes(batch: Batch) -> int:
    """Count the bytes of journal that a batch takes, about."""
    return sum(len(record.line) + _FRAME for group in batch for record in group.records)


def oldest_time(batch: Batch) -> int | None:
    """Return the time of the oldest record, in nanoseconds since 1970 UTC; None if there is no record."""
    return min((group.records[0].time_nano for group in batch if group.records), default=None)


def parted(batch: Batch, index: int) -> tuple[Batch, Batch, Batch]:
    """Cut a batch at one of its records: those in front of it, that one alone, those behind it."""
    before: Batch = []
    alone: Batch = []
    behind: Batch = []
    position = 0
    for group in batch:
        place = index - position
        position += len(group.records)
        if place >= len(group.records):
            before.append(group)
        elif place < 0:
            behind.append(group)
        else:
            pieces = ((before, group.records[:place]), (alone, [group.records[place]]))
            for part, records in pieces:
                if records:
                    part.append(Group(group.tail, records, position_behind(records[-1])))
            if rest := group.records[place + 1 :]:
                behind.append(Group(group.tail, rest, group.upto))
            else:
                alone[0].upto = group.upto
    return before, alone, behind


def split(batch: Batch) -> tuple[Batch, Batch]:
    """Cut a batch of more than one record in two."""
    if len(batch) > 1:
        return batch[: len(batch) // 2], batch[len(batch) // 2 :]
    (group,) = batch
    middle = len(group.records) // 2
    first, second = group.records[:middle], group.records[middle:]
    return [Group(group.tail, first, position_behind(first[-1]))], [Group(group.tail, second, group.upto)]


def extents(batch: Batch) -> dict[Tail, tuple[int, Position]]:
    """Return how many records of each tail a batch has, and what is acknowledged once all of them are done with."""
    found: dict[Tail, tuple[int, Position]] = {}
    for group in batch:
        before, _ = found.get(group.tail, (0, None))
        found[group.tail] = before + len(group.records), group.upto
    return found


def acknowledge(batch: Batch) -> int:
    """Move the cursors behind a batch that was delivered, each once; return how many records it had."""
    total = 0
    for tail, (count, upto) in extents(batch).items():
        tail.acknowledge(upto, count)
        total += count
    return total


def note_refusals(batch: Batch, reason: str) -> None:
    """Keep a note with each container of a batch, of which some records are refused and it is not known which."""
    first: dict[Tail, Record] = {}
    counts: Counter[Tail] = Counter()
    for group in batch:
        if group.records:
            first.setdefault(group.tail, group.records[0])
            counts[group.tail] += len(group.records)
    for tail, record in first.items():
        tail.note_refusals(record, counts[tail], reason)


def bury(batch: Batch, reason: str) -> None:
    """Make dead letters of a batch, which is refused for good, and move the cursors behind it."""
    for group in batch:
        for record in group.records:
            group.tail.bury(record, reason)
        group.tail.acknowledge(group.upto, 0)

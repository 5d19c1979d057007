"""Positions: how far records have come in their container's journal, as a cursor notes it."""

from typing import NamedTuple

from plugin.records.record import Record


class Position(NamedTuple):
    """A place in a journal.

    ``offset``
        what ends at or before it is done with
    ``resume``
        where to begin to read to go on behind it: before the offset while something that began earlier is held
    """

    offset: int
    resume: int


def position_behind(record: Record) -> Position:
    """Return the position once a record is done with."""
    return Position(record.end, record.resume)

"""What a transform is: one stage on the way from decoded records to those that a sink is given."""

from collections.abc import Iterable
from typing import Protocol

from plugin.records.record import Record


class Transform(Protocol):
    """One stage for the records of one container on their way to one sink; each such way has an instance of its own.

    Deterministic: fed the same records, it returns the same ones. After a kill a new instance is fed again from
    ``held_from`` on; what it makes of records that were done with is discarded, so that nothing is sent twice.

    A record that it makes of several has the ``offset`` of the first; ``end`` and ``resume`` are set by `Pipeline`.
    """

    def feed(self, record: Record, /) -> Iterable[Record]:
        """Take the next record, and return those that are ready to go on: none, one or several, never one twice."""

    def flush(self, now: float, /) -> Iterable[Record]:
        """Return what has been held for too long.

        Called again and again while something is held and nothing comes; ``now`` is of the monotonic clock, or
        infinity where nothing will come: then all must go.
        """

    @property
    def held_from(self) -> int | None:
        """The smallest ``offset`` of a record that is held, None if none is.

        A new instance that is fed from there on has to make the same of what follows.
        """

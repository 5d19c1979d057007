"""What a transform is: one stage on the way from decoded records to those that a sink is given."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

from plugin.records.record import Record


class Reason(NamedTuple):
    """Why records were dropped on purpose: the stage, and the option that made it do so."""

    stage: str
    reason: str


NOTHING_DROPPED: Mapping[Reason, int] = MappingProxyType({})


class Transform(Protocol):
    """One stage for the records of one container on their way to one sink; each such way has an instance of its own.

    Deterministic: fed the same records, it returns the same ones. After a kill a new instance is fed again from
    ``held_from`` on; what it makes of records that were done with is discarded, so that nothing is sent twice.

    A record that it makes of several has the ``offset`` of the first; ``end`` and ``resume`` are set by `Pipeline`.
    It may change the records that it is fed.
    """

    def feed(self, record: Record, /) -> Sequence[Record]:
        """Take the next record, and return those that are ready to go on: none, one or several, never one twice."""

    def flush(self, now: float, /) -> Iterable[Record]:
        """Return what has been held for too long.

        Called again and again while something is held and nothing comes; ``now`` is of the monotonic clock, or
        infinity where nothing will come: then all must go.
        """

    @property
    def held_from(self) -> int | None:
        """The smallest ``offset`` of a record that is held, None if none is.

        A new instance that is fed from there on has to make the same of what follows. A class that never holds any has
        None for an attribute.
        """

    @property
    def dropped(self) -> Mapping[Reason, int]:
        """How many records it has dropped on purpose so far, by reason."""


class Holder(Transform, Protocol):
    """A stage that holds records, or remembers something of them, and may have others behind it that do."""

    released_from: int | None
    """Its ``held_from`` when it was last fed or flushed, before that: fed from there on it returns the same again."""


def held_since(record: Record, before: Sequence[Holder]) -> int:
    """Return the ``held_from`` of a stage that begins to hold a record, which came through the stages ``before``.

    These return the same records again only if they are fed from where they were holding.
    """
    return min([record.offset, *(from_ for stage in before if (from_ := stage.released_from) is not None)])


@runtime_checkable
class Watcher(Holder, Protocol):
    """A stage that holds few records, and can tell quickly which: the others pass it by."""

    def stirs(self, records: Sequence[Record], /) -> Sequence[int]:
        """Return the numbers, in order, of the records that it does not return at once and as they are.

        That is if it holds nothing; nothing is changed.
        """


@runtime_checkable
class Batching(Transform, Protocol):
    """A stage that never holds a record, and takes many at once for less than one by one."""

    def feed_all(self, records: list[Record], /) -> list[Record]:
        """Take the next records, and return those that go on."""


class Shape(Protocol):
    """A stage that looks at one record at a time and holds none."""

    name: str

    def shape(self, record: Record, /) -> str | None:
        """Change a record in place; return why it is to be dropped, None if it is to go on."""


@runtime_checkable
class BatchShape(Shape, Protocol):
    """A shape that takes many records at once for less than one by one."""

    def shape_all(self, records: list[Record], /) -> Mapping[int, str]:
        """Change records in place; return the numbers of those that are to be dropped, and why."""


NONE_DROPPED: Mapping[int, str] = MappingProxyType({})

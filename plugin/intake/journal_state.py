"""What the housekeeper knows of a journal between two looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from plugin.config.options import ContainerOptions, SinkChoice
from plugin.journal.cursors.store import any_written_since
from plugin.journal.retention import SegmentUse, undelivered


@dataclass(frozen=True)
class KeptJournal:
    """A journal as it was when it was last looked at.

    ``needed_from``
        the offset from which on some sink still needs it, or has to be told that it is gone; ``None`` if none does
    ``set_aside``
        bytes that files of what was no log entries take
    ``options``
        those of its container, ``None`` where its note is damaged or missing
    ``look_again``
        when it has to be looked at again although nothing happens to it, nanoseconds since 1970 UTC
    ``birth``
        as in its note; 0 where that is damaged or missing
    ``cursors``
        when those of its sinks were written that ``needed_from`` was told by; empty if no sink needs it
    """

    segments: list[SegmentUse]
    needed_from: int | None
    look_again: int
    set_aside: int = 0
    options: ContainerOptions | None = None
    birth: int = 0
    cursors: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(use.bytes for use in self.segments) + self.set_aside

    @property
    def undelivered(self) -> int:
        """Bytes that some sink still needs and that are still there."""
        return undelivered(self.segments, self.needed_from)

    @property
    def sinks(self) -> tuple[SinkChoice, ...]:
        """The sinks that its container's log-opts name."""
        return () if self.options is None else self.options.sinks

    @property
    def throttles(self) -> bool:
        """Whether its container is to be slowed down rather than that undelivered lines are lost."""
        return self.options is not None and self.options.overflow == "throttle"

    def is_due(self, moment: int) -> bool:
        """Return whether to look at it again though it has not grown: it is due, or a sink that needs it went on."""
        return self.look_again <= moment or any_written_since(self.cursors)

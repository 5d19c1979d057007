"""Pipelines: records go through stages, and the place from which on to read again follows what these hold.

Also runs compiled (see ``pipeline.pxd``).
"""

import math
from collections import Counter, deque
from collections.abc import Sequence

from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.base import Reason, Transform


class Pipeline:
    """The stages behind the decoder, which is itself the first: a line's parts are joined before they are fed.

    ``position``
        where a cursor may go once all records that were returned so far are acknowledged; at first where it is

    Reading again from ``resume`` has to bring the stages to what they hold. Where they hold whole lines only, it is the
    oldest of these. But where parts of another line begin before it, ``resume`` cannot be both: the position then stays
    in front of what is held, and what passed it by is sent again after a kill. `feed_again` tells these two apart.
    """

    def __init__(self, stages: Sequence[Transform], position: Position) -> None:
        self.position = position
        self._stages = tuple(stages)
        self._holders = [stage for stage in stages if getattr(type(stage), "held_from", 0) is not None]
        self._decoded = Position(position.resume, position.resume)
        self._before: deque[tuple[int, Position]] = deque()
        self._rebuilds: bool | None = None
        self._counted: Counter[Reason] = Counter()

    @property
    def holds(self) -> bool:
        """Whether a stage holds records back."""
        for stage in self._holders:  # noqa: SIM110 (asked for each line)
            if stage.held_from is not None:
                return True
        return False

    def feed(self, records: Sequence[Record]) -> list[Record]:
        """Put records through all stages; returns those that come out, which end where what released them does."""
        shaped: list[Record] = []
        for record in records:
            end, resume = record.end, record.resume
            made = self._feed_one(record)
            if self._before or self.holds:
                shaped += self._place(made, end)
                continue
            before = self.position
            self.position = Position(max(before.offset, end), resume)
            if made:
                for early in made[:-1]:
                    early.end, early.resume = before
                last = made[-1]
                last.end, last.resume = self.position
                shaped += made
        return shaped

    def feed_again(self, records: Sequence[Record]) -> None:
        """Take records that were done with before a restart: they only serve to complete what a stage had held."""
        if not records:
            return
        for record in records:
            if self._rebuilds is None:
                self._rebuilds = record.offset == self.position.resume and record.resume == record.end
            if self._rebuilds:
                self._feed_one(record)
            else:
                self._decoded = Position(record.end, record.resume)
        self._counted = self._count()

    @property
    def dropped(self) -> dict[Reason, int]:
        """How many records the stages have dropped on purpose, without those that were dropped before a restart."""
        return {reason: count for reason, total in self._count().items() if (count := total - self._counted[reason])}

    def _count(self) -> Counter[Reason]:
        counts: Counter[Reason] = Counter()
        for stage in self._stages:
            counts.update(stage.dropped)
        return counts

    def flush(self, now: float) -> list[Record]:
        """Return what stages have held for too long; all that they hold if ``now`` is infinity."""
        records: list[Record] = []
        for stage in self._stages:
            records = [made for record in records for made in stage.feed(record)]
            records += stage.flush(now)
        return self._place(records, self.position.offset)

    def cross_gap(self, position: Position) -> list[Record]:
        """Return all that is held, since what would complete it is missing; what is fed next is behind ``position``."""
        records = self.flush(math.inf)
        self.position = self._decoded = position
        self._before.clear()
        return records

    def _feed_one(self, record: Record) -> Sequence[Record]:
        if self._holders and (self._decoded.resume < record.offset or record.resume < record.end):
            self._before.append((record.offset, self._decoded))
        self._decoded = Position(record.end, record.resume)
        made: Sequence[Record] = (record,)
        for stage in self._stages:
            made = stage.feed(made[0]) if len(made) == 1 else [each for one in made for each in stage.feed(one)]
        return made

    def _place(self, records: Sequence[Record], offset: int) -> list[Record]:
        """Move to ``offset``, where these records were released; the last of them takes the cursor there.

        The others leave it where it was: if a kill comes between them, all are made again.
        """
        before = self.position
        self.position = self._position(before, max(before.offset, offset))
        for record in records:
            record.end, record.resume = before
        if records:
            records[-1].end, records[-1].resume = self.position
        return list(records)

    def _position(self, before: Position, offset: int) -> Position:
        """Return the furthest position at ``offset`` or before it from which on nothing is lost."""
        held = min((held for stage in self._holders if (held := stage.held_from) is not None), default=None)
        if held is None:
            self._before.clear()
            return Position(offset, self._decoded.resume)
        while self._before and self._before[0][0] < held:
            self._before.popleft()
        if not self._before or self._before[0][0] != held:
            return Position(offset, held)
        return max(before, self._before[0][1])

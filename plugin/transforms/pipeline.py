"""Pipelines: records go through stages, and the place from which on to read again follows what these hold.

Also runs compiled (see ``pipeline.pxd``).
"""

import math
from collections import Counter, deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.base import Batching, Reason, Transform, Watcher


class Pipeline:
    """The stages behind the decoder, which is itself the first: a line's parts are joined before they are fed.

    Reading again from ``resume`` of the position has to bring the stages to what they hold. Where they hold whole lines
    only, it is the oldest of these. But where parts of another line begin before it, ``resume`` cannot be both: the
    position then stays in front of what is held, and what passed it by is sent again after a kill. `feed_again` tells
    these two apart.
    """

    def __init__(self, stages: Sequence[Transform], position: Position) -> None:
        self._offset, self._resume = position
        self._stages = tuple(stages)
        self._holders = [stage for stage in stages if getattr(type(stage), "held_from", 0) is not None]
        self._watchers: tuple[Watcher, ...]
        self._early: tuple[Batching, ...]
        self._watchers, rest = _split(self._stages, Watcher)
        self._early, rest = _split(rest, Batching)
        late, singly = _split(rest[::-1], Batching)
        self._late: tuple[Batching, ...] = late[::-1]
        self._singly = singly[::-1]
        self._decoded_end = self._decoded_resume = position.resume
        self._before: deque[tuple[int, Position]] = deque()
        self._rebuilds: bool | None = None
        self._counted: Counter[Reason] = Counter()

    @property
    def position(self) -> Position:
        """Where a cursor may go once all records that were returned so far are acknowledged; at first where it is."""
        return Position(self._offset, self._resume)

    @property
    def holds(self) -> bool:
        """Whether a stage holds records back."""
        for stage in self._holders:  # noqa: SIM110 (asked for each line)
            if stage.held_from is not None:
                return True
        return False

    def feed(self, records: Sequence[Record]) -> list[Record]:
        """Put records through all stages; returns those that come out, which end where what released them does.

        As long as no watcher at the beginning holds anything, or would, records pass these by, and go through stages
        that take many at once as far as there are such.
        """
        shaped: list[Record] = []
        stirring = self._stirring(records)
        count = len(records)
        number = following = 0
        while number < count:
            until = number
            if self._is_idle():
                while following < len(stirring) and stirring[following] < number:
                    following += 1
                until = stirring[following] if following < len(stirring) else count
            if until == number:
                self._feed_singly(records[number], shaped)
                number += 1
            else:
                self._pass_by(list(records[number:until]), shaped)
                number = until
        return shaped

    def _stirring(self, records: Sequence[Record]) -> Sequence[int]:
        """Return the numbers of the records that a watcher would not let pass."""
        numbers: Sequence[int] = ()
        for watcher in self._watchers:
            more = watcher.stirs(records)
            numbers = sorted({*numbers, *more}) if numbers and more else numbers or more
            if len(numbers) == len(records):
                break
        return numbers

    def _is_idle(self) -> bool:
        """Return whether no watcher holds anything."""
        for watcher in self._watchers:  # noqa: SIM110 (asked for each line)
            if watcher.held_from is not None:
                return False
        return True

    def _feed_singly(self, record: Record, shaped: list[Record]) -> None:
        """Put a record through one stage after the other; ``shaped`` gets what comes out."""
        end = record.end
        made = self._feed_one(record)
        self._place(made, end)
        shaped += made

    def _pass_by(self, records: list[Record], shaped: list[Record]) -> None:
        """Put records through all stages but the watchers; ``shaped`` gets what comes out."""
        for watcher in self._watchers:
            watcher.released_from = None
        kept = records
        if self._singly:
            for stage in self._early:
                kept = stage.feed_all(kept)
            kept = self._feed_some(records, kept, shaped)
        else:
            last = records[-1]
            self._before.clear()
            self._decoded_end, self._decoded_resume = last.end, last.resume
            offset = self._offset
            for record in records:
                if record.end < offset:
                    record.end = offset
                else:
                    offset = record.end
            self._offset, self._resume = offset, self._decoded_resume
            for stage in self._early:
                kept = stage.feed_all(kept)
        for stage in self._late:
            kept = stage.feed_all(kept)
        shaped += kept

    def _feed_some(self, records: list[Record], kept: list[Record], shaped: list[Record]) -> list[Record]:
        """Put those of ``records`` that are ``kept`` through the stages that take them one by one.

        Returns what comes out and is still to go through the last stages. The last record of several that come out at
        once has to be known before these have their place: they go through all stages, into ``shaped``.
        """
        waiting: list[Record] = []
        number, count = 0, len(kept)
        for record in records:
            end = record.end
            self._note(record)
            made: Sequence[Record] = ()
            if number < count and kept[number] is record:
                number += 1
                made = self._through(self._singly, (record,))
            if len(made) > 1:
                for stage in self._late:
                    waiting = stage.feed_all(waiting)
                shaped += waiting
                waiting = []
                made = self._through(self._late, made)
                self._place(made, end)
                shaped += made
            else:
                self._place(made, end)
                waiting += made
        return waiting

    def feed_again(self, records: Sequence[Record]) -> None:
        """Take records that were done with before a restart: they only serve to complete what a stage had held."""
        if not records:
            return
        for record in records:
            if self._rebuilds is None:
                self._rebuilds = record.offset == self._resume and record.resume == record.end
            if self._rebuilds:
                self._feed_one(record)
            else:
                self._decoded_end, self._decoded_resume = record.end, record.resume
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
        self._place(records, self._offset)
        return records

    def cross_gap(self, position: Position) -> list[Record]:
        """Return all that is held, since what would complete it is missing; what is fed next is behind ``position``."""
        records = self.flush(math.inf)
        self._offset, self._resume = self._decoded_end, self._decoded_resume = position
        self._before.clear()
        return records

    def _feed_one(self, record: Record) -> Sequence[Record]:
        self._note(record)
        return self._through(self._stages, (record,))

    def _note(self, record: Record) -> None:
        """Note how far the decoder was before a record, where it holds parts, and how far it is now."""
        if self._holders and (self._decoded_resume < record.offset or record.resume < record.end):
            self._before.append((record.offset, Position(self._decoded_end, self._decoded_resume)))
        self._decoded_end, self._decoded_resume = record.end, record.resume

    def _through(self, stages: Sequence[Transform], made: Sequence[Record]) -> Sequence[Record]:
        for stage in stages:
            made = stage.feed(made[0]) if len(made) == 1 else [each for one in made for each in stage.feed(one)]
        return made

    def _place(self, records: Sequence[Record], offset: int) -> None:
        """Move to ``offset``, where these records were released; the last of them takes the cursor there.

        The others leave it where it was: if a kill comes between them, all are made again.
        """
        if len(records) > 1:
            for record in records:
                record.end, record.resume = self._offset, self._resume
        self._move(max(self._offset, offset))
        if records:
            last = records[-1]
            last.end, last.resume = self._offset, self._resume

    def _move(self, offset: int) -> None:
        """Move to the furthest position at ``offset`` or before it from which on nothing is lost."""
        held = -1
        for stage in self._holders:
            from_ = stage.held_from
            if from_ is not None and (held < 0 or from_ < held):
                held = from_
        if held < 0:
            if self._before:
                self._before.clear()
            self._offset, self._resume = offset, self._decoded_resume
            return
        while self._before and self._before[0][0] < held:
            self._before.popleft()
        if not self._before or self._before[0][0] != held:
            self._offset, self._resume = offset, held
        else:
            self._offset, self._resume = max((self._offset, self._resume), self._before[0][1])


def _split(stages: tuple[Transform, ...], kind: Any) -> tuple[tuple[Any, ...], tuple[Transform, ...]]:
    """Return the stages of a kind at the beginning, and the rest."""
    first = tuple(takewhile(lambda stage: isinstance(stage, kind), stages))
    return first, stages[len(first) :]

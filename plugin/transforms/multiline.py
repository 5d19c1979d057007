"""Multi-line events: consecutive lines of one stream become one record.

Also runs compiled (see ``multiline.pxd``).
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence

from plugin.records.record import Record
from plugin.transforms.base import NOTHING_DROPPED, Holder, Reason, held_since
from plugin.transforms.multiline_rules import ENDS, Rules, State

_NEWLINE = b"\n"
_MOST_PIECES = 64
_MOST_EVENTS = 100


class _Event:
    """An event that is not complete: its first record, its lines, and records that may turn out not to be of it."""

    __slots__ = ("first", "held_from", "lines", "pieces", "size", "state", "tentative")

    def __init__(self, first: Record, state: State, held_from: int, *, tentative: bool) -> None:
        self.first = first
        self.held_from = held_from
        self.pieces = 1
        self.lines = [first.line]
        self.size = len(first.line)
        self.state = state
        self.tentative = [first] if tentative else []


class Multiline:
    """Joins the lines that ``rules`` say are one event, with newlines; of stdout and of stderr apart.

    The record has the time and the offset of the first line. An event is complete when a line comes that is not of it,
    when it would exceed ``max_size`` bytes or ``max_lines`` lines, or when none has come for ``wait`` seconds.
    ``before`` are the stages that records come from; ``stream_of`` returns which lines are to be joined, where that is
    not said by the source.
    """

    def __init__(
        self,
        rules: Rules,
        wait: float,
        max_size: int,
        max_lines: int,
        before: Sequence[Holder] = (),
        stream_of: Callable[[Record], Hashable] | None = None,
    ) -> None:
        self.dropped: Mapping[Reason, int] = NOTHING_DROPPED
        self.released_from: int | None = None
        self._rules = rules
        self._wait = wait
        self._max_size = max_size
        self._max_lines = max_lines
        self._before = before
        self._stream_of = stream_of
        self._events: dict[Hashable, _Event] = {}
        self._since: dict[Hashable, float] = {}

    @property
    def held_from(self) -> int | None:
        """The smallest offset that is held."""
        held = None
        for event in self._events.values():
            if held is None or event.held_from < held:
                held = event.held_from
        return held

    def stirs(self, records: Sequence[Record]) -> Sequence[int]:
        """Return the numbers of the lines that may begin an event."""
        return self._rules.beginnings([record.line for record in records])

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a line; return the events that it completes."""
        self.released_from = self.held_from if self._events else None
        if self._stream_of is not None and len(self._events) > _MOST_EVENTS:
            return [*self._close(self._oldest_first()[0]), *self._feed(record)]
        return self._feed(record)

    def _feed(self, record: Record) -> Sequence[Record]:
        stream = record.source if self._stream_of is None else self._stream_of(record)
        event = self._events.get(stream)
        if event is None:
            state = self._rules.begin(record.line)
            if not state or state is ENDS:
                return (record,)
            self._open(stream, record, state)
            return ()
        self._since.pop(stream, None)
        state = self._rules.follow(event.state, record.line)
        if not state:
            return [*self._close(stream), *self._feed(record)]
        if len(event.lines) >= self._max_lines or event.size + 1 + len(record.line) > self._max_size:
            return self._go_on_in_another(stream, event, record, state)
        event.lines.append(record.line)
        event.size += 1 + len(record.line)
        event.state = state
        if self._rules.is_tentative(state):
            event.tentative.append(record)
        elif event.tentative:
            event.tentative = []
        return self._close(stream) if state is ENDS else ()

    def flush(self, now: float) -> Sequence[Record]:
        """Return the events that have waited for long enough."""
        self.released_from = self.held_from
        made: list[Record] = []
        for stream in self._oldest_first():
            if now >= self._since.setdefault(stream, now) + self._wait:
                made += self._close(stream)
        while now == math.inf and self._events:
            made += self._close(self._oldest_first()[0])
        return made

    def _oldest_first(self) -> list[Hashable]:
        return sorted(self._events, key=lambda stream: self._events[stream].first.offset)

    def _open(self, stream: Hashable, record: Record, state: State) -> None:
        held_from = held_since(record, self._before) if self._before else record.offset
        self._events[stream] = _Event(record, state, held_from, tentative=self._rules.is_tentative(state))
        self._since.pop(stream, None)

    def _go_on_in_another(self, stream: Hashable, event: _Event, record: Record, state: State) -> Sequence[Record]:
        """Close an event that is as large as it may be; the line goes on with it in the next one.

        Who is fed again has to begin with the first of these, unless the line could begin an event as well and nothing
        that is held makes the lines before it be fed again, too. There is an end to that, since the journal is kept
        from there on.
        """
        made = self._join(event, 0)
        del self._events[stream]
        if event.pieces == _MOST_PIECES:
            return (made, *self._feed(record))
        if state is ENDS:
            return (made, record)
        begins_alone = self.held_from is None and not self._before and self._rules.begin(record.line) == state
        self._open(stream, record, state)
        if not begins_alone:
            self._events[stream].held_from = event.held_from
            self._events[stream].pieces = event.pieces + 1
        return (made,)

    def _close(self, stream: Hashable) -> list[Record]:
        """Complete an event; what was not of it after all is looked at again."""
        event = self._events.pop(stream)
        self._since.pop(stream, None)
        rest = event.tentative
        if len(rest) == len(event.lines):  # not even its beginning was one
            made = [rest[0]]
            rest = rest[1:]
        else:
            made = [self._join(event, len(rest))]
        for record in rest:
            made += self._feed(record)
        return made

    def _join(self, event: _Event, without: int) -> Record:
        lines = event.lines[: len(event.lines) - without]
        if len(lines) > 1:
            event.first.line = _NEWLINE.join(lines)
        return event.first

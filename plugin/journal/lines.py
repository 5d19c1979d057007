"""Turning journal bytes into lines: parts joined, each line with its time, stream and place."""

from typing import NamedTuple

from plugin.docker.frames import HEADER_SIZE, Fields, entry_size
from plugin.docker.partials import COMPLETE, FLUSH_AFTER, FLUSH_BEFORE, Joiner, source_index

_SOURCES = ("stdout", "stderr")


class Line(NamedTuple):
    """One line of a container, without its newline.

    ``time_nano``
        of its first part, nanoseconds since 1970 UTC
    ``source``
        ``stdout`` or ``stderr``
    ``offset``
        of the frame with which it was complete, or known to stay incomplete: the place in the journal's order
    ``complete``
        whether it ended with a newline
    """

    time_nano: int
    source: str
    text: bytes
    offset: int
    complete: bool = True


class LineDecoder:
    """A converter of journal bytes, piece by piece, into lines; it holds the parts of those that are incomplete."""

    def __init__(self) -> None:
        self._fields = Fields()
        self._joiner = Joiner()
        self._lines: list[Line] = []

    @property
    def holds(self) -> bool:
        """Whether parts wait for the rest of their line."""
        return self._joiner.held > 0

    @property
    def held_from(self) -> int:
        """Offset of the oldest part that waits for the rest of its line, −1 if none does."""
        return self._joiner.held_from

    def feed(self, buffer: bytes, offset: int) -> int:
        """Take the complete frames of ``buffer``, which lies at ``offset``; returns the bytes used up.

        Stops early at bytes that are not a frame.
        """
        fields, joiner = self._fields, self._joiner
        end = len(buffer)
        position = 0
        while end - position >= HEADER_SIZE:
            start = position + HEADER_SIZE
            entry_end = start + entry_size(buffer, position)
            if entry_end > end or entry_end == start or not fields.locate(buffer, start, entry_end):
                break
            action = joiner.accept(fields, buffer, offset + position)
            source = source_index(fields, buffer)
            text = buffer[fields.line_start : fields.line_end]
            if action == COMPLETE and not joiner.parts[source]:
                self._lines.append(Line(fields.time_nano, _SOURCES[source], text, offset + position))
            else:
                self._take_part(text, offset + position, action, source)
            position = entry_end
        return position

    def flush(self, offset: int) -> None:
        """Stop waiting for the rest of lines, which end incomplete at ``offset``."""
        for source in (0, 1):
            self._joiner.give_up(source)
            self._emit(offset, source, complete=False)

    def take(self) -> list[Line]:
        """Return the lines made so far, and forget them."""
        lines, self._lines = self._lines, []
        return lines

    def _take_part(self, text: bytes, offset: int, action: int, source: int) -> None:
        if action & FLUSH_BEFORE:
            self._emit(offset, source, complete=False)
        self._joiner.hold(text, self._fields.time_nano, source)
        if action & COMPLETE:
            self._emit(offset, source, complete=True)
        elif action & FLUSH_AFTER:
            self._emit(offset, source, complete=False)

    def _emit(self, offset: int, source: int, *, complete: bool) -> None:
        if self._joiner.parts[source]:
            text = self._joiner.join(source)
            self._lines.append(Line(self._joiner.times[source], _SOURCES[source], text, offset, complete))

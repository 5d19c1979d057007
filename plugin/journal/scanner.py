"""Walking a segment: where its frames end, how many lines it holds, how late its timestamps get.

The walk is what intake does for each byte that it takes and what recovery does after a crash, so it also runs
compiled (see ``scanner.pxd``).
"""

from plugin.docker.frames import HEADER_SIZE, MAX_ENTRY_SIZE, MAX_FRAME_SIZE, Fields, entry_size
from plugin.docker.partials import COMPLETE, FLUSH_AFTER, FLUSH_BEFORE, Joiner

POINT_SPACING = 1 << 16
"""Bytes between two points of the sparse index."""

NO_TIME = -(2**63)
"""``latest`` of a segment without entries."""


class Walker:
    """A walk over the frames of one segment, in order, that records points for its index.

    ``offset``
        of the first byte that is not part of a complete frame yet
    ``lines``
        of the segment so far, joined ones counted once, at the entry that completes them
    ``latest``
        the largest timestamp of the segment so far, nanoseconds since 1970 UTC
    ``malformed``
        whether the bytes at ``offset`` are not a frame; walking cannot go on
    ``points``
        index points found since they were last taken away: (offset, lines, latest, resume), all for what lies
        before the offset; reading from ``resume`` on finds the beginnings of all lines that end after the offset
    """

    __slots__ = ("_fields", "_next_point", "joiner", "latest", "lines", "malformed", "offset", "points")

    def __init__(self, offset: int, joiner: Joiner) -> None:
        self._fields = Fields()
        self._next_point = 0
        self.joiner = joiner
        self.offset = self.lines = self.latest = 0
        self.malformed = False
        self.points: list[tuple[int, int, int, int]] = []
        self.restart(offset, 0, NO_TIME)

    def restart(self, offset: int, lines: int, latest: int) -> None:
        """Go on at another place of which this is known: the offset, lines and latest timestamp before it."""
        self.offset = offset
        self.lines = lines
        self.latest = latest
        self.malformed = False
        self._next_point = offset + POINT_SPACING

    def walk(self, buffer: bytes) -> int:
        """Walk over the complete frames of ``buffer``, which begins at ``offset``; returns the bytes walked over."""
        header_size, max_size, spacing, complete = HEADER_SIZE, MAX_ENTRY_SIZE, POINT_SPACING, COMPLETE
        fields = self._fields
        joiner = self.joiner
        end = len(buffer)
        position = 0
        base = self.offset
        latest = self.latest
        lines = self.lines
        next_point = self._next_point
        while end - position >= header_size:
            size = entry_size(buffer, position)
            if size > max_size:
                self.malformed = True
                break
            entry_end = position + header_size + size
            if entry_end > end:
                break
            if size == 0 or not fields.locate(buffer, position + header_size, entry_end):
                self.malformed = True
                break
            if base + position >= next_point:
                self.points.append((base + position, lines, latest, self._resume(base + position)))
                next_point = base + position + spacing
            action = joiner.accept(fields, buffer, base + position)
            if action == complete:
                lines += 1
            else:
                lines += count_lines(action)
            latest = max(latest, fields.time_nano)
            position = entry_end
        self.offset = base + position
        self.latest = latest
        self.lines = lines
        self._next_point = next_point
        return position

    def point(self) -> tuple[int, int, int, int]:
        """Return the index point for the present offset."""
        return (self.offset, self.lines, self.latest, self._resume(self.offset))

    def _resume(self, offset: int) -> int:
        held_from = self.joiner.held_from
        return held_from if held_from >= 0 else offset


def count_lines(action: int) -> int:
    """Count the lines that a ``Joiner`` action emits."""
    return ((action & COMPLETE) != 0) + ((action & FLUSH_BEFORE) != 0) + ((action & FLUSH_AFTER) != 0)


def missing_bytes(tail: bytes) -> int:
    """Count the bytes that are missing at the end of an incomplete frame, of which ``tail`` is the beginning.

    While the header itself is incomplete, its missing bytes are counted: ask again when they are there.
    """
    if len(tail) < HEADER_SIZE:
        return HEADER_SIZE - len(tail)
    return HEADER_SIZE + entry_size(tail, 0) - len(tail)


def frame_behind(buffer: bytes) -> int:
    """Find where frames go on in ``buffer`` that begins with a malformed one, −1 if that is not clear yet.

    A frame whose content alone is bad is skipped by its own length, which holds if it leads to the end or to a frame.
    """
    if len(buffer) >= HEADER_SIZE:
        size = entry_size(buffer, 0)
        end = HEADER_SIZE + size
        if size <= MAX_ENTRY_SIZE and (end == len(buffer) or resynchronise(buffer, end) == end):
            return end
    return resynchronise(buffer, 1)


def resynchronise(buffer: bytes, start: int) -> int:
    """Find the first frame in ``buffer`` at or after ``start`` that the engine can have written; −1 if there is none.

    A frame counts when it is complete, carries the source that the engine always sends first, and is followed by
    nothing, by an incomplete header or by another plausible one.
    """
    fields = Fields()
    position = buffer.find(_ENTRY_START, start + HEADER_SIZE)
    while position >= 0:
        if _is_frame(fields, buffer, position - HEADER_SIZE):
            return position - HEADER_SIZE
        position = buffer.find(_ENTRY_START, position + 1)
    return -1


_ENTRY_START = b"\x0a\x06std"


def is_frame(buffer: bytes) -> bool:
    """Return whether a buffer begins with a complete frame."""
    end = HEADER_SIZE + entry_size(buffer, 0) if len(buffer) >= HEADER_SIZE else 0
    return HEADER_SIZE < end <= min(len(buffer), MAX_FRAME_SIZE) and Fields().locate(buffer, HEADER_SIZE, end)


def may_be_entry(buffer: bytes) -> bool:
    """Return whether an incomplete frame begins, as far as it is there, with the source as the engine's frames do."""
    return _ENTRY_START.startswith(buffer[HEADER_SIZE : HEADER_SIZE + len(_ENTRY_START)])


def _is_frame(fields: Fields, buffer: bytes, position: int) -> bool:
    body = position + HEADER_SIZE
    end = body + entry_size(buffer, position)
    if end > len(buffer) or not fields.locate(buffer, body, end) or fields.time_nano <= 0:
        return False
    return len(buffer) - end < HEADER_SIZE or entry_size(buffer, end) <= MAX_ENTRY_SIZE

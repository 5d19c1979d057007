"""Turning journal bytes into the frames that ``ReadLogs`` answers with: whole lines, with newline, chosen ones only.

Does for each line what the readers of the engine's own drivers do, so it also runs compiled (see ``read_frames.pxd``).
"""

from plugin.docker.frames import HEADER_SIZE, Fields, encode_varint, entry_size
from plugin.docker.partials import COMPLETE, FLUSH_AFTER, FLUSH_BEFORE, Joiner, source_index

_NEWLINE = 0x0A
_LINE_KEY = 0x1A


class Reframer:
    """A converter of journal bytes, piece by piece, into frames for the engine.

    A line of several parts becomes one entry with the first part's timestamp. Lines are chosen as the engine's own
    readers do: the first ``skip`` lines from offset ``first`` on are left out (that is how a tail is chosen), then
    leading ones older than ``since`` (nanoseconds), and the first one later than ``until`` ends the reading; 0 means
    no such bound. Parts before ``first`` only serve to complete lines that end behind it.

    ``done``
        whether the reading has ended
    """

    __slots__ = (
        "_fields",
        "_first",
        "_heads",
        "_joiner",
        "_out",
        "_since",
        "_skip",
        "_until",
        "done",
    )

    def __init__(self, *, first: int = 0, skip: int = 0, since: int = 0, until: int = 0) -> None:
        self._first = first
        self._skip = skip
        self._since = since
        self._until = until
        self._fields = Fields()
        self._joiner = Joiner()
        self._heads = [b"", b""]
        self._out = bytearray()
        self.done = False

    def feed(self, buffer: bytes, offset: int) -> int:
        """Take the complete frames of ``buffer``, which lies at ``offset``; returns the bytes used up.

        Stops early at bytes that are not a frame, and when the reading has ended.
        """
        header_size, complete = HEADER_SIZE, COMPLETE
        fields = self._fields
        joiner = self._joiner
        characters = buffer  # which C slices for much less than Python's objects
        end = len(buffer)
        position = 0
        while end - position >= header_size and not self.done:
            start = position + header_size
            entry_end = start + entry_size(buffer, position)
            if entry_end > end or entry_end == start or not fields.locate(buffer, start, entry_end):
                break
            action = joiner.accept(fields, buffer, offset + position)
            source = source_index(fields, buffer)
            if action == complete and not joiner.parts[source]:
                if self._wanted(offset + position, fields.time_nano):
                    head = characters[start : fields.head_end] if fields.head_end >= 0 else _head(fields, buffer)
                    self._append(head, characters[fields.line_start : fields.line_end], 1)
            else:
                self._handle_part(buffer, offset + position, start, action, source)
            position = entry_end
        return position

    def take(self) -> bytes:
        """Return the frames made so far, and forget them."""
        frames = bytes(self._out)
        self._out.clear()
        return frames

    def flush(self, offset: int) -> None:
        """Emit the lines that are still incomplete at the end of the journal, which is ``offset``, as they are."""
        for source in (0, 1):
            if not self.done:
                self._emit_held(offset, source, 0)

    def insert(self, offset: int, time_nano: int, line: bytes) -> None:
        """Emit a line of our own on stderr in the place of what is missing before an offset, if it is within bounds.

        Lines that were incomplete there stay so.
        """
        for source in (0, 1):
            self._joiner.give_up(source)
            if not self.done:
                self._emit_held(offset, source, 0)
        if not self.done and offset >= self._first and self._skip <= 0 and time_nano >= self._since:
            self._append(b"\x0a\x06stderr\x10" + encode_varint(time_nano), line, 1)

    def _handle_part(self, buffer: bytes, offset: int, start: int, action: int, source: int) -> None:
        fields = self._fields
        if action & FLUSH_BEFORE:
            self._emit_held(offset, source, 0)
        if not self._joiner.parts[source]:
            self._heads[source] = buffer[start : fields.head_end] if fields.head_end >= 0 else _head(fields, buffer)
        self._joiner.hold(buffer[fields.line_start : fields.line_end], fields.time_nano, source)
        if action & COMPLETE:
            self._emit_held(offset, source, 1)
        elif action & FLUSH_AFTER:
            self._emit_held(offset, source, 0)

    def _emit_held(self, offset: int, source: int, newline: int) -> None:
        joiner = self._joiner
        if not joiner.parts[source]:
            return
        line = joiner.join(source)
        if not self.done and self._wanted(offset, joiner.times[source]):
            self._append(self._heads[source], line, newline)

    def _wanted(self, offset: int, time_nano: int) -> bool:
        if offset < self._first:
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        if self._since:
            if time_nano < self._since:
                return False
            self._since = 0
        if self._until and time_nano > self._until:
            self.done = True
            return False
        return True

    def _append(self, head: bytes, line: bytes, newline: int) -> None:
        out = self._out
        line_size = len(line) + newline
        if line_size < 0x80:
            size = len(head) + 2 + line_size
            prefix = b""
        else:
            prefix = encode_varint(line_size)
            size = len(head) + 1 + len(prefix) + line_size
        out.append(size >> 24)
        out.append(size >> 16 & 0xFF)
        out.append(size >> 8 & 0xFF)
        out.append(size & 0xFF)
        out += head
        out.append(_LINE_KEY)
        if prefix:
            out += prefix
        else:
            out.append(line_size)
        out += line
        if newline:
            out.append(_NEWLINE)


def _head(fields: Fields, buffer: bytes) -> bytes:
    """Encode source and time again, for an entry whose fields do not come in the engine's order."""
    source = buffer[fields.source_start : fields.source_end]
    return b"\x0a" + encode_varint(len(source)) + source + b"\x10" + encode_varint(fields.time_nano)

"""Lines that the engine cut into parts: which entries belong together.

The engine cuts lines at 16 KiB. The parts share an id and the last one says so; engines before 18.06 mark all
parts but the last as partial and give no id. Parts of stdout and stderr can alternate.
"""

from plugin.docker.frames import Fields

MAX_JOINED = 1 << 20
"""Bytes up to which parts are held together for sure; a longer line comes in pieces that are one part larger."""

FLUSH_BEFORE, HOLD, COMPLETE, FLUSH_AFTER = 1, 2, 4, 8
"""What to do with an entry, as bits: emit first what is held of its source (its line ended without a last part);
hold the entry; it completes a line; emit at once what is held with it (the bound is reached)."""

_LETTER_E = ord("e")


class Joiner:
    """Follows the parts of lines through a journal, says for each entry what to do with it, and holds what it has to.

    ``parts``
        the parts that are held, by source
    ``times``
        the time of the first of them, in nanoseconds since 1970 UTC
    """

    __slots__ = ("_ids", "_sizes", "_starts", "parts", "times")

    def __init__(self) -> None:
        self.parts: list[list[bytes]] = [[], []]
        self.times = [0, 0]
        self._starts = [-1, -1]
        self._sizes = [0, 0]
        self._ids = [b"", b""]

    @property
    def held_from(self) -> int:
        """Offset of the oldest part that waits for the rest of its line, −1 if none does."""
        stdout, stderr = self._starts
        if stdout < 0 or stderr < 0:
            return max(stdout, stderr)
        return min(stdout, stderr)

    @property
    def held(self) -> int:
        """How many lines are incomplete: 0, 1 or 2 (one each for stdout and stderr)."""
        return (self._starts[0] >= 0) + (self._starts[1] >= 0)

    def give_up(self, source: int) -> None:
        """Wait no more for the rest of a line; ``source`` is as of ``source_index``."""
        self._starts[source] = -1

    def accept(self, fields: Fields, buffer: bytes, offset: int) -> int:
        """Take note of the entry at ``offset`` whose fields were located in ``buffer``; returns the bits above."""
        source = source_index(fields, buffer)
        if not fields.partial and self._starts[source] < 0:
            return COMPLETE
        return self._accept_part(fields, buffer, offset, source)

    def hold(self, line: bytes, time_nano: int, source: int) -> None:
        """Hold a part, also the last one of a line, which is joined next."""
        parts = self.parts[source]
        if not parts:
            self.times[source] = time_nano
        parts.append(line)

    def join(self, source: int) -> bytes:
        """Return the line that the parts held make, and hold them no longer."""
        line = b"".join(self.parts[source])
        self.parts[source] = []
        return line

    def _accept_part(self, fields: Fields, buffer: bytes, offset: int, source: int) -> int:
        action = 0
        identifier = buffer[fields.id_start : fields.id_end]
        if self._starts[source] >= 0 and identifier != self._ids[source]:
            self._starts[source] = -1
            action = FLUSH_BEFORE
        if not fields.partial or fields.last:
            self._starts[source] = -1
            return action | COMPLETE
        if self._starts[source] < 0:
            self._starts[source] = offset
            self._sizes[source] = 0
            self._ids[source] = identifier
        self._sizes[source] += fields.line_end - fields.line_start
        if self._sizes[source] > MAX_JOINED:
            self._starts[source] = -1
            return action | HOLD | FLUSH_AFTER
        return action | HOLD


def source_index(fields: Fields, buffer: bytes) -> int:
    """Return 0 for stdout or 1 for stderr by the located fields of an entry; anything else counts as stdout."""
    return int(fields.source_end - fields.source_start == 6 and buffer[fields.source_start + 3] == _LETTER_E)

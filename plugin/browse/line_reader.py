"""Reading a journal line by line from a place that can be written down, and gone on from later."""

import math
import re
import time
from pathlib import Path
from typing import NamedTuple

from plugin.docker.frames import MAX_FRAME_SIZE
from plugin.journal.corruption import damage_at
from plugin.journal.lines import Line, LineDecoder
from plugin.journal.reader import JournalReader
from plugin.journal.seeking import find_start, journal_end

_CHUNK = 256 * 1024
_PATIENCE = 5.0  # seconds after which a frame that is incomplete at the end of a journal will stay so
_PLACE = re.compile(r"([0-9a-f]{1,16})(?:-([0-9a-f]{1,16}))?")


class Place(NamedTuple):
    """Where to go on in a journal.

    ``resume``
        the offset from which to read: of the oldest part of a line that is incomplete, else of the next frame
    ``given``
        the offset below which all lines have been returned
    """

    resume: int
    given: int

    def __str__(self) -> str:
        """Write it, in 1 to 33 characters that need no quoting."""
        return f"{self.resume:x}" if self.resume == self.given else f"{self.resume:x}-{self.given:x}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what ``str`` wrote. Raises ``ValueError`` for anything else."""
        match = _PLACE.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is not a place in a journal")
        resume = int(match[1], 16)
        return cls(resume, max(resume, int(match[2], 16)) if match[2] else resume)


class LineReader:
    """A reader of a journal's lines, while it is written, compressed or trimmed.

    It begins with the last ``tail`` lines, all if below 0, or at a ``place``.

    ``missing``
        bytes passed over since it was last set to 0: what retention removed, or what is damaged
    """

    def __init__(self, folder: Path, *, tail: int = -1, place: Place | None = None) -> None:
        """Find where to begin. Raises ``OSError`` if the journal cannot be read."""
        self._folder = folder
        self._skip = 0
        self._passed_from = -1
        self.missing = 0
        if place is None:
            start = find_start(folder, journal_end(folder), tail=tail, since=0, count_incomplete=False)
            place = Place(start.resume, start.first)
            self._skip = start.skip
        self._begin(place)

    def _begin(self, place: Place) -> None:
        self._reader = JournalReader(self._folder, place.resume)
        self._decoder = LineDecoder()
        self._given = place.given
        self._expected = place.resume
        self._stuck_since = math.inf

    @property
    def place(self) -> Place:
        """Where to go on: behind all lines that were returned."""
        held = self._decoder.held_from
        given = max(self._given, self._reader.offset)
        return Place(given if held < 0 else held, given)

    def behind(self) -> int:
        """Return how many bytes of the journal have not been read. Raises ``OSError``."""
        return max(0, journal_end(self._folder) - self._reader.offset)

    def skip_to_tail(self, tail: int) -> None:
        """Go on with the last ``tail`` lines, and count what is passed over as missing. Raises ``OSError``."""
        before = self._reader.offset
        self.close()
        start = find_start(self._folder, journal_end(self._folder), tail=tail, since=0, count_incomplete=False)
        if start.first > before:
            self._begin(Place(start.resume, start.first))
            self._skip = start.skip
            self._passed_from = before

    def read(self) -> list[Line]:
        """Return the next lines, of 256 KiB of journal or one larger line; none when there are no more (yet)."""
        reader, decoder = self._reader, self._decoder
        while True:
            chunk = reader.peek(_CHUNK)
            self.missing += reader.offset - self._expected
            used = decoder.feed(chunk, reader.offset)
            if not used and len(chunk) == _CHUNK:
                used = decoder.feed(reader.peek(MAX_FRAME_SIZE), reader.offset)
            reader.advance(used)
            self._expected = reader.offset
            if used:
                self._stuck_since = math.inf
                lines = self._fresh(decoder.take())
                if lines:
                    return lines
            elif not chunk or not (self._skip_damage() or reader.next_segment()):
                return []

    def rest(self) -> None:
        """Close the journal's file until the next ``read``."""
        self._reader.rest()

    def close(self) -> None:
        """Close the journal's files."""
        self._reader.close()

    def _fresh(self, lines: list[Line]) -> list[Line]:
        """Leave out lines that were returned by an earlier reader, and those before the tail."""
        if lines and lines[0].offset < self._given:
            lines = [line for line in lines if line.offset >= self._given]
        if self._skip:
            skipped = min(self._skip, len(lines))
            self._skip -= skipped
            lines = lines[skipped:]
        if lines and self._passed_from >= 0:
            self.missing += lines[0].offset - self._passed_from
            self._passed_from = -1
        return lines

    def _skip_damage(self) -> bool:
        now = time.monotonic()
        self._stuck_since = min(self._stuck_since, now)
        skipped = damage_at(self._reader, ended=now - self._stuck_since > _PATIENCE)
        if skipped:
            self._stuck_since = math.inf
            self._reader.advance(skipped)
        return bool(skipped)

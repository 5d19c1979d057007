"""Reading a container's log back, as ``docker logs`` asks for it."""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

from plugin.docker.frames import HEADER_SIZE, MAX_FRAME_SIZE, Fields, entry_size
from plugin.journal.corruption import damage_at
from plugin.journal.gap_reason import DAMAGED
from plugin.journal.losses import cover, read_losses
from plugin.journal.read_frames import Reframer
from plugin.journal.reader import HeldSegments, JournalReader
from plugin.journal.scanner import is_frame
from plugin.journal.seeking import find_start, journal_end

logger = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are wanted; the conditions apply in this order, as in the engine's own readers.

    ``tail``
        the last so many lines, all if below 0
    ``since``, ``until``
        nanoseconds since 1970 UTC, 0 for no bound; leading lines before ``since`` are left out, the first one later
        than ``until`` ends the reading
    ``follow``
        go on with lines that come later
    """

    tail: int = -1
    since: int = 0
    until: int = 0
    follow: bool = False


class LogReading:
    """One reading of one journal: call ``read`` until it returns nothing, then ``finish``; close it in any case.

    When following, ``read`` may be called again whenever more has been written.
    """

    def __init__(self, folder: Path, query: LogQuery, held: HeldSegments | None = None) -> None:
        end = journal_end(folder)
        start = find_start(folder, end, tail=query.tail, since=query.since, count_incomplete=not query.follow)
        self._limit = None if query.follow else end
        self._folder = folder
        self._missing: tuple[int, int] | None = None
        self._stuck_since = math.inf
        self._reader = JournalReader(folder, start.resume)
        self._reader.hold(held)
        self._reframer = Reframer(
            first=start.first, skip=start.skip, since=_within_int64(query.since), until=_within_int64(query.until)
        )

    @property
    def done(self) -> bool:
        """Whether nothing more will come: ``until`` was passed, or the end as it was when the reading began."""
        return self._reframer.done or (self._limit is not None and self._reader.offset >= self._limit)

    def read(self) -> bytes:
        """Return the next frames, with whole lines; empty when there are no more (yet)."""
        reader, reframer = self._reader, self._reframer
        while not reframer.done:
            chunk = self._peek(_CHUNK)
            if reader.unread:
                self._pass_unread()
            used = self._feed(chunk)
            if used == 0 and len(chunk) == _CHUNK:
                chunk = self._peek(MAX_FRAME_SIZE)
                used = self._feed(chunk)
            reader.advance(used)
            frames = reframer.take()
            if frames:
                return frames
            if used:
                self._stuck_since = math.inf
            elif not chunk or not (self._skip_damage() or reader.next_segment()):
                return b""
        return b""

    def finish(self) -> bytes:
        """Return what is left of lines whose end never came; nothing follows it."""
        self._pass_unread()
        if self._missing:
            self._tell_missing(time.time_ns())
        self._reframer.flush(self._reader.offset)
        return self._reframer.take()

    def _feed(self, chunk: bytes) -> int:
        if self._missing and is_frame(chunk):
            self._tell_missing(_time_of(chunk))
        return self._reframer.feed(chunk, self._reader.offset)

    def _skip_damage(self) -> bool:
        """Go on behind bytes that are not a frame, and remember them as missing; false if they may become one.

        An incomplete one that a follower has waited for long enough will not.
        """
        now = time.monotonic()
        self._stuck_since = min(self._stuck_since, now)
        start = self._reader.offset
        skipped = damage_at(self._reader, ended=self._limit is not None or now - self._stuck_since > _PATIENCE)
        if not skipped:
            return False
        self._stuck_since = math.inf
        self._reader.advance(skipped)
        self._miss(start, start + skipped)
        return True

    def _pass_unread(self) -> None:
        for start, end in self._reader.unread:
            self._miss(start, end)
        self._reader.unread.clear()

    def _miss(self, start: int, end: int) -> None:
        self._missing = (self._missing[0] if self._missing else start, end)

    def _tell_missing(self, time_nano: int) -> None:
        """Insert, in its place, a line about what is damaged up to where the reader is.

        What was given up on purpose is not: of that a kill, or a full disk, can have left the beginning.
        """
        if self._missing:
            start, end = self._missing
            self._missing = None
            if cover(read_losses(self._folder), start, end):
                return
            line = f"peavey: {end - start} bytes of this container's log are missing here: {DAMAGED}"
            logger.warning(
                "container %s: %d bytes from offset %d on are damaged", self._folder.name, end - start, start
            )
            self._reframer.insert(end, time_nano, line.encode())

    def rest(self) -> None:
        """Close the journal's files until the next ``read``: retention may take meanwhile what is not read yet."""
        self._reader.close()

    def close(self) -> None:
        """Close the journal's files."""
        self._reader.close()

    def _peek(self, size: int) -> bytes:
        if self._limit is not None:
            size = min(size, self._limit - self._reader.offset)
        return self._reader.peek(size) if size > 0 else b""


def _time_of(buffer: bytes) -> int:
    """Return the time of the frame with which a buffer begins, nanoseconds since 1970 UTC."""
    fields = Fields()
    fields.locate(buffer, HEADER_SIZE, HEADER_SIZE + entry_size(buffer, 0))
    return max(0, fields.time_nano)


def _within_int64(time: int) -> int:
    """Bring a time that a person may ask for, such as the year 9999, to what an entry's timestamp can be."""
    return max(-(2**63), min(time, 2**63 - 1))

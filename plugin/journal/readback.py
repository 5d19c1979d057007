"""Reading a container's log back, as ``docker logs`` asks for it."""

from dataclasses import dataclass
from pathlib import Path

from plugin.docker.frames import MAX_FRAME_SIZE
from plugin.journal.read_frames import Reframer
from plugin.journal.reader import JournalReader
from plugin.journal.seeking import find_start, journal_end

_CHUNK = 256 * 1024


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

    def __init__(self, folder: Path, query: LogQuery) -> None:
        end = journal_end(folder)
        start = find_start(folder, end, tail=query.tail, since=query.since, count_incomplete=not query.follow)
        self._limit = None if query.follow else end
        self._reader = JournalReader(folder, start.resume)
        self._reader.hold()
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
            used = reframer.feed(chunk, reader.offset)
            if used == 0 and len(chunk) == _CHUNK:
                chunk = self._peek(MAX_FRAME_SIZE)
                used = reframer.feed(chunk, reader.offset)
            reader.advance(used)
            frames = reframer.take()
            if frames:
                return frames
            if used == 0 and (not chunk or not reader.next_segment()):
                return b""
        return b""

    def finish(self) -> bytes:
        """Return what is left of lines whose end never came; nothing follows it."""
        self._reframer.flush(self._reader.offset)
        return self._reframer.take()

    def close(self) -> None:
        """Close the journal's files."""
        self._reader.close()

    def _peek(self, size: int) -> bytes:
        if self._limit is not None:
            size = min(size, self._limit - self._reader.offset)
        return self._reader.peek(size) if size > 0 else b""


def _within_int64(time: int) -> int:
    """Bring a time that a person may ask for, such as the year 9999, to what an entry's timestamp can be."""
    return max(-(2**63), min(time, 2**63 - 1))

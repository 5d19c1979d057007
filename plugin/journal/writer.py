"""Writing a journal: bytes go from a FIFO into the newest segment inside the kernel, frames are looked at afterwards.

The file's size is the truth. Whatever a killed process left behind, opening the journal walks from the last index
point to the end and goes on there.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from plugin.docker.frames import HEADER_SIZE
from plugin.docker.partials import Joiner
from plugin.errors import HeldError
from plugin.journal.active_segment import NewestSegment, create_segment, cut_closed_segment, open_segment
from plugin.journal.corruption import bytes_to_skip, keep_copy, set_aside
from plugin.journal.drop_mode import Dropper, require_room
from plugin.journal.gap_marker import GapMarker
from plugin.journal.index import read_points
from plugin.journal.layout import index_path
from plugin.journal.losses import Cause, record_loss
from plugin.journal.recovery import find_end
from plugin.journal.scanner import NO_TIME, Walker, frame_behind, missing_bytes, resynchronise
from plugin.journal.splice import UnwrittenError, move, waiting
from plugin.journal.write_errors import WriteFault, classify

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20


class JournalWriter:
    """The one writer of a container's journal; used by one thread.

    ``segment_size`` (bytes) is where a segment is closed, at the next frame boundary; ``label`` names the container in
    the log. Opening takes up an existing journal at its end, or makes a new one; where the disk does not let it, what
    comes is dropped until it does, or left in the FIFO if a resource is lacking, see ``write_errors``.

    ``found``
        offset behind the last complete frame that was there, ``None`` until the disk has let the journal be opened
    ``began``
        whether there was not one byte of it
    """

    def __init__(self, folder: Path, segment_size: int, label: str = "") -> None:
        self.folder = folder
        self._label = label or folder.name[:12]
        self._reason: OSError | None = None
        self.segment_size = segment_size
        self.dropped = Dropper()
        self._gap = GapMarker(folder)
        self._end = 0
        self._segment = NewestSegment()
        self._walker = Walker(0, Joiner())
        self._opened = False
        self._unwalked: OSError | None = None
        self.found: int | None = None
        self.began = False
        self._lines_elsewhere = 0
        try:
            self._open()
            self._walk()
        except OSError as error:
            self._begin_dropping(error)
        if self._opened and self._unwalked is None:
            self._note_found()
            self.began = self._end == 0

    @property
    def offset(self) -> int:
        """Offset behind the last byte that was written."""
        return self._end

    @property
    def base(self) -> int:
        """Offset of the segment that is written."""
        return self._segment.base

    @property
    def lines(self) -> int:
        """How many lines were written since it was opened; one that the engine cut into parts counts once."""
        return self._lines_elsewhere + self._walker.lines

    @property
    def at_boundary(self) -> bool:
        """Whether the journal ends with a complete frame, so that another stream may go on with it."""
        if self.dropped.active:
            return not self.dropped.tail
        return self._walker.offset == self._end

    @property
    def reason(self) -> OSError | None:
        """The error for which the journal is not being written, ``None`` while it is."""
        return self._reason if self.dropped.active else None

    @property
    def held(self) -> bool:
        """Whether bytes are left in the FIFO until something that is lacking for now is there again."""
        return self.dropped.active and self._reason is not None and classify(self._reason) is WriteFault.PASSING

    def retry(self) -> None:
        """Try to write again what is held. Raises ``HeldError`` if it still has to be."""
        if self.held:
            self.settle()
            if self.held:
                raise HeldError(f"cannot write the journal now: {self._reason}") from self._reason

    def take(self, fifo: int, limit: int) -> int:
        """Move up to ``limit`` bytes from a FIFO to the journal's end; returns the bytes taken, 0 at end of file.

        On a full or failing disk the bytes are read, dropped at frame boundaries and counted in ``dropped``, until
        there is room. Raises ``BlockingIOError`` while the FIFO is empty, and ``HeldError``, having read nothing, where
        a resource is lacking for now.
        """
        if self.dropped.active:
            self.retry()
        if self.dropped.active:
            return self._drop(fifo, limit)
        if self._unwalked:
            self._advance()
            if self._unwalked:
                raise HeldError(f"cannot read the journal's end now: {self._unwalked}") from self._unwalked
            if self.dropped.active:
                return self._drop(fifo, limit)
        try:
            self._rotate_if_full()
            count = move(fifo, self._segment.file, min(limit, self._room()), self._end - self.base)
        except BlockingIOError:
            raise
        except UnwrittenError as error:
            self._begin_dropping(error, error.content)
            return len(error.content)
        except OSError as error:
            if classify(error) is WriteFault.PASSING:
                raise HeldError(f"cannot write the journal now: {error}") from error
            self._begin_dropping(error)
            return self._drop(fifo, limit)
        self._end += count
        self._advance()
        return count

    def try_to_resume(self) -> bool:
        """End dropping if there is room again; true if the journal is being written.

        The journal goes on in a new segment whose offset counts the dropped bytes too: a gap between segments tells
        every reader that, and how much, is missing.
        """
        return self._end_dropping(lambda: require_room(self.folder))

    def settle(self) -> bool:
        """End dropping because nothing more comes: the gap is made, for which no room is needed, only a new file.

        False if the disk refuses even that; it can be asked again, also after ``close``.
        """
        return self._end_dropping(lambda: None)

    def rotate(self) -> bool:
        """Close the newest segment and begin another; false where that cannot be: it is empty or ends in a frame.

        While lines are dropped, the next segment is begun when there is room.
        """
        if not self._segment.is_open or self._end == self.base or self._walker.offset != self._end:
            return False
        if self.dropped.active:
            self._close_segment()
            return True
        try:
            self._switch(self._end)
        except OSError as error:
            logger.debug("%s: the newest segment stays open: %s", self.folder, error)
            return False
        return True

    def cut_tail(self) -> int:
        """Cut off an incomplete frame at the end, which nothing can complete any more; returns its bytes.

        Its length may be wrong: frames that lie behind its beginning stay. What is cut off is kept apart.
        """
        if self.dropped.active:
            return self.dropped.forget_tail()
        if self._unwalked:
            self._advance()
            if self._unwalked:  # what is complete is not known; whoever opens the journal next finds it out
                return 0
        lost = 0
        while torn := self._end - self._walker.offset:
            lost += torn
            bad = self._walker.offset
            try:
                rest = self._segment.read(bad, self._end)
                following = frame_behind(rest) if self._walker.malformed else resynchronise(rest, 1)
                if following <= 0 and not self._walker.malformed:
                    keep_copy(self.folder, bad, rest)
                    self._end = bad
                    self._segment.cut(bad)
                    break
                self._set_aside(bad + following if following > 0 else self._end)
                self._walk()
            except OSError as error:
                self._begin_dropping(error)
                self.dropped.forget_tail()
                break
            lost -= self._end - bad - following if following > 0 else 0
        return lost

    def close(self) -> None:
        """Close the files; the journal stays as it is."""
        self._segment.close()

    def _drop(self, fifo: int, limit: int) -> int:
        """Note where the journal will go on, then take from a FIFO and drop: a kill in between has noted too much.

        Noted afterwards, what a kill finds read but not noted would be lost without a trace. So no more is read than
        was there, and noted; or one byte, to meet the end of file, which may be one that came at this moment.
        """
        coming = min(limit, waiting(fifo))
        self._note_gap(coming)
        return self.dropped.take(fifo, coming or 1)

    def _note_gap(self, coming: int = 0) -> None:
        if self._opened:
            self._gap.write(self._end + self.dropped.bytes + len(self.dropped.tail) + coming)

    def _end_dropping(self, check: Callable[[], None]) -> bool:
        """Go on behind what was dropped, unless ``check``, or the disk, raises ``OSError``."""
        if not self.dropped.active:
            return True
        try:
            check()
            if not self._opened:
                self._open()
            self._walk_anew()
            if self.found is None:
                self._note_found()
            if self.dropped.bytes or not self._segment.is_open:
                record_loss(self.folder, self._end, self._end + self.dropped.bytes, self._cause())
                self._switch(self._end + self.dropped.bytes, self.dropped.tail)
            else:
                self._segment.write(self._end, self.dropped.tail)
                self._end += len(self.dropped.tail)
        except OSError as error:
            logger.debug("%s: the journal still cannot be written: %s", self.folder, error)
            self._blame(error)
            return False
        if self.dropped.bytes or not self.held:
            logger.warning(
                "container %s: writing the journal again, %d lines (%d bytes) were dropped",
                self._label,
                self.dropped.lines,
                self.dropped.bytes,
            )
        self.dropped.end()
        self._gap.clear()
        self._advance()
        return not self.dropped.active

    def _room(self) -> int:
        """How much may be taken before the segment has to be closed: at least the rest of an incomplete frame."""
        room = self.segment_size - (self._end - self.base)
        if room > 0:
            return room
        if self._walker.offset == self._end or self._walker.malformed:
            return _CHUNK
        tail = self._segment.read(self._walker.offset, self._walker.offset + HEADER_SIZE)
        return missing_bytes(tail) - max(0, self._end - self._walker.offset - len(tail))

    def _rotate_if_full(self) -> None:
        """Begin another segment when this one is full; where that fails, this one grows, which may still work."""
        if self._end - self.base >= self.segment_size and self.at_boundary:
            try:
                self._switch(self._end)
            except OSError as error:
                logger.debug("%s: the newest segment grows beyond its size: %s", self.folder, error)

    def _advance(self) -> None:
        """Walk over what has been added; where the disk does not let bytes be set aside, dropping begins.

        For want of a resource nothing is dropped: the bytes are in the segment, and the next walk begins with them,
        before more is taken.
        """
        self._unwalked = None
        try:
            self._walk()
        except OSError as error:
            if classify(error) is WriteFault.PASSING:
                self._unwalked = error
                logger.debug("%s: what has been added is looked at later: %s", self.folder, error)
            else:
                self._begin_dropping(error)

    def _walk(self) -> None:
        walker = self._walker
        while walker.offset < self._end:
            chunk = self._segment.read(walker.offset, min(self._end, walker.offset + 2 * _CHUNK))
            walked = walker.walk(chunk)
            if walker.malformed:
                if not self._skip_malformed():
                    break
            elif walked == 0:
                break
        self._save_points()

    def _walk_anew(self) -> None:
        """Walk over what could not be read before; an entry that is incomplete before a gap goes with it."""
        if self._unwalked and not self._segment.is_open:
            points = read_points(index_path(self.folder, self.base), self.base, self._walker.offset)
            self._segment = open_segment(self.folder, self.base, points)
        self._walk()
        self._unwalked = None
        torn = self._end - self._walker.offset
        if torn and self.dropped.bytes:
            self._end = self._walker.offset
            self._segment.cut(self._end)
            self.dropped.bytes += torn
            self.dropped.lines += 1

    def _save_points(self) -> None:
        """Write pending index points; without room for them they wait."""
        if self._walker.points and self._segment.save_points(self._walker.points):
            self._walker.points.clear()

    def _close_segment(self) -> None:
        self._walker.points.append(self._walker.point())
        self._save_points()
        self._segment.close()

    def _switch(self, base: int, content: bytes = b"") -> None:
        """Go on in a new segment, which holds ``content`` already. Raises ``OSError``, and all is as it was."""
        created = create_segment(self.folder, base, content)
        if self._segment.is_open:
            self._close_segment()
        self._segment = created
        self._end = base + len(content)
        self._lines_elsewhere += self._walker.lines
        self._walker.restart(base, 0, NO_TIME)
        self._walker.points = [self._walker.point()]
        self._save_points()

    def _open(self) -> None:
        """Go on at the journal's end, or make the journal; what the segment holds is still to be walked.

        Raises ``OSError``; nothing may be written until the end is found (``_opened``).
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        found = find_end(self.folder)
        self._end, self._segment, self._walker = found.offset, found.segment, found.walker
        self._opened = True
        if not self._segment.is_open:
            self._switch(self._end)
        self._gap.clear()

    def _note_found(self) -> None:
        """Note where what was there ends: lines before that were not written by this process."""
        self.found = self._walker.offset
        self._lines_elsewhere = -self._walker.lines

    def _skip_malformed(self) -> bool:
        """Go on behind bytes that are not frames, if the next frame can be found; else they wait for more bytes."""
        bad = self._walker.offset
        count = bytes_to_skip(self._segment.read(bad, min(self._end, bad + 2 * _CHUNK)))
        if count:
            self._set_aside(bad + count)
        return count > 0

    def _set_aside(self, good: int) -> None:
        """Move the bytes from the walker's offset up to ``good`` into a file of their own, the rest into a segment.

        Killed in between, the old segment still holds all of it, and readers stop in it where the new one begins.
        """
        base, bad = self.base, self._walker.offset
        rest = self._segment.read(good, self._end)
        set_aside(self.folder, bad, self._segment.read(bad, good))
        self._switch(good, rest)
        cut_closed_segment(self.folder, base, bad)

    def _begin_dropping(self, reason: OSError, unwritten: bytes = b"") -> None:
        """Turn to dropping where the disk takes no more; an incomplete frame is taken back, it may still be saved."""
        start = self._walker.offset
        tail = b""
        if self._segment.is_open:
            try:
                tail = self._segment.read(start, self._end)
            except OSError as error:
                self._unwalked = error
                logger.debug("%s: what was written last stays, though it cannot be read now: %s", self.folder, error)
            else:
                self._unwalked = None
                self._end = start
        self._blame(reason)
        self.dropped.begin(tail + unwritten)
        self._note_gap()  # before the tail is only in memory
        if self._segment.is_open and self._unwalked is None:
            self._segment.cut(self._end)

    def _cause(self) -> Cause:
        """Return why lines are dropped, for those who miss them."""
        is_full = self._reason is None or classify(self._reason) is WriteFault.FULL
        return Cause.DISK_FULL if is_full else Cause.UNWRITABLE

    def _blame(self, reason: OSError) -> None:
        """Remember why the journal cannot be written; it is logged when lines begin to be dropped for it."""
        dropping = self.dropped.active and not self.held
        self._reason = reason
        if not dropping and classify(reason) is not WriteFault.PASSING:
            logger.error(
                "container %s: cannot write the journal, the newest lines are dropped: %s", self._label, _told(reason)
            )


def _told(reason: OSError) -> str:
    """Return an error with what caused it."""
    return f"{reason} ({reason.__cause__})" if reason.__cause__ is not None else str(reason)

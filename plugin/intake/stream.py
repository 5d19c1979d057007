"""Streams and the containers that they belong to, as intake sees them. Only the pump's thread changes them."""

import fcntl
import logging
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path

from plugin.docker.info import Info, short_id
from plugin.errors import HeldError, JournalError
from plugin.intake.pacing import Pace
from plugin.journal.cursors.keeper import CursorKeeper
from plugin.journal.cursors.placement import birth_by_cursors
from plugin.journal.layout import is_gone, may_be_folder
from plugin.journal.metadata import Earlier, JournalMetadata, read_metadata, write_metadata
from plugin.journal.splice import waiting
from plugin.journal.write_errors import WriteFault, classify, write_errno
from plugin.journal.writer import JournalWriter

logger = logging.getLogger(__name__)

FULL_PIPE = 1 << 20
_PIPE = 1 << 16
_BUSY = 1 << 15

_SHORTEST_BACKOFF = 1.0
_LONGEST_BACKOFF = 30.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was dropped on a full disk."""

    lines: int = 0
    bytes: int = 0


NOTHING_DROPPED = Dropped()


@dataclass(frozen=True, slots=True)
class Received:
    """What came in from all containers since the plugin's start, dropped lines included; bytes are of journals."""

    lines: int
    bytes: int
    dropped: Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSnapshot:
    """A container with streams at one moment, for status and metrics.

    ``received`` counts all bytes since its journal began, dropped ones included; ``None`` before the first.
    """

    info: Info
    streams: int
    received: int | None
    dropped: Dropped
    dropping: bool
    throttled: bool


class Stream:
    """One FIFO, from StartLogging to StopLogging.

    ``detached`` tells that StopLogging has come while its bytes could not be written: it ends when they are.
    """

    def __init__(self, path: str, info: Info, descriptor: int, container: "Container") -> None:
        self.path = path
        self.name = Path(path).name
        self.info = info
        self.descriptor = descriptor
        self.container = container
        self.closed = False
        self.detached = False
        self.enlarged = False
        self._capacity = _PIPE
        self._pace = Pace(time.monotonic())

    def waiting(self) -> int:
        """Count the bytes that wait in the FIFO."""
        return waiting(self.descriptor)

    def has_ended(self) -> bool | None:
        """Return whether nobody holds the writing end; ``None`` where that cannot be told without reading.

        The kernel says so only if the last writer has left since the FIFO was opened (``pipe_poll`` in Linux's
        fs/pipe.c). So one comes and leaves, which takes no byte, and adds none.
        """
        try:
            os.close(os.open(f"/proc/self/fd/{self.descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            logger.debug("container %s: stream %s: cannot probe: %s", self.info.label, self.name, error)
            return None
        poll = select.poll()
        poll.register(self.descriptor, 0)
        return any(mask & select.POLLHUP for _, mask in poll.poll(0))

    def is_busy(self, taken: int) -> bool:
        """Return, by what one reading took, whether the pipe is worth enlarging; it has not been yet."""
        return taken >= _BUSY and not self.enlarged

    def pause_after(self, taken: int) -> float:
        """Return for how many seconds the pipe may collect, now that so many bytes of it were taken."""
        return self._pace.pause_after(taken, self._capacity, time.monotonic())

    def enlarge(self) -> None:
        """Enlarge the pipe, once.

        The kernel refuses when the user's pipes have grown beyond a limit (``pipe-user-pages-soft``): then it stays.
        """
        self.enlarged = True
        try:
            self._capacity = fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, FULL_PIPE)
        except OSError as error:
            logger.debug("container %s: stream %s: cannot enlarge the pipe: %s", self.info.label, self.name, error)

    def remove_fifo(self) -> None:
        """Remove a FIFO that the engine will not remove any more; where that cannot be, it stays."""
        try:
            Path(self.path).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("container %s: stream %s: cannot remove the FIFO: %s", self.info.label, self.name, error)


class Container:
    """A container with streams: one journal, into which one stream at a time writes.

    ``streams`` are in the order of their StartLogging. The journal is opened, or made, when the first byte is there,
    so that a container that never prints, or a reading of a stopped one, leaves no trace; ``cursors`` are placed then.
    ``dropped_before`` is what was dropped while it had streams earlier. ``held`` tells that its bytes stay in the FIFO
    for want of a resource.
    """

    def __init__(
        self,
        container_id: str,
        folder: Path,
        segment_size: int,
        cursors: CursorKeeper,
        dropped_before: Dropped = NOTHING_DROPPED,
    ) -> None:
        self.id = container_id
        self.folder = folder
        self.segment_size = segment_size
        self.streams: list[Stream] = []
        self.writer: JournalWriter | None = None
        self.taken_over = 0.0
        self.blocked_since = 0.0
        self.throttled = False
        self.trickled = 0.0
        self.left_alone_until = 0.0
        self.received_bytes = 0
        self.held = False
        self._resume_at = 0.0
        self._backoff = 0.0
        self._cursors = cursors
        self._placed = False
        self._birth = 0
        self._owner = ""
        self._unnoted: Stream | None = None
        self._info: Info | None = None
        self._earlier: list[Earlier] = []
        self._dropped_before = dropped_before
        self._lines_before = 0
        self._label = ""

    @property
    def dropped(self) -> Dropped:
        """What was dropped since the plugin's start."""
        before = self._dropped_before
        if self.writer is None:
            return before
        now = self.writer.dropped
        return Dropped(before.lines + now.lines_before + now.lines, before.bytes + now.bytes_before + now.bytes)

    @property
    def written_lines(self) -> int:
        """How many lines have been written to its journal."""
        return self._lines_before + (0 if self.writer is None else self.writer.lines)

    def snapshot(self) -> ContainerSnapshot:
        """Return how it is now."""
        received = None
        if self.writer is not None:
            received = self.writer.offset + (self.writer.dropped.bytes if self.writer.dropped.active else 0)
        return ContainerSnapshot(
            info=self.streams[-1].info,
            streams=len(self.streams),
            received=received,
            dropped=self.dropped,
            dropping=self.dropping,
            throttled=self.throttled,
        )

    def set_segment_size(self, segment_size: int) -> None:
        """Take over the segment size of the newest StartLogging, in bytes."""
        self.segment_size = segment_size
        if self.writer is not None:
            self.writer.segment_size = segment_size

    def writer_for(self, stream: Stream) -> JournalWriter | None:
        """Return the journal's writer for a stream that has bytes to write.

        ``None`` while another stream of the container has to complete its frame first, see ``owner``. Raises
        ``HeldError`` while the journal cannot be written for want of a resource.
        """
        writer = self.writer or self._open()
        if not self._placed:
            writer.retry()
            self.place_cursors()
        if self._owner == stream.name:
            self.blocked_since = 0.0
            return writer
        if not writer.at_boundary:
            if self.owner is not None:
                self.blocked_since = self.blocked_since or time.monotonic()
                return None
            self._cut_tail(writer)
        self.blocked_since = 0.0
        self._take_note(stream)
        return writer

    def open_journal(self) -> None:
        """Open the journal before there is a byte to write."""
        if self.writer is None:
            self._open()

    def rotate(self) -> bool:
        """Close the newest segment, so that retention can remove it; false if it cannot be."""
        return (self.writer or self._open()).rotate()

    @property
    def label(self) -> str:
        """The container's name and short id, for the log."""
        return self.streams[-1].info.label if self.streams else self._label or short_id(self.id)

    @property
    def dropping(self) -> bool:
        """Whether lines are dropped, because the disk is full or the journal cannot be written."""
        return self.writer is not None and self.writer.dropped.active and not self.writer.held

    @property
    def lacks_room(self) -> int:
        """The error number with which the disk or a quota refuses the journal for want of room, else 0."""
        reason = None if self.writer is None else self.writer.reason
        return write_errno(reason) if reason is not None and classify(reason) is WriteFault.FULL else 0

    def try_to_resume(self, now: float) -> bool:
        """Write the journal again if that is possible now; true if it is.

        A journal that is broken is tried less and less often, so that neither the disk nor the log is filled by that.
        """
        writer = self.writer
        if writer is None or not writer.dropped.active or now < self._resume_at:
            return False
        if writer.reason is not None and classify(writer.reason) is WriteFault.BROKEN:
            self._backoff = min(max(_SHORTEST_BACKOFF, 2 * self._backoff), _LONGEST_BACKOFF)
            self._resume_at = now + self._backoff
        resumed = writer.try_to_resume()
        self.place_cursors()
        return resumed

    def note_taken(self) -> None:
        """Note that bytes have been taken: whatever the journal was held for is over."""
        self.held = False
        if self.writer is not None and not self.writer.dropped.active:
            self._backoff = 0.0

    def reopen(self) -> None:
        """Close the journal, so that it is opened, and recovered, when the next byte comes."""
        self._close_writer()

    @property
    def owner(self) -> Stream | None:
        """The stream that wrote last, if it is still attached."""
        return next((stream for stream in self.streams if stream.name == self._owner), None)

    def release(self, stream: Stream) -> None:
        """Let go of a stream that has ended; what it left incomplete is cut off."""
        self.streams.remove(stream)
        self._label = stream.info.label
        stream.closed = True
        os.close(stream.descriptor)
        writer = self.writer
        if writer is None and self._has_written(stream):  # to an earlier process
            writer = self._open()
        if writer is not None and self._owner == stream.name:
            self._cut_tail(writer)
            self._take_note(stream)

    def finish(self) -> bool:
        """Close the journal when the last stream has ended, with the gap of what was dropped and its note written.

        False if the disk does not take that: it is asked for again until it does.
        """
        if self.writer is not None:
            if not self.writer.settle():
                self.writer.close()
                return False
            try:
                self.place_cursors()
            except HeldError as error:
                logger.debug("container %s: %s", self.label, error)
                return False
            self._close_writer()
        self.write_metadata()
        return self._unnoted is None or is_gone(self.folder)

    def superseded(self) -> list[Stream]:
        """List the streams that are older than the one that writes: the engine has forgotten them."""
        owner = self.owner
        return [] if owner is None else self.streams[: self.streams.index(owner)]

    def _close_writer(self) -> None:
        if self.writer is not None:
            self._dropped_before = self.dropped
            self._lines_before = self.written_lines
            self.writer.close()
            self.writer = None

    def _open(self) -> JournalWriter:
        self.writer = writer = JournalWriter(self.folder, self.segment_size, self.label)
        self._placed = False
        try:
            self.place_cursors()
        except HeldError as error:
            logger.debug("container %s: %s", self.label, error)
        return writer

    def place_cursors(self) -> None:
        """Find out whose the journal is, and have the cursors fit it as it was found.

        That is not known until the disk lets it be opened. Raises ``HeldError`` if it cannot be told for want of a
        resource.
        """
        writer = self.writer
        if self._placed or writer is None or writer.found is None:
            return
        # Where the journal has only begun, metadata that is there is an older one's, which was removed.
        metadata = None if writer.began else self._read_metadata()
        if metadata is not None:
            self._birth = metadata.birth
            self._earlier = list(metadata.earlier)
            self._info = metadata.info
            if self._unnoted is not None:
                self._note_identity(self._unnoted.info, writer.found)
        else:
            kept = 0 if writer.began else self._birth  # of a note that has not been written yet
            self._birth = kept or self._birth_by_cursors(writer.found) or time.time_ns()
        if self._unnoted is None:
            self._owner = "" if metadata is None else metadata.stream
        self._cursors.place(self.folder, writer.found, self._birth)
        self._placed = True
        self.write_metadata()

    def _birth_by_cursors(self, end: int) -> int:
        try:
            return birth_by_cursors(self.folder, end)
        except OSError as error:
            _raise_if_held(error)
            logger.warning("container %s: cannot read cursors: %s", self.label, error)
            return 0

    def _read_metadata(self) -> JournalMetadata | None:
        try:
            return read_metadata(self.folder)
        except JournalError as error:
            _raise_if_held(error.__cause__)
            logger.warning("container %s: %s; rewriting it", self.label, error)
            return None

    def _has_written(self, stream: Stream) -> bool:
        try:
            metadata = self._read_metadata()
        except HeldError as error:
            logger.debug("container %s: %s", self.label, error)
            return False
        return metadata is not None and metadata.stream == stream.name

    def _take_note(self, stream: Stream) -> None:
        if self._owner != stream.name:
            self.taken_over = time.monotonic()
        self._owner = stream.name
        self._unnoted = stream
        if self._placed and self.writer is not None:
            self._note_identity(stream.info, self.writer.offset)
        self.write_metadata()

    def _note_identity(self, info: Info, offset: int) -> None:
        """Note who the container is from an offset on: what lies before it keeps the name that it had."""
        if self._info is not None and self._info != info:
            before = self._earlier[-1].upto if self._earlier else 0
            if offset > before:
                self._earlier.append(Earlier(info=self._info, upto=offset))
        self._info = info

    def is_unnoted(self, stream: Stream) -> bool:
        """Return whether only a stream's attachment tells whose this journal is, as info.json is not written yet."""
        return self._unnoted is stream and may_be_folder(self.folder)

    def write_metadata(self) -> bool:
        """Write the journal's info.json, unless it has been: a full disk may not have taken it when it changed.

        True if that was done now.
        """
        if self._unnoted is None or not self._placed:
            return False
        try:
            stream = self._unnoted
            write_metadata(self.folder, stream.info, stream.name, self._birth, self._earlier, ended=stream.closed)
        except OSError as error:
            logger.debug("container %s: cannot update the journal's info.json yet: %s", self.label, error)
            return False
        self._unnoted = None
        return True

    def _cut_tail(self, writer: JournalWriter) -> None:
        torn = writer.cut_tail()
        if torn:
            logger.warning("container %s: cut off an incomplete entry of %d bytes", self.label, torn)


def _raise_if_held(error: BaseException | None) -> None:
    """Raise ``HeldError`` for an error that is for want of a resource."""
    if isinstance(error, OSError) and classify(error) is WriteFault.PASSING:
        raise HeldError(f"cannot open the journal now: {error}") from error

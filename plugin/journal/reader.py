"""Reading a journal by offset: any number of readers, in any process, while it is written, compressed or trimmed."""

import logging
import os
import threading
from pathlib import Path

import zstandard

from plugin.journal.layout import Segment, last_change, list_segments
from plugin.journal.regular_files import open_regular

logger = logging.getLogger(__name__)

_NEVER = 1 << 63
_HELD_AT_MOST = 64
_ZSTD_HEADER_SIZE = 18


class HeldSegments:
    """Counts the segments that readers hold open before they come to them: at most ``most`` together."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> int:
        """Return how many of ``count`` may be held; `give_back` them later."""
        with self._lock:
            granted = min(count, self._left)
            self._left -= granted
        return granted

    def give_back(self, count: int) -> None:
        """Let others hold so many."""
        with self._lock:
            self._left += count


class JournalReader:
    """A reader of a journal's bytes, from an offset on.

    The segments are listed once, and again only where that listing ends: what a segment costs does not depend on how
    many there are.

    The bytes come as they lie on disk: a piece can end within a frame. The caller says with ``advance`` how much of it
    was used, and sees the rest again, with more behind it.

    ``offset``
        of the next byte; it jumps where segments are missing between two others, because they were removed, dropped
        on a full disk, or set aside as corrupt
    ``unread``
        the offsets from which to which it has jumped although there are bytes: they are damaged
    """

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self.folder = folder
        self.offset = offset
        self._segment: _OpenSegment | None = None
        self._held: list[_OpenSegment] = []
        self._allowance = 0
        self._allowed_by: HeldSegments | None = None
        self._ahead: list[Segment] = []  # the next one last
        self._listed = 0
        self._rests_in = ""
        self.unread: list[tuple[int, int]] = []

    def hold(self, held: HeldSegments | None = None) -> None:
        """Open the segments ahead now, so that retention cannot tear a hole into what is being read.

        One that retention has just removed is passed over, with all before it: what is read then begins later.
        ``held`` bounds how many are open so of all readers together; one is always opened.
        """
        self.close()
        self._list_from(self.offset)
        ahead = self._ahead[::-1]
        most = min(len(ahead), _HELD_AT_MOST)
        if held is not None:
            self._allowance, self._allowed_by = held.take(most), held
            most = max(1, self._allowance)
        try:
            for segment in reversed(ahead[:most]):
                opened = _open_in_either_form(segment, self._held[0].base if self._held else _NEVER)
                if opened is None:
                    break
                self._held.insert(0, opened)
        except OSError:
            self.close()
            raise
        if self._held and len(ahead) > most:
            self._held[-1].limit = ahead[most].base

    def peek(self, size: int) -> bytes:
        """Give up to ``size`` bytes from ``offset`` on, without moving; empty if there are none (yet)."""
        while True:
            if self._segment is not None:
                content = self._segment.read(self.offset, size)
                if content:
                    return content
            if not self.next_segment():
                return b""

    def written(self) -> int:
        """Return the size in bytes of the segment that is read, 0 if there is none: it grows when there is more."""
        if self._segment is not None:
            return self._segment.size()
        try:
            return os.stat(self._rests_in).st_size if self._rests_in else 0
        except FileNotFoundError:  # compressed or removed meanwhile
            return 0

    def rest(self) -> None:
        """Close the segment that is being read; the next ``peek`` opens it again, or what has taken its place.

        What is held stays open, since retention might take it.
        """
        if self._segment is not None and not self._held:
            self._rests_in = self._segment.path
            self._segment.close()
            self._segment = None

    def advance(self, count: int) -> None:
        """Move forward by ``count`` bytes that have been used."""
        self.offset += count

    def next_segment(self) -> bool:
        """Leave the segment for the one behind it, if there is one and nothing new came into this one; else false.

        What is left of a segment that has a successor is not part of a frame and never will be.
        """
        segment = self._segment
        if segment is None:
            return self._open_next()
        unlimited = segment.limit == _NEVER
        if not self.is_closed():
            return False
        if unlimited and segment.read(self.offset, 1):
            return True
        if segment.end() > self.offset:
            self.unread.append((self.offset, segment.limit))
        self.offset = max(self.offset, segment.limit)
        segment.close()
        self._segment = None
        return self._open_next()

    def is_closed(self) -> bool:
        """Return whether another segment follows the one that is read, so that nothing is added to this one."""
        segment = self._segment
        if segment is None:
            return False
        if segment.limit == _NEVER:
            following = self._following(segment.base)
            if following is not None:
                segment.limit = following
        return segment.limit != _NEVER

    def close(self) -> None:
        """Close the open segments."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        for segment in self._held:
            segment.close()
        self._held.clear()
        if self._allowed_by is not None:
            self._allowed_by.give_back(self._allowance)
            self._allowance, self._allowed_by = 0, None

    def _following(self, base: int) -> int | None:
        """Return where the segment begins that follows the one at ``base``."""
        if self._held:
            return self._held[0].base
        self._pass(base)
        if not self._ahead and self._has_changed():
            self._list_from(base)
            self._pass(base)
        return self._ahead[-1].base if self._ahead else None

    def _open_next(self) -> bool:
        """Open the segment that holds ``offset``, or the first one behind it."""
        if self._held:
            self._segment = self._held.pop(0)
            self.offset = max(self.offset, self._segment.base)
            return True
        if not self._ahead or self._ahead[-1].base > self.offset:
            self._list_from(self.offset)
        for _ in range(3):
            if not self._ahead:
                return False
            while len(self._ahead) > 1 and self._ahead[-2].base <= self.offset:
                self._ahead.pop()
            found = self._ahead.pop()
            self._segment = _open_in_either_form(found, self._ahead[-1].base if self._ahead else _NEVER)
            if self._segment is not None:
                self.offset = max(self.offset, found.base)
                return True
            self._list_from(self.offset)  # it was removed since
        return False

    def _list_from(self, offset: int) -> None:
        """List the segments again, from the one on that holds an offset."""
        self._listed = last_change(self.folder)
        self._ahead = list_segments(self.folder)[::-1]
        while len(self._ahead) > 1 and self._ahead[-2].base <= offset:
            self._ahead.pop()

    def _pass(self, base: int) -> None:
        while self._ahead and self._ahead[-1].base <= base:
            self._ahead.pop()

    def _has_changed(self) -> bool:
        """Return whether there may be segments that were not there when they were listed."""
        return not self._listed or last_change(self.folder) != self._listed


def _open_in_either_form(segment: Segment, limit: int) -> "_OpenSegment | None":
    """Open a segment that may have been compressed since it was listed; ``None`` if it was removed."""
    for form in (segment, Segment(segment.base, f"{segment.path.removesuffix('.zst')}.zst", compressed=True)):
        try:
            return _OpenSegment(form, limit)
        except FileNotFoundError:
            continue
    return None


class _OpenSegment:
    """A segment that stays readable after it was compressed or removed, because it is open.

    ``limit`` is the offset at which the next segment begins, where one is known.
    """

    def __init__(self, segment: Segment, limit: int) -> None:
        self.base = segment.base
        self.limit = limit
        self.path = segment.path
        self._file = os.fdopen(open_regular(segment.path), "rb", buffering=0)
        self._compressed = segment.compressed
        self._damaged = False
        self._stream: zstandard.ZstdDecompressionReader | None = None
        self._piece = b""
        self._piece_start = 0

    def read(self, offset: int, size: int) -> bytes:
        size = min(size, self.limit - offset)
        if size <= 0:
            return b""
        if not self._compressed:
            return os.pread(self._file.fileno(), size, offset - self.base)
        try:
            return b"" if self._damaged else self._read_compressed(offset - self.base, size)
        except zstandard.ZstdError as error:
            self._damaged = True
            logger.warning("%s is damaged; skipping the rest of it: %s", self.path, error)
            return b""

    def end(self) -> int:
        """Return the offset behind its last byte, whether that can be read or not."""
        if not self._compressed:
            return min(self.limit, self.base + self.size())
        return min(
            self.limit, self.base + _content_size(os.pread(self._file.fileno(), _ZSTD_HEADER_SIZE, 0), self.path)
        )

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()

    def _read_compressed(self, position: int, size: int) -> bytes:
        """Decompress forward to ``position``; the piece that the caller has not used up is kept."""
        if self._stream is None or position < self._piece_start:
            self._file.seek(0)
            self._stream = zstandard.ZstdDecompressor().stream_reader(self._file, read_across_frames=True)
            self._piece = b""
            self._piece_start = 0
        while position > self._piece_start + len(self._piece):
            self._piece_start += len(self._piece)
            self._piece = self._stream.read(min(position - self._piece_start, 1 << 20))
            if not self._piece:
                return b""
        self._piece = self._piece[position - self._piece_start :]
        self._piece_start = position
        if len(self._piece) < size:
            self._piece += self._stream.read(size - len(self._piece))
        return self._piece[:size]


def segment_end(segment: Segment) -> int:
    """Return the offset behind a segment's last byte; a compressed one has its size in its header (RFC 8878, 3.1.1)."""
    if not segment.compressed:
        return segment.base + os.stat(segment.path).st_size
    with os.fdopen(open_regular(segment.path), "rb") as file:
        header = file.read(_ZSTD_HEADER_SIZE)
    return segment.base + _content_size(header, segment.path)


def _content_size(header: bytes, path: str) -> int:
    try:
        return max(0, zstandard.frame_content_size(header))
    except zstandard.ZstdError as error:
        logger.warning("%s is damaged: %s", path, error)
        return 0

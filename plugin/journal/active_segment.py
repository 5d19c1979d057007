"""The newest segment of a journal, open for writing: its own file and that of its index."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from plugin.journal.index import pack_points
from plugin.journal.layout import create_atomically, index_path, segment_path
from plugin.journal.regular_files import open_regular

logger = logging.getLogger(__name__)


class NewestSegment:
    """A segment that begins at ``base``, which is an offset of the journal, as all positions are.

    ``file`` is its descriptor; that of the index is −1 where there can be none, and readers then walk instead.
    """

    def __init__(self, base: int = 0, file: int = -1, index: int = -1, index_end: int = 0) -> None:
        self.base = base
        self.file = file
        self._index = index
        self._index_end = index_end

    @property
    def is_open(self) -> bool:
        """Whether it can be written."""
        return self.file >= 0

    def read(self, start: int, end: int) -> bytes:
        """Read from one offset to another. Raises ``OSError``."""
        return os.pread(self.file, end - start, start - self.base)

    def write(self, offset: int, content: bytes) -> None:
        """Write at the segment's end, which is at an offset: whole, or not at all. Raises ``OSError``."""
        written = 0
        try:
            while written < len(content):
                written += os.pwrite(self.file, content[written:], offset - self.base + written)
        except OSError:
            self.cut(offset)
            raise

    def cut(self, end: int) -> None:
        """Cut off what lies behind an offset."""
        _cut(self.file, end - self.base)

    def save_points(self, points: Sequence[tuple[int, int, int, int]]) -> bool:
        """Write points of the index; false if there is no room for them: written at a position, none can be torn."""
        content = pack_points(points)
        try:
            if os.pwrite(self._index, content, self._index_end) != len(content):
                return False
        except OSError as error:
            logger.debug("cannot write index points yet: %s", error)
            return False
        self._index_end += len(content)
        return True

    def close(self) -> None:
        """Close the files."""
        for descriptor in (self.file, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self.file = self._index = -1


def create_segment(folder: Path, base: int, content: bytes) -> NewestSegment:
    """Make a segment that holds ``content`` already, and an empty index for it.

    The segment appears last, so that no reader sees one that comes to nothing. Raises ``OSError``.
    """
    index = _open_index(folder, base, os.O_TRUNC)
    try:
        file = create_atomically(segment_path(folder, base), content)
    except BaseException:
        if index >= 0:
            os.close(index)
            index_path(folder, base).unlink(missing_ok=True)
        raise
    return NewestSegment(base, file, index, 0)


def open_segment(folder: Path, base: int, known: Sequence[tuple[int, int, int, int]]) -> NewestSegment:
    """Open a segment that exists, and its index, of which only ``known`` points are kept. Raises ``OSError``."""
    file = open_regular(segment_path(folder, base), os.O_RDWR)
    index = _open_index(folder, base, 0)
    index_end = len(pack_points(known))
    _cut(index, index_end)
    return NewestSegment(base, file, index, index_end)


def cut_closed_segment(folder: Path, base: int, end: int) -> None:
    """Cut off what lies behind an offset in a segment that is open no more; it stays where the disk refuses that."""
    path = segment_path(folder, base)
    try:
        file = open_regular(path, os.O_WRONLY)
        try:
            os.ftruncate(file, end - base)
        finally:
            os.close(file)
    except OSError as error:
        logger.debug("cannot truncate %s: %s", path, error)


def _open_index(folder: Path, base: int, flags: int) -> int:
    try:
        return open_regular(index_path(folder, base), os.O_RDWR | os.O_CREAT | flags)
    except OSError as error:
        logger.debug("%s: cannot create index: %s", folder, error)
        return -1


def _cut(file: int, size: int) -> None:
    """Cut off what lies behind an end. Some file systems want room even for that; then it gets overwritten."""
    try:
        os.ftruncate(file, size)
    except OSError as error:
        logger.debug("cannot truncate a segment: %s", error)

"""Opening the files of a segment for writing: the segment itself and its index.

Both calls give two descriptors, for reading and writing; that of the index is −1 where there can be none, and readers
then walk instead. When they raise, nothing is open that was not: a writer keeps what it has until they succeed.
"""

import logging
import os
from pathlib import Path

from plugin.journal.folder import create_atomically, index_path, segment_path

logger = logging.getLogger(__name__)


def create_segment(folder: Path, base: int, content: bytes) -> tuple[int, int]:
    """Make a segment that holds ``content`` already, and an empty index for it.

    The segment appears last, so that no reader sees one that comes to nothing. Raises ``OSError``.
    """
    index = _open_index(folder, base, os.O_TRUNC)
    try:
        return create_atomically(segment_path(folder, base), content), index
    except BaseException:
        if index >= 0:
            os.close(index)
            index_path(folder, base).unlink(missing_ok=True)
        raise


def open_segment(folder: Path, base: int) -> tuple[int, int]:
    """Open a segment that exists, and its index, which is made where it is missing. Raises ``OSError``."""
    return os.open(segment_path(folder, base), os.O_RDWR | os.O_CLOEXEC), _open_index(folder, base, 0)


def _open_index(folder: Path, base: int, flags: int) -> int:
    try:
        return os.open(index_path(folder, base), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    except OSError as error:
        logger.debug("%s: a segment has no index: %s", folder, error)
        return -1

"""Moving bytes from a FIFO into a file within the kernel, so that no kill can catch them in between."""

import errno
import fcntl
import logging
import os
import struct
import termios

logger = logging.getLogger(__name__)

_FLAGS = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class UnwrittenError(OSError):
    """Bytes that were read from a FIFO and could not be written: ``content``, from the position on."""

    def __init__(self, content: bytes) -> None:
        super().__init__("bytes of a FIFO could not be written")
        self.content = content


class _Fallback:
    """Whether some file system has refused splice, which is worth one line in the log."""

    told = False


def waiting(fifo: int) -> int:
    """Count the bytes that wait in a FIFO."""
    return int(struct.unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, b"\0\0\0\0"))[0])


def move(fifo: int, file: int, limit: int, position: int) -> int:
    """Move up to ``limit`` bytes from a FIFO to a file's ``position``; returns the bytes moved, 0 at end of file.

    Raises ``BlockingIOError`` while the FIFO is empty, and ``OSError`` as the write does: the bytes are still in the
    FIFO then, unless it is an ``UnwrittenError``.
    """
    try:
        return os.splice(fifo, file, limit, offset_dst=position, flags=_FLAGS)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _read_and_write(fifo, file, limit, position)


def _read_and_write(fifo: int, file: int, limit: int, position: int) -> int:
    """Do it by way of this process, where the file system knows no splice."""
    if not _Fallback.told:
        _Fallback.told = True
        logger.warning(
            "the data folder's file system refuses splice(2): a SIGKILL can now lose the bytes of one read; "
            "put the data folder on ext4, xfs, btrfs or tmpfs"
        )
    content = os.read(fifo, limit)
    written = 0
    try:
        while written < len(content):
            written += os.pwrite(file, content[written:], position + written)
    except OSError as error:
        raise UnwrittenError(content) from error
    return len(content)

"""Opening files of the data folder: only regular ones, as a FIFO would block whoever opens it."""

import errno
import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)


class NotRegularError(OSError):
    """What is there under a file's name is something else: a FIFO, a device, a link, a folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EINVAL, "not a regular file", os.fspath(path))


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> int:
    """Open a regular file, and make it (mode 0600) with ``O_CREAT``; returns the descriptor.

    Raises ``NotRegularError`` for anything else, without waiting for anyone, and ``OSError`` as ``os.open`` does.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NotRegularError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(path)
    return descriptor


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file. Raises ``OSError``."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read()


def open_lock(path: Path) -> int:
    """Open a file that serves as a lock, and make it where it is missing; returns the descriptor. Raises ``OSError``.

    A FIFO or a dangling link in its place locks nothing: it is removed.
    """
    try:
        return open_regular(path, os.O_RDWR | os.O_CREAT)
    except NotRegularError:
        if path.is_dir() or path.is_file():
            raise
    logger.warning("%s is not a regular file, removed", path)
    path.unlink(missing_ok=True)
    return open_regular(path, os.O_RDWR | os.O_CREAT)

"""Room that is kept for attachments: a disk without any must not make a kill of the plugin lose a stream.

``DATA/reserve`` holds a few files whose room is allocated. Where a disk is full, one of them takes the content and then
the name of what has to be written, for which no room is needed, so that nobody else can be quicker to take it.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from plugin.journal.regular_files import open_regular

logger = logging.getLogger(__name__)

P = ParamSpec("P")

_FILES = 8
_SIZE = 1 << 14


class Reserve:
    """The reserve of one data folder, in ``folder``. All methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / str(number) for number in range(_FILES)]
        self._folder = folder
        self._lock = threading.Lock()

    def write(self, path: Path, content: bytes) -> bool:
        """Write a new file with what is in reserve, atomically; false if nothing is left of it, or it is too small."""
        with self._lock:
            return any(_tried(_give, spare, path, content) for spare in self._paths)

    def replenish(self) -> None:
        """Allocate what is missing; where there is no room for it, it stays missing."""
        with self._lock:
            if _tried(self._folder.mkdir, mode=0o700, exist_ok=True):
                all(_tried(_allocate, spare) for spare in self._paths)


def _tried(action: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        action(*args, **kwargs)
    except OSError as error:
        logger.debug("the reserve for a full disk: %s", error)
        return False
    return True


def _give(spare: Path, path: Path, content: bytes) -> None:
    if len(content) > _SIZE:
        raise OSError(f"{len(content)} bytes are too many for it")
    file = open_regular(spare, os.O_WRONLY)
    try:
        written = 0
        while written < len(content):
            written += os.pwrite(file, content[written:], written)
        os.ftruncate(file, len(content))
    finally:
        os.close(file)
    os.replace(spare, path)


def _allocate(spare: Path) -> None:
    file = open_regular(spare, os.O_WRONLY | os.O_CREAT)
    try:
        if os.fstat(file).st_size != _SIZE:
            os.posix_fallocate(file, 0, _SIZE)
    finally:
        os.close(file)

"""Dropping what a full disk cannot hold: the container goes on, whole frames are given up and counted."""

import os
from pathlib import Path

from plugin.docker.partials import Joiner
from plugin.journal.corruption import bytes_to_skip
from plugin.journal.scanner import Walker

ROOM_TO_RESUME = 1 << 16
"""Bytes that have to be free before a journal is written again."""


class Dropper:
    """Reading a stream only to keep its container going.

    ``active``
        whether bytes are being dropped
    ``bytes``, ``lines``
        dropped since ``begin``
    ``bytes_before``, ``lines_before``
        dropped before that
    ``tail``
        the beginning of a frame whose end has not come yet: when there is room again, this frame can be kept
    """

    def __init__(self) -> None:
        self.active = False
        self.bytes = 0
        self.lines = 0
        self.bytes_before = 0
        self.lines_before = 0
        self.tail = b""
        self._joiner = Joiner()

    def begin(self, tail: bytes) -> None:
        """Begin to drop; ``tail`` is the incomplete frame that the journal ended with."""
        self.active = True
        self.bytes_before += self.bytes
        self.lines_before += self.lines
        self.bytes = self.lines = 0
        self.tail = tail
        self._joiner = Joiner()

    def end(self) -> None:
        """Stop dropping: the tail is in the journal."""
        self.active = False
        self.tail = b""

    def forget_tail(self) -> int:
        """Give up an incomplete frame that will never be completed; returns its bytes."""
        torn = len(self.tail)
        self.bytes += torn
        self.tail = b""
        return torn

    def take(self, fifo: int, limit: int) -> int:
        """Read up to ``limit`` bytes and drop the complete frames; returns the bytes read, 0 at end of file.

        Raises ``BlockingIOError`` while the FIFO is empty.
        """
        content = os.read(fifo, limit)
        buffer = self.tail + content
        walker = Walker(0, self._joiner)
        dropped = walker.walk(buffer)
        while walker.malformed:
            count = bytes_to_skip(buffer[dropped:])
            if not count:
                break
            dropped += count
            walker.restart(dropped, walker.lines, walker.latest)
            dropped += walker.walk(buffer[dropped:])
        self.lines += walker.lines
        self.bytes += dropped
        self.tail = buffer[dropped:]
        return len(content)


def require_room(folder: Path) -> None:
    """Raise ``OSError`` unless a journal's folder takes more than an empty file, which a full disk takes too."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / ".room"
    try:
        probe = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(probe, 0, ROOM_TO_RESUME)
            os.pwrite(probe, bytes(1), 0)
        finally:
            os.close(probe)
    finally:
        path.unlink(missing_ok=True)

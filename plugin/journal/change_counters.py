"""Which journals have grown: a hint for delivery, which would else look at each journal again and again.

``DATA/grown`` holds counters. Intake adds to that of a container when its journal has grown; several containers share
one. Nothing rests on it but how soon a line is found: a kill or a full disk may cost a hint. (Why not inotify: before
Linux 6.8 it does not tell of bytes that were spliced.)
"""

import logging
import os
import zlib
from array import array

from plugin.journal.layout import DataFolder
from plugin.journal.regular_files import open_regular

logger = logging.getLogger(__name__)

_COUNTERS = 4096
_ITEM = array("I").itemsize
_SIZE = _COUNTERS * _ITEM
_LARGEST = (1 << 8 * _ITEM) - 1


def counter_of(container_id: str) -> int:
    """Return which counter is a container's."""
    return zlib.crc32(container_id.encode()) % _COUNTERS


class GrowthTeller:
    """Intake's side; used by one thread."""

    def __init__(self, data: DataFolder) -> None:
        self._path = data.path / "grown"
        self._file = -1
        self._counters = _read(b"")

    def tell(self, container_id: str) -> None:
        """Announce that a container's journal has grown; where that cannot be written, it is not announced."""
        number = counter_of(container_id)
        try:
            if self._file < 0:
                self._open()
            self._counters[number] = (self._counters[number] + 1) & _LARGEST
            os.pwrite(self._file, self._counters[number : number + 1].tobytes(), number * _ITEM)
        except OSError as error:
            logger.debug("%s: %s", self._path, error)

    def _open(self) -> None:
        """Go on with the counters of an earlier process; have room for all of them now, as the disk may fill up."""
        self._file = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        self._counters = _read(os.pread(self._file, _SIZE, 0))
        os.pwrite(self._file, self._counters.tobytes(), 0)


class GrowthListener:
    """Delivery's side."""

    def __init__(self, data: DataFolder) -> None:
        self._path = data.path / "grown"
        self._file = -1
        self._seen = b""

    def listen(self) -> set[int] | None:
        """Return the counters that have changed since the last call; ``None`` if there are none."""
        try:
            if self._file < 0:
                self._file = open_regular(self._path)
            content = os.pread(self._file, _SIZE, 0)
        except OSError:
            return None
        if content == self._seen:
            return set()
        before, now = _read(self._seen), _read(content)
        changed = {number for number, count in enumerate(now) if count != before[number]}
        self._seen = content
        return changed


def _read(content: bytes) -> "array[int]":
    """Take what a file holds, which is less when it is new."""
    return array("I", content[:_SIZE].ljust(_SIZE, b"\0"))

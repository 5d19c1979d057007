"""Sampling: a share of the records is sent, always the same ones.

Also runs compiled (see ``sample.pxd``).
"""

from zlib import crc32

from plugin.records.record import Record
from plugin.transforms.levels import WARN

_MASK = 2**64 - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mixed(number: int) -> int:
    """Return 64 bits in which each bit depends on all bits of a number (the finalizer of splitmix64)."""
    number = (number + _GOLDEN) & _MASK
    number = ((number ^ (number >> 30)) * _FIRST) & _MASK
    number = ((number ^ (number >> 27)) * _SECOND) & _MASK
    return number ^ (number >> 31)


class Sample:
    """Keeps a share of the records, by a hash of what names them: the container and the offset.

    Unless ``every`` is set, those of warn and above are kept all.
    """

    name = "sample"

    def __init__(self, share: float, container_id: str, *, every: bool) -> None:
        self._below = round(share * 2**64)
        self._seed = crc32(container_id.encode()) << 32
        self._always_from = 25 if every else WARN

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        if record.severity >= self._always_from or mixed(record.offset ^ self._seed) < self._below:
            return None
        return "sample"

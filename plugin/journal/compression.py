"""Compressing closed segments with zstd, beside the readers that may be in them."""

import os
from itertools import pairwise
from pathlib import Path

import zstandard

from plugin.journal.layout import Segment, list_segments
from plugin.journal.regular_files import open_regular

_LEVEL = 3
_CHUNK = 1 << 20
_UNFINISHED = ".part"


def compress_closed(folder: Path, needed_from: int | None = None) -> int:
    """Compress the segments of a journal that every cursor has passed, the newest never; returns how many were.

    The compressed file keeps the plain one's modification time, takes its name plus ``.zst`` when it is complete, and
    only then is the plain one removed: after it is safe from a power cut too. Raises ``OSError`` if the disk is full or
    the journal was removed meanwhile, ``zstandard.ZstdError`` if a segment was cut meanwhile.
    """
    for unfinished in folder.glob(f"*{_UNFINISHED}"):
        unfinished.unlink(missing_ok=True)
    segments = list_segments(folder)
    passed = [s for s, after in pairwise(segments) if needed_from is None or after.base <= needed_from]
    plain = [segment for segment in passed if not segment.compressed]
    for segment in plain:
        _compress(segment)
    return len(plain)


def _compress(segment: Segment) -> None:
    unfinished = f"{segment.path}.zst{_UNFINISHED}"
    with os.fdopen(open_regular(segment.path), "rb") as source, open(unfinished, "wb", opener=_private) as target:
        status = os.fstat(source.fileno())
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        compressor.copy_stream(source, target, size=status.st_size, read_size=_CHUNK, write_size=_CHUNK)
        target.flush()
        os.fsync(target.fileno())
    os.utime(unfinished, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(unfinished, f"{segment.path}.zst")
    os.unlink(segment.path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

"""Lines that span segments: which of them are incomplete where a segment begins."""

from pathlib import Path

from plugin.docker.partials import MAX_JOINED, Joiner
from plugin.journal.corruption import walk_to
from plugin.journal.index import clean_points, read_points
from plugin.journal.layout import index_path, list_segments
from plugin.journal.reader import JournalReader
from plugin.journal.scanner import NO_TIME, Walker

_LOOK_BACK = 4 * MAX_JOINED
"""Bytes; a part that lies farther back belongs to a line that will not be completed any more."""


def joiner_at(folder: Path, base: int) -> Joiner:
    """Return the joiner of a walk that has come to the beginning of the segment at ``base``."""
    start = _resume(folder, base)
    walker = Walker(start, Joiner())
    reader = JournalReader(folder, start)
    try:
        while reader.offset < base:
            walk_to(reader, walker, base)
            if reader.offset < base and reader.offset == walker.offset and not reader.next_segment():
                break
            if reader.offset != walker.offset:
                walker.restart(reader.offset, 0, NO_TIME)
    finally:
        reader.close()
    return walker.joiner


def _resume(folder: Path, base: int) -> int:
    """Return where to begin to walk, by the nearest index that is sound; ``base`` itself if no line spans it."""
    oldest = base
    for segment in reversed([segment for segment in list_segments(folder) if segment.base <= base]):
        points = clean_points(read_points(index_path(folder, segment.base), segment.base, base))
        if points:
            resume = points[-1].resume
            return resume if segment.base - resume <= _LOOK_BACK else points[-1].offset
        if base - segment.base > _LOOK_BACK:
            return segment.base
        oldest = segment.base
    return oldest

"""How far a sink is behind: what of a journal lies behind its cursor, in bytes, lines and time.

Cheap enough to be asked for all containers at once: lines are counted by the indexes, and where these say nothing by
a sample.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from plugin.docker.frames import HEADER_SIZE, MAX_FRAME_SIZE, Fields, entry_size
from plugin.docker.partials import Joiner
from plugin.journal.index import Point, read_points
from plugin.journal.layout import Segment, index_path
from plugin.journal.reader import JournalReader, segment_end
from plugin.journal.regular_files import open_regular
from plugin.journal.retention import SegmentUse
from plugin.journal.scanner import Walker

_SAMPLE = 1 << 15


@dataclass(frozen=True, slots=True)
class Lag:
    """What is not delivered: bytes of journal, lines, and the time of the oldest, nanoseconds since 1970 UTC.

    ``lines`` is exact up to 32 KiB; beyond that it is interpolated between points of the index, 64 KiB apart, and what
    lies behind the last point is extrapolated from its first 32 KiB. ``oldest`` is 0 if nothing is behind.
    """

    bytes: int = 0
    lines: int = 0
    oldest: int = 0


def measure_lag(segments: Sequence[SegmentUse], offset: int, resume: int) -> Lag:
    """Measure what lies behind ``offset``, where records that are delivered end; ``resume`` is as in ``Cursor``.

    Bytes that retention has removed count no more. Raises ``OSError`` if the journal cannot be read.
    """
    behind: list[tuple[Segment, int, int]] = []
    for use in segments:
        end = _end(use)
        start = max(offset, use.segment.base)
        if end > start:
            behind.append((use.segment, start, end))
    if not behind:
        return Lag()
    return Lag(
        bytes=sum(end - start for _, start, end in behind),
        lines=sum(_count_lines(segment, start, end) for segment, start, end in behind),
        oldest=_oldest(segments, *behind[0][:2], resume),
    )


def journal_size(segments: Sequence[SegmentUse]) -> int:
    """Return the offset behind the last byte of a journal, 0 if there is none."""
    return _end(segments[-1]) if segments else 0


def _end(use: SegmentUse) -> int:
    """Return where its bytes end: before the next segment, if something is missing between the two."""
    end = segment_end(use.segment) if use.segment.compressed else use.segment.base + use.bytes
    return end if use.end is None else min(end, use.end)


def _oldest(segments: Sequence[SegmentUse], segment: Segment, start: int, resume: int) -> int:
    """Return the time of the line that begins at ``resume``, or else of what comes first in the segment given."""
    for use in segments:
        if use.segment.base <= resume < start and resume < _end(use):
            return _time_at(use.segment, resume)
    return _time_at(segment, start)


def _count_lines(segment: Segment, start: int, end: int) -> int:
    if end - start <= _SAMPLE:
        return _sample(segment, start, end)
    points = read_points(index_path(Path(segment.path).parent, segment.base), segment.base, end)
    indexed = points[-1].offset if points else start
    lines = 0
    if indexed > start:
        lines = round(_lines_before(points, end) - _lines_before(points, start))
    if end > max(indexed, start):
        lines += _sample(segment, max(indexed, start), end)
    return lines


def _lines_before(points: Sequence[Point], offset: int) -> float:
    """Interpolate between points, of which the first is the segment's beginning."""
    for before, after in pairwise(points):
        if offset < after.offset:
            share = (offset - before.offset) / (after.offset - before.offset)
            return before.lines + share * (after.lines - before.lines)
    return points[-1].lines


def _sample(segment: Segment, start: int, end: int) -> int:
    """Count the lines between two frame boundaries; if these are far apart, by the first ones. At least one."""
    walker = Walker(start, Joiner())
    walked = walker.walk(_read(segment, start, min(_SAMPLE, end - start)))
    if walked == 0 or end - start <= _SAMPLE:
        return max(1, walker.lines)
    return max(1, round(walker.lines * (end - start) / walked))


def _time_at(segment: Segment, offset: int) -> int:
    """Return the time of the entry at an offset; if there is none that can be read, when the segment was written."""
    content = _read(segment, offset, _SAMPLE)
    if len(content) >= HEADER_SIZE:
        end = HEADER_SIZE + entry_size(content, 0)
        if len(content) < end <= MAX_FRAME_SIZE:
            content = _read(segment, offset, end)
        fields = Fields()
        if end <= len(content) and fields.locate(content, HEADER_SIZE, end) and fields.time_nano > 0:
            return fields.time_nano
    return os.stat(segment.path).st_mtime_ns


def _read(segment: Segment, offset: int, size: int) -> bytes:
    if segment.compressed:
        reader = JournalReader(Path(segment.path).parent, offset)
        try:
            return reader.peek(size)
        finally:
            reader.close()
    file = open_regular(segment.path)
    try:
        return os.pread(file, size, offset - segment.base)
    finally:
        os.close(file)

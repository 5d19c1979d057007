"""Finding where to begin reading: the last lines, or those since a time, by the segments' indexes."""

import os
from pathlib import Path
from typing import NamedTuple

from plugin.docker.frames import HEADER_SIZE, MAX_FRAME_SIZE, Fields, entry_size
from plugin.docker.partials import Joiner
from plugin.journal.corruption import damage_at, walk_to
from plugin.journal.index import Point, clean_points, read_points
from plugin.journal.layout import CLOCK_TICK, Segment, index_path, list_segments
from plugin.journal.line_spans import joiner_at
from plugin.journal.reader import JournalReader, segment_end
from plugin.journal.scanner import NO_TIME, Walker

_FEW_POINTS = 64


class Start(NamedTuple):
    """Read from offset ``resume`` on; lines that end behind ``first`` count, and ``skip`` of them are left out."""

    resume: int
    first: int
    skip: int


def journal_end(folder: Path) -> int:
    """Return the offset behind the last byte that is there now, 0 for an empty or missing journal."""
    for _ in range(3):
        segments = list_segments(folder)
        if not segments:
            return 0
        try:
            return segment_end(segments[-1])
        except FileNotFoundError:  # compressed or removed since it was listed
            continue
    return 0


def oldest_offset(folder: Path) -> int:
    """Return the offset of the oldest byte that is there, 0 for an empty or missing journal."""
    segments = list_segments(folder)
    return segments[0].base if segments else 0


def frames_end(folder: Path) -> int:
    """Return the offset behind the last complete frame that is there now, where the next one will begin; 0 without any.

    Behind it there may be the beginning of a frame, which will be completed, or cut off after a crash.
    """
    end = journal_end(folder)
    base = max((segment.base for segment in list_segments(folder) if segment.base <= end), default=0)
    points = read_points(index_path(folder, base), base, end)
    walker = Walker(points[-1].offset if points else base, Joiner())
    reader = JournalReader(folder, walker.offset)
    try:
        walk_to(reader, walker, end)
    finally:
        reader.close()
    return walker.offset


def find_since(folder: Path, since: int) -> tuple[int, int]:
    """Return the offset of the first entry that is not older than a time, and from where on to read to have it whole.

    ``since`` is in nanoseconds since 1970 UTC; where all are older, it is where the next frame will begin. Before the
    offset there can be the beginnings of lines that end behind it.
    """
    end = frames_end(folder)
    ahead = [segment for segment in list_segments(folder) if segment.base < end and not _is_older(segment, since)]
    if not ahead:
        return _end_with_resume(folder, end)
    found = _find_since(folder, ahead, end, since)
    joiner, fields = (joiner_at(folder, found.resume) if found.resume == ahead[0].base else Joiner()), Fields()
    reader = JournalReader(folder, found.resume)
    try:
        while reader.offset < end:
            chunk = reader.peek(min(MAX_FRAME_SIZE, end - reader.offset))
            size = HEADER_SIZE + entry_size(chunk, 0) if len(chunk) >= HEADER_SIZE else 0
            position = 0
            while HEADER_SIZE < size <= len(chunk) - position and fields.locate(
                chunk, position + HEADER_SIZE, position + size
            ):
                offset = reader.offset + position
                if offset >= found.first and fields.time_nano >= since:
                    return offset, offset if joiner.held_from < 0 else joiner.held_from
                joiner.accept(fields, chunk, offset)
                position += size
                rest = len(chunk) - position
                size = HEADER_SIZE + entry_size(chunk, position) if rest >= HEADER_SIZE else 0
            reader.advance(position)
            if position:
                continue
            skipped = damage_at(reader, ended=True) if chunk else 0
            if skipped:
                reader.advance(skipped)
            elif not reader.next_segment():
                break
    finally:
        reader.close()
    return end, end if joiner.held_from < 0 else joiner.held_from


def _is_older(segment: Segment, since: int) -> bool:
    """Return whether a segment was written last before a time, so that it holds nothing newer."""
    try:
        return os.stat(segment.path).st_mtime_ns < since - CLOCK_TICK
    except OSError:  # compressed or removed meanwhile
        return False


def _end_with_resume(folder: Path, end: int) -> tuple[int, int]:
    """Return the journal's end, and where the oldest line begins that is incomplete there."""
    start = find_start(folder, end, tail=0, since=0, count_incomplete=False)
    return end, min(end, start.resume)


def find_start(folder: Path, end: int, *, tail: int, since: int, count_incomplete: bool) -> Start:
    """Find where to begin so that the last ``tail`` lines before ``end`` are read, and few from before ``since``.

    ``tail`` below 0 means all lines; ``since`` is in nanoseconds since 1970 UTC, 0 means the beginning. Lines that are
    incomplete at the end count for the tail if ``count_incomplete`` (a follower will see them complete, later).
    """
    segments = [segment for segment in list_segments(folder) if segment.base < end]
    if not segments:
        return Start(end, end, 0)
    start = Start(segments[0].base, segments[0].base, 0)
    if tail >= 0:
        start = _find_tail(folder, segments, end, tail, count_incomplete) or start
    if since > 0:
        start = max(start, _find_since(folder, segments, end, since), key=lambda found: found.first)
    return start


def _find_tail(folder: Path, segments: list[Segment], end: int, tail: int, count_incomplete: bool) -> Start | None:
    """Go back segment by segment until they hold ``tail`` lines; ``None`` if the journal has no more than that."""
    for number in reversed(range(len(segments))):
        newest = number == len(segments) - 1
        segment_limit = end if newest else segments[number + 1].base
        for last in (_FEW_POINTS, None):
            points, held = _points(folder, segments[number].base, segment_limit, newest=newest, last=last)
            lines = points[-1].lines + (held if newest and count_incomplete else 0)
            before = lines - tail
            if before < 0:
                break
            point = [p for p in points if p.lines <= before][-1]
            if last is None or point is not points[0]:  # behind the first there may be points that were passed over
                return Start(point.resume, point.offset, before - point.lines)
        tail -= lines
    return None


def _find_since(folder: Path, segments: list[Segment], end: int, since: int) -> Start:
    """Find the last point before which everything is older than ``since``."""
    found = Start(segments[0].base, segments[0].base, 0)
    for number, segment in enumerate(segments):
        segment_limit = segments[number + 1].base if number + 1 < len(segments) else end
        points, _ = _points(folder, segment.base, segment_limit, newest=False)
        for point in points:
            if point.latest >= since:
                return found
            found = Start(point.resume, point.offset, 0)
    return found


def segment_points(folder: Path, base: int, limit: int, *, newest: bool) -> list[Point]:
    """Return the index points of the segment at ``base``, from its beginning to where its complete frames end.

    Nothing beyond ``limit`` counts. What the index on disk lacks is found by walking.
    """
    return _points(folder, base, limit, newest=newest)[0]


def _points(folder: Path, base: int, limit: int, *, newest: bool, last: int | None = None) -> tuple[list[Point], int]:
    """Return a segment's points up to its end, or to ``limit``, and, for the newest, how many lines are incomplete.

    The last point is where the complete frames end. What the index on disk lacks is found by walking. With ``last``
    the points are the first and about so many of the last ones.
    """
    stored = read_points(index_path(folder, base), base, limit, last)
    if len(stored) > 1 and stored[-1].offset == limit and (stored[-1].resume == limit or not newest):
        return stored, 0
    points = clean_points(stored)
    if last is not None and len(points) < 2:  # a nearer one to walk from may have been passed over
        return _points(folder, base, limit, newest=newest)
    start = points[-1] if points else Point(base, 0, NO_TIME, base)
    walker = Walker(start.offset, joiner_at(folder, base) if start.offset == base else Joiner())
    walker.restart(start.offset, start.lines, start.latest)
    points = points or [Point(*walker.point())]
    reader = JournalReader(folder, walker.offset)
    try:
        walk_to(reader, walker, limit)
    finally:
        reader.close()
    points.extend(Point(*point) for point in walker.points)
    if walker.offset > points[-1].offset:
        points.append(Point(*walker.point()))
    return points, walker.joiner.held

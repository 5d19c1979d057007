"""What a journal keeps, and what goes first when there is too much.

A segment may go only when every sink has passed it: ``floor`` is the offset from which on some sink still needs the
journal, ``None`` where none does (see ``plugin.journal.cursors.store``).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from plugin.docker.frames import HEADER_SIZE, Fields, entry_size
from plugin.journal.layout import Segment, free_at_once, index_path, list_segments
from plugin.journal.losses import Cause, record_loss
from plugin.journal.regular_files import open_regular

LEAST_SEGMENT = 1 << 18
"""Bytes; each segment costs files that are made, opened, compressed and removed, so smaller ones do not pay."""


@dataclass(frozen=True, slots=True)
class SegmentUse:
    """What a segment takes: ``end`` is the next segment's offset, ``None`` for the newest; times in nanoseconds."""

    segment: Segment
    end: int | None
    bytes: int
    modified: int


def measure(folder: Path) -> list[SegmentUse]:
    """Measure the segments of a journal, oldest first; those that vanish meanwhile are left out."""
    segments = list_segments(folder)
    ends: list[int | None] = [segment.base for segment in segments[1:]]
    measured = []
    for segment, end in zip(segments, [*ends, None], strict=False):
        try:
            status = os.stat(segment.path)
        except FileNotFoundError:
            continue
        measured.append(SegmentUse(segment, end, status.st_size, status.st_mtime_ns))
    return measured


def segment_size(max_size: int) -> int:
    """Return the size in bytes at which a segment is closed, of a container with this ``max-size``."""
    return max(max_size, LEAST_SEGMENT)


def surplus(
    segments: list[SegmentUse], max_size: int, max_file: int, floor: int | None = None, *, aging: bool = False
) -> list[SegmentUse]:
    """Choose the oldest segments beyond ``max_size`` × ``max_file``, the newest never.

    What counts is bytes, not files: a segment may have been closed long before it was full, as what followed was not a
    log entry. Those stay that are needed for ``max_file`` − 1 times ``max_size`` beside the newest; what that has
    beyond ``max_size``, as the least segment is larger, is part of these. With ``aging`` the newest may be closed at
    any time, for ``max-age``: then it counts like the others.
    """
    wanted = max_size * (max_file if aging else max_file - 1)
    kept = len(segments)
    while kept > 0:
        use = segments[kept - 1]
        if use.end is None:
            wanted -= use.bytes if aging else max(0, use.bytes - max_size)
        elif wanted > 0:
            wanted -= _content(use, max_size)
        else:
            break
        kept -= 1
    return passed(segments[:kept], floor)


def _content(use: SegmentUse, max_size: int) -> int:
    """Return how many bytes of journal a closed segment holds; of a compressed one what it does at most.

    What is missing behind a segment is not part of it.
    """
    if not use.segment.compressed:
        return use.bytes
    span = use.bytes if use.end is None else use.end - use.segment.base
    return min(span, segment_size(max_size))


def aged(segments: list[SegmentUse], not_before: int, floor: int | None = None) -> list[SegmentUse]:
    """Choose the closed segments that were last written before a time (nanoseconds since 1970 UTC)."""
    return passed([use for use in segments if use.modified < not_before], floor)


def undelivered(segments: list[SegmentUse], floor: int | None) -> int:
    """Count the bytes that some sink still needs and that are still there; 0 where there is no sink."""
    if floor is None:
        return 0
    total = 0
    for use in segments:
        end = use.end
        if end is None:
            end = use.segment.base + (0 if use.segment.compressed else use.bytes)
        total += max(0, end - max(use.segment.base, floor))
    return total


def begun(use: SegmentUse) -> int:
    """Return when a plain segment was begun, by the time of its first entry; when it was modified, if it has none."""
    with os.fdopen(open_regular(use.segment.path), "rb") as file:
        header = file.read(HEADER_SIZE)
        entry = file.read(entry_size(header, 0)) if len(header) == HEADER_SIZE else b""
    fields = Fields()
    return fields.time_nano if fields.locate(entry, 0, len(entry)) and fields.time_nano > 0 else use.modified


def passed(segments: list[SegmentUse], floor: int | None) -> list[SegmentUse]:
    """Choose the closed segments that no sink needs."""
    return [use for use in segments if use.end is not None and (floor is None or use.end <= floor)]


def remove_segments(uses: list[SegmentUse], cause: Cause) -> None:
    """Remove closed segments, oldest first, and record the cause once for those that follow each other."""
    start = 0
    for number, use in enumerate(uses, 1):
        if use.end is not None and (number == len(uses) or uses[number].segment.base != use.end):
            record_loss(Path(use.segment.path).parent, uses[start].segment.base, use.end, cause)
            start = number
    for use in uses:
        remove_segment(use)


def remove_segment(use: SegmentUse, cause: Cause | None = None, *, at_once: bool = False) -> None:
    """Remove a segment and its index, and record the cause, for the sinks that still need it.

    With ``at_once`` its room is free although a reader may have it open, to whom its rest is missing then.
    """
    path = Path(use.segment.path)
    if cause is not None and use.end is not None:
        record_loss(path.parent, use.segment.base, use.end, cause)
    if at_once:
        free_at_once(path)
    path.unlink(missing_ok=True)
    index_path(path.parent, use.segment.base).unlink(missing_ok=True)


def remove_corrupt(folder: Path, kept: int) -> int:
    """Keep only the newest few of the files with bytes that were not frames; returns the bytes that these take."""
    files = sorted(folder.glob("*.corrupt"), reverse=True)
    for path in files[kept:]:
        path.unlink(missing_ok=True)
    return sum(path.lstat().st_size for path in files[:kept])

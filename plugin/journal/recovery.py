"""Finding the end of a journal: whatever a killed process left behind, there is one place at which it goes on."""

from dataclasses import dataclass
from pathlib import Path

from plugin.docker.partials import Joiner
from plugin.journal.active_segment import NewestSegment, open_segment
from plugin.journal.gap_marker import noted_gap
from plugin.journal.index import clean_points, read_points
from plugin.journal.layout import index_path, list_segments
from plugin.journal.line_spans import joiner_at
from plugin.journal.losses import Cause, record_loss
from plugin.journal.reader import segment_end
from plugin.journal.scanner import Walker


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """Where a journal goes on: at ``offset``, with an open ``segment``, or with a new one where this is not open.

    ``walker`` is at the last index point: from there on it has to walk over what there is already.
    """

    offset: int
    segment: NewestSegment
    walker: Walker


def find_end(folder: Path) -> JournalEnd:
    """Find the end of the journal in a folder, and remove the files that were never finished. Raises ``OSError``.

    Where a killed process was dropping, the end is the one that it noted.
    """
    for leftover in folder.glob(".*"):
        leftover.unlink(missing_ok=True)
    segments = list_segments(folder)
    end = segment_end(segments[-1]) if segments else 0
    noted = noted_gap(folder)
    if segments and not segments[-1].compressed and noted <= end:
        return _end_of_segment(folder, segments[-1].base, end)
    offset = max(end, noted)
    record_loss(folder, end, offset, Cause.DROPPED)  # which of both, the process that was killed knew
    return JournalEnd(offset, NewestSegment(), Walker(offset, Joiner()))


def _end_of_segment(folder: Path, base: int, end: int) -> JournalEnd:
    points = clean_points(read_points(index_path(folder, base), base, end))
    walker = Walker(base, joiner_at(folder, base) if len(points) <= 1 else Joiner())
    if points:
        walker.restart(points[-1].offset, points[-1].lines, points[-1].latest)
    else:
        walker.points = [walker.point()]
    return JournalEnd(end, open_segment(folder, base, points), walker)

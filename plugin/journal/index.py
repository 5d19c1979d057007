"""The sparse index of a segment: a point about every 64 KiB, in a file of fixed records beside the segment.

It is derived: where it is lost, stale or damaged, walking the segment rebuilds it. A record is four little-endian
64-bit integers: offset, lines, latest, resume (see ``Walker.points``). The first record is the segment's beginning;
a closed segment's last record is its end.
"""

import logging
import os
import struct
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from plugin.journal.regular_files import NotRegularError, open_regular

logger = logging.getLogger(__name__)

_RECORD = struct.Struct("<qqqq")


class Point(NamedTuple):
    """What is known of a segment before an offset."""

    offset: int
    lines: int
    latest: int
    resume: int


def pack_points(points: Iterable[tuple[int, int, int, int]]) -> bytes:
    """Encode points for appending to an index file."""
    return b"".join([_RECORD.pack(*point) for point in points])


def read_points(path: str | os.PathLike[str], base: int, end: int, last: int | None = None) -> list[Point]:
    """Read the index of the segment that begins at ``base``, as far as it is sound and not beyond ``end``.

    Where only the ``last`` so many records are wanted, those between the first one and them are passed over. Returns
    an empty list if there is no index, its beginning is damaged, or it cannot be read: the segment tells all of it.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            content = file.read() if last is None else _ends(file, last)
    except (FileNotFoundError, NotRegularError):
        return []
    except OSError as error:
        logger.debug("%s cannot be read: %s", path, error)
        return []
    points: list[Point] = []
    whole = len(content) - len(content) % _RECORD.size
    for record in _RECORD.iter_unpack(content[:whole]):
        point = Point(*record)
        if points:
            previous = points[-1]
            sound = point.offset > previous.offset and point.lines >= previous.lines and point.resume <= point.offset
        else:
            sound = point.offset == base and point.lines == 0 and point.resume <= base
        if not sound or point.offset > end:
            break
        points.append(point)
    return points


def _ends(file: BinaryIO, last: int) -> bytes:
    """Read the first record and the last so many."""
    first = file.read(_RECORD.size)
    records = file.seek(0, os.SEEK_END) // _RECORD.size
    file.seek(max(1, records - last) * _RECORD.size)
    return first + file.read()


def clean_points(points: list[Point]) -> list[Point]:
    """Leave out the last points until one is reached at which no line is incomplete, so that a walk can go on there.

    The first point, a segment's beginning, stays in any case.
    """
    end = len(points)
    while end > 1 and points[end - 1].resume != points[end - 1].offset:
        end -= 1
    return points[:end]

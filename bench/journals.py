"""Journals that lie ready: written once by the package's own writer, lent to each measurement by links."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.lines import numbered_line
from plugin.docker.frames import Entry, encode_frame
from plugin.docker.info import Info
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.metadata import write_metadata
from plugin.journal.writer import JournalWriter
from tests.testbed.standin import container_info

_SEGMENT_SIZE = 20_000_000
_PIPE_SIZE = 1 << 20
_FIRST = 1_700_000_000_000_000_001
_STEP = 1_001
"""Nanoseconds between two lines: about a million a second, and no timestamp is round."""


@dataclass(frozen=True, slots=True)
class PreparedJournal:
    """A container's journal: where its segments lie, and where it ends."""

    folder: Path
    end: int


def write_journals(folder: Path, containers: int, lines: int) -> list[PreparedJournal]:
    """Write this many journals with ``lines`` numbered lines in all, shared out evenly."""
    folder.mkdir()
    numbers = iter(range(lines))
    shares = [lines // containers + (number < lines % containers) for number in range(containers)]
    journals = []
    for number, share in enumerate(shares):
        own = folder / str(number)
        journals.append(PreparedJournal(own, _write(own, encoded(next(numbers) for _ in range(share)))))
    return journals


def encoded(numbers: Iterator[int]) -> Iterator[bytes]:
    """Return the frames of numbered lines, as the engine writes them."""
    for number in numbers:
        yield encode_frame(Entry("stdout", _FIRST + number * _STEP, numbered_line(number)))


def _write(folder: Path, frames: Iterator[bytes]) -> int:
    """Write a journal as intake does, through a pipe; return its end."""
    writer = JournalWriter(folder, _SEGMENT_SIZE)
    source, target = os.pipe()
    try:
        fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        for piece in _pieces(frames, _PIPE_SIZE):
            taken = os.write(target, piece)
            while taken:
                taken -= writer.take(source, taken)
        return writer.offset
    finally:
        writer.close()
        os.close(source)
        os.close(target)


def _pieces(frames: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Join frames to pieces of at most ``size`` bytes."""
    held: list[bytes] = []
    length = 0
    for frame in frames:
        if length + len(frame) > size:
            yield b"".join(held)
            held, length = [], 0
        held.append(frame)
        length += len(frame)
    if held:
        yield b"".join(held)


@dataclass(frozen=True, slots=True)
class Lent:
    """A container in a data folder, whose journal one sink is to deliver from its beginning to ``end``."""

    folder: Path
    instance: str
    end: int

    def is_delivered(self) -> bool:
        """Return whether all of it is acknowledged."""
        cursor = read_cursor(self.folder, self.instance)
        return cursor is not None and cursor.offset >= self.end


def lend(
    journals: Sequence[PreparedJournal],
    data: DataFolder,
    instance: str,
    options: Mapping[str, str],
    *,
    delivered: bool = False,
) -> list[Lent]:
    """Put journals into a data folder as those of new, stopped containers with these log-opts; segments are linked.

    The cursor is at their beginning, or at their end if they are to count as ``delivered``.
    """
    data.create()
    lent = []
    for journal in journals:
        info = msgspec.convert(container_info(options), Info)
        folder = data.container(info.container_id)
        folder.mkdir(mode=0o700)
        for segment in list_segments(journal.folder):
            os.link(segment.path, folder / Path(segment.path).name)
        offset = journal.end if delivered else 0
        write_cursor(folder, instance, Cursor(offset=offset, resume=offset))
        write_metadata(folder, info, "", _FIRST)
        lent.append(Lent(folder, instance, journal.end))
    return lent

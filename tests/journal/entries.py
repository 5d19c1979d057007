"""What the tests of the journal work with: entries as an engine may send them, and a naive model of their lines."""

import errno
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import strategies as st

from plugin.docker.frames import HEADER_SIZE, Entry, PartialMetadata, decode_entry, encode_frame, entry_size
from plugin.docker.partials import MAX_JOINED
from plugin.journal import writer as writer_module
from plugin.journal.active_segment import NewestSegment
from plugin.journal.layout import list_segments
from plugin.journal.writer import JournalWriter

SMALL_JOINED = 400
SMALL_SPACING = 150
"""The journal's bounds, scaled down with ``scaled_down`` so that small examples reach them."""

_TIMES = st.integers(1, 40)
_LINES = st.binary(max_size=12) | st.binary(min_size=90, max_size=160)
_METADATA = st.builds(PartialMetadata, last=st.booleans(), id=st.sampled_from("ab"), ordinal=st.integers(1, 3))


def entries(
    *, min_size: int = 0, max_size: int = 40, sources: Sequence[str] = ("stdout", "stdout", "stderr")
) -> st.SearchStrategy[list[Entry]]:
    """Entries in any order: whole lines, parts with and without metadata, lines that never end."""
    source = st.sampled_from(sources)
    whole = st.builds(Entry, source=source, time_nano=_TIMES, line=_LINES)
    part = st.builds(Entry, source=source, time_nano=_TIMES, line=_LINES, partial=st.just(True), metadata=_METADATA)
    old_part = st.builds(Entry, source=source, time_nano=_TIMES, line=_LINES, partial=st.just(True))
    return st.lists(whole | part | old_part, min_size=min_size, max_size=max_size)


def numbered(count: int, start: int = 0, size: int = 0) -> list[Entry]:
    """Whole lines that can be told apart, at least ``size`` bytes long."""
    return [Entry("stdout", n + 1, f"line {n} ".encode().ljust(size, b".")) for n in range(start, start + count)]


def part(line: bytes, time: int = 1, source: str = "stdout", *, id: str = "a", last: bool = False) -> Entry:  # noqa: A002
    """One part of a line, as newer engines mark it."""
    return Entry(source, time, line, partial=True, metadata=PartialMetadata(last=last, id=id, ordinal=1))


def encode(sent: Iterable[Entry]) -> bytes:
    """Encode entries as frames, end to end."""
    return b"".join(map(encode_frame, sent))


def split(content: bytes) -> list[bytes]:
    """Split bytes into frames; fails if the last one is incomplete."""
    frames = []
    position = 0
    while position < len(content):
        end = position + HEADER_SIZE + entry_size(content, position)
        assert end <= len(content), "the last frame is incomplete"
        frames.append(content[position:end])
        position = end
    return frames


def decode(content: bytes) -> list[Entry]:
    """Decode frames, end to end."""
    return [decode_entry(frame, HEADER_SIZE, len(frame)) for frame in split(content)]


@dataclass(frozen=True)
class Line:
    """A line that was printed, as one entry for the engine: ``text`` has its newline if the line came to an end."""

    source: str
    time: int
    text: bytes


@dataclass
class Model:
    """A plain joiner of entries to lines; ``bound`` is the most bytes that are held together."""

    bound: int
    held: dict[str, list[tuple[int, Entry]]] = field(default_factory=dict)

    def feed(self, entry: Entry, offset: int = 0) -> list[Line]:
        """Take an entry and give the lines that are known with it."""
        lines = []
        held = self.held.get(entry.source, [])
        if held and _id(held[0][1]) != _id(entry):
            lines.append(_join(held, b""))
            held = []
        held = [*held, (offset, entry)]
        if not entry.partial or (entry.metadata is not None and entry.metadata.last):
            lines.append(_join(held, b"\n"))
            held = []
        elif sum(len(part.line) for _, part in held) > self.bound:
            lines.append(_join(held, b""))
            held = []
        self.held[entry.source] = held
        return lines

    def flush(self) -> list[Line]:
        """Return the lines whose end never came."""
        return [_join(self.held[source], b"") for source in ("stdout", "stderr") if self.held.get(source)]

    @property
    def held_from(self) -> int:
        """Offset of the oldest part that is held, −1 if none is."""
        return min((held[0][0] for held in self.held.values() if held), default=-1)


def _id(entry: Entry) -> str:
    return entry.metadata.id if entry.metadata is not None else ""


def _join(held: list[tuple[int, Entry]], newline: bytes) -> Line:
    first = held[0][1]
    return Line(first.source, first.time_nano, b"".join(part.line for _, part in held) + newline)


def lines_of(sent: Iterable[Entry], bound: int = MAX_JOINED, *, finished: bool = True) -> list[Line]:
    """Return which lines some entries are; those whose end never came only if ``finished``."""
    model = Model(bound)
    lines = [line for entry in sent for line in model.feed(entry)]
    return [*lines, *model.flush()] if finished else lines


def choose(lines: list[Line], *, tail: int = -1, since: int = 0, until: int = 0) -> list[Line]:
    """Choose lines as the engine's own readers do."""
    if tail >= 0:
        lines = lines[len(lines) - min(tail, len(lines)) :]
    while since and lines and lines[0].time < since:
        lines = lines[1:]
    for number, line in enumerate(lines):
        if until and line.time > until:
            return lines[:number]
    return lines


def read_lines(frames: bytes) -> list[Line]:
    """Decode what a reading gave."""
    return [Line(entry.source, entry.time_nano, entry.line) for entry in decode(frames)]


class Pipe:
    """A pipe, as a FIFO that intake reads from without blocking and the engine writes to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)

    def write(self, content: bytes) -> None:
        """Write some bytes, which must find room."""
        assert os.write(self.writer, content) == len(content)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.reader)
        os.close(self.writer)


@contextmanager
def pipe() -> Iterator[Pipe]:
    """Make a pipe and close it afterwards."""
    made = Pipe()
    try:
        yield made
    finally:
        made.close()


def drain(writer: JournalWriter, fifo: Pipe, limit: int = 1 << 20) -> int:
    """Let a writer take whatever is in a pipe; returns how many bytes it says it took."""
    taken = 0
    while True:
        try:
            count = writer.take(fifo.reader, limit)
        except BlockingIOError:
            return taken
        if count == 0:
            return taken
        taken += count


def append(writer: JournalWriter, fifo: Pipe, content: bytes, piece: int = 1 << 15) -> None:
    """Send bytes through a pipe into a journal."""
    for start in range(0, len(content), piece):
        fifo.write(content[start : start + piece])
        drain(writer, fifo)


def write_journal(folder: Path, content: bytes, segment_size: int = 1 << 20) -> None:
    """Make a journal, or go on with one, by way of its writer."""
    writer = JournalWriter(folder, segment_size)
    with pipe() as fifo:
        append(writer, fifo, content)
    writer.close()


def on_disk(folder: Path) -> dict[int, bytes]:
    """Read the segments of a journal as they lie there, by offset; each ends at the latest where the next begins."""
    segments = list_segments(folder)
    content = {}
    for number, segment in enumerate(segments):
        raw = Path(segment.path).read_bytes()
        if segment.compressed:
            raw = zstandard.ZstdDecompressor().decompress(raw)
        limit = segments[number + 1].base if number + 1 < len(segments) else segment.base + len(raw)
        content[segment.base] = raw[: limit - segment.base]
    return content


def compress(folder: Path, base: int) -> None:
    """Compress one segment, as retention does: beside it, then renamed, then the plain one goes."""
    plain = folder / f"{base:020}.log"
    packed = zstandard.ZstdCompressor(level=1).compress(plain.read_bytes())
    (folder / "packing").write_bytes(packed)
    (folder / "packing").rename(folder / f"{base:020}.log.zst")
    plain.unlink()


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; returns the file that did it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return ballast


@contextmanager
def no_new_segments() -> Iterator[None]:
    """Have the disk refuse even the empty file of a new segment meanwhile."""

    def refuse(*_: object) -> NewestSegment:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "create_segment", refuse)
        yield


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Mount a file system of a few pages."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    with TemporaryDirectory(prefix="peavey-full-") as path:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "peavey-test", path], check=False).returncode:
            pytest.skip("this machine does not let root mount a tmpfs")
        try:
            yield Path(path)
        finally:
            subprocess.run(["umount", path], check=True)

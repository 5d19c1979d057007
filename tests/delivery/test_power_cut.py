"""A power cut takes the end of a journal, and what the cursors were: what is there then, and what comes, is sent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from plugin.delivery.tail import Tail
from plugin.docker.frames import HEADER_SIZE, entry_size
from plugin.intake.stream import Container, Stream
from plugin.journal import scanner
from plugin.journal.cursors.keeper import CursorKeeper
from plugin.journal.cursors.start import find_beginning
from plugin.journal.cursors.store import Cursor, cursor_path, write_cursor
from plugin.journal.layout import index_path, list_segments
from plugin.journal.metadata import read_metadata
from plugin.records.position import position_behind
from tests.delivery.conftest import CHOICE, FakeSink
from tests.intake.pump_harness import Fifo, info_of
from tests.journal.entries import decode, encode, numbered, on_disk

FRAME = len(encode(numbered(1, size=100)))
LINES = 40


class JournalHarness:
    """A container's journal, written as intake does and delivered as delivery does; any process may end at any time."""

    def __init__(self, folder: Path, segment_size: int) -> None:
        self.folder = folder / "journal"
        self._logging = folder
        self._segment_size = segment_size
        self._sink: Any = FakeSink()

    def print(self, name: str, content: bytes) -> None:
        """Have the container print through a stream of this name; the process that takes it is killed then."""
        container = Container("1" * 64, self.folder, self._segment_size, CursorKeeper())
        with self._stream(name, container) as (fifo, stream):
            fifo.write(content)
            writer = container.writer_for(stream)
            assert writer is not None
            for _ in iter(stream.waiting, 0):
                writer.take(stream.descriptor, 1 << 20)
            writer.close()

    @contextmanager
    def _stream(self, name: str, container: Container) -> Iterator[tuple[Fifo, Stream]]:
        fifo = Fifo(self._logging / name)
        fifo.connect()
        stream = Stream(str(fifo.path), info_of(), fifo.open(), container)
        container.streams.append(stream)
        try:
            yield fifo, stream
        finally:
            fifo.end()
            os.close(stream.descriptor)
            fifo.path.unlink()

    def tail(self) -> Tail:
        """Begin to deliver."""
        metadata = read_metadata(self.folder)
        assert metadata is not None
        cursor = find_beginning(self.folder, CHOICE, metadata.birth)
        assert cursor is not None
        return Tail(self.folder, CHOICE.instance, self._sink, "", cursor)

    def frames(self) -> dict[int, bytes]:
        """The complete frames that the journal holds now, by their offset."""
        found = {}
        for base, content in on_disk(self.folder).items():
            position = 0
            while position + HEADER_SIZE <= len(content):
                end = position + HEADER_SIZE + entry_size(content, position)
                if end > len(content):
                    break
                found[base + position] = content[position:end]
                position = end
        return found


def deliver(tail: Tail, count: int = 1 << 30) -> list[bytes]:
    """Deliver up to so many records; returns their lines."""
    lines: list[bytes] = []
    while len(lines) < count and (records := tail.read(4 * FRAME).records):
        records = records[: count - len(lines)]
        tail.acknowledge(position_behind(records[-1]), len(records))
        lines += [record.line for record in records]
    return lines


def cut(folder: Path, size: int, index_size: int) -> None:
    """Take the end of the newest segment, and of its index."""
    newest = list_segments(folder)[-1]
    os.truncate(newest.path, min(size, os.stat(newest.path).st_size))
    index = index_path(folder, newest.base)
    os.truncate(index, min(index_size, os.stat(index).st_size))


@settings(max_examples=60)
@given(
    segment_size=st.sampled_from([1 << 20, 10 * FRAME]),
    delivered=st.integers(0, LINES),
    size=st.integers(0, LINES * FRAME),
    index_size=st.integers(0, 2_000),
    cursor=st.sampled_from(["ahead", "older", "damaged", "lost", "of an older version", "of an older journal"]),
    note_is_lost=st.booleans(),
    delivery_looks_first=st.booleans(),
    more=st.integers(1, LINES + 5),
)
@example(1 << 20, LINES, 10 * FRAME + 7, 2_000, "ahead", False, False, LINES)
@example(1 << 20, LINES, 10 * FRAME + 7, 2_000, "ahead", False, True, LINES)
@example(1 << 20, LINES, 0, 0, "ahead", False, False, LINES)
def test_every_line_that_the_journal_has_behind_the_last_delivered_one_arrives(
    segment_size: int,
    delivered: int,
    size: int,
    index_size: int,
    cursor: str,
    note_is_lost: bool,
    delivery_looks_first: bool,
    more: int,
) -> None:
    with TemporaryDirectory() as path, small_index():
        harness = JournalHarness(Path(path), segment_size)
        harness.print("first", encode(numbered(LINES // 2, size=100)))
        tail = harness.tail()
        deliver(tail, delivered // 2)
        older = tail.cursor
        harness.print("first", encode(numbered(LINES // 2, LINES // 2, size=100)))
        deliver(tail, delivered - delivered // 2)
        newest = tail.cursor
        tail.close()

        cut(harness.folder, size, index_size)
        damage(harness.folder, cursor, older, newest)
        before = harness.frames()
        end = max((offset + len(frame) for offset, frame in before.items()), default=0)
        tails = []
        if delivery_looks_first:
            tails.append(harness.tail())
        if note_is_lost:
            (harness.folder / "info.json").write_bytes(b"")
        harness.print("second", encode(numbered(more, LINES, size=100)))
        if not delivery_looks_first:
            tails.append(harness.tail())
        arrived = deliver(tails[0])
        tails[0].close()

        known = {"ahead": newest.offset, "older": older.offset, "of an older version": newest.offset}.get(cursor, 0)
        if known > end and note_is_lost and not delivery_looks_first and cursor != "of an older version":
            known = 0  # whose cursor it is cannot be told then
        expected = [
            decode(frame)[0].line
            for offset, frame in harness.frames().items()
            if offset not in before or offset >= known
        ]
        assert arrived == expected
        assert expected[-more:] == [entry.line for entry in numbered(more, LINES, size=100)]


def damage(folder: Path, state: str, older: Cursor, newest: Cursor) -> None:
    """Leave a cursor behind as a power cut may."""
    path = cursor_path(folder, CHOICE.instance)
    if state == "older":
        write_cursor(folder, CHOICE.instance, older)
    elif state == "of an older version":
        write_cursor(folder, CHOICE.instance, replace(newest, birth=0))
    elif state == "of an older journal":
        write_cursor(folder, CHOICE.instance, replace(newest, birth=1, offset=1_000_000))
    elif state == "damaged":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0" * 40)
    elif state == "lost":
        path.unlink(missing_ok=True)


@contextmanager
def small_index() -> Iterator[None]:
    """Have an index point every few frames."""
    spacing, scanner.POINT_SPACING = scanner.POINT_SPACING, 3 * FRAME
    try:
        yield
    finally:
        scanner.POINT_SPACING = spacing

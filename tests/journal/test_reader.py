"""Reading by offset while a journal is written, compressed and trimmed."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from plugin.journal import reader as reader_module
from plugin.journal.layout import Segment, list_segments, segment_path
from plugin.journal.reader import HeldSegments, JournalReader, segment_end
from plugin.journal.writer import JournalWriter
from tests.journal.entries import Pipe, append, compress, encode, numbered, on_disk, pipe, split, write_journal
from tests.testbed.descriptors import open_descriptors


def read_rest(reader: JournalReader, size: int = 1000) -> bytes:
    content = b""
    while piece := reader.peek(size):
        content += piece
        reader.advance(len(piece))
    return content


class TestOffsets:
    @given(st.integers(1, 40), st.integers(40, 500), st.data())
    def test_reading_begins_at_any_offset(self, count: int, segment_size: int, data: st.DataObject) -> None:
        content = encode(numbered(count))
        with TemporaryDirectory() as path:
            folder = Path(path)
            write_journal(folder, content, segment_size)
            for segment in list_segments(folder):
                if data.draw(st.booleans(), label=f"compress {segment.base}"):
                    compress(folder, segment.base)
            offset = data.draw(st.integers(0, len(content)))
            reader = JournalReader(folder, offset)
            if data.draw(st.booleans(), label="hold"):
                reader.hold()
            assert read_rest(reader, data.draw(st.integers(1, 300))) == content[offset:]
            assert reader.offset == len(content)
            reader.close()

    def test_peeking_does_not_move(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(10)))
        compress(folder, 0)
        reader = JournalReader(folder)
        assert reader.peek(10) == reader.peek(10) == encode(numbered(10))[:10]
        assert reader.peek(100)[:10] == reader.peek(10)
        reader.advance(50)
        assert reader.peek(10) == encode(numbered(10))[50:60]
        reader.offset = 5
        assert reader.peek(10) == encode(numbered(10))[5:15]
        reader.close()

    def test_an_offset_behind_the_end_waits(self, folder: Path) -> None:
        content = encode(numbered(2))
        write_journal(folder, content)
        reader = JournalReader(folder, len(content) + 5)
        assert reader.peek(100) == b""
        write_journal(folder, content)
        assert reader.peek(100) == content[5:]
        reader.close()

    def test_a_journal_may_come_later(self, folder: Path) -> None:
        reader = JournalReader(folder)
        assert reader.peek(100) == b""
        assert not reader.next_segment()
        write_journal(folder, encode(numbered(1)))
        assert read_rest(reader) == encode(numbered(1))
        reader.close()
        reader.close()

    def test_what_is_left_of_a_segment_with_a_successor_is_passed_over(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(2)))
        end = len(encode(numbered(2)))
        with segment_path(folder, 0).open("ab") as segment:
            segment.write(b"torn")
        reader = JournalReader(folder)
        assert reader.peek(1000) == encode(numbered(2)) + b"torn"
        reader.advance(end)
        assert not reader.next_segment()
        segment_path(folder, end + 100).write_bytes(encode(numbered(2)))
        assert reader.next_segment()
        assert reader.peek(1000) == b"torn"
        assert reader.next_segment()
        assert reader.offset == end + 100
        assert reader.peek(1000) == encode(numbered(2))
        reader.close()

    def test_bytes_beyond_the_next_segments_offset_are_not_read_twice(self, folder: Path) -> None:
        content = encode(numbered(4))
        folder.mkdir()
        frames = split(content)
        segment_path(folder, 0).write_bytes(content)
        segment_path(folder, len(frames[0])).write_bytes(content[len(frames[0]) :])
        reader = JournalReader(folder)
        assert read_rest(reader) == content
        reader.close()


class TestSegmentsThatGo:
    def test_a_removed_one_leaves_a_gap(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(10)), segment_size=60)
        segments = list_segments(folder)
        reader = JournalReader(folder)
        reader.advance(len(reader.peek(1000)))
        os.unlink(segments[1].path)
        assert reader.peek(1000) == on_disk(folder)[segments[2].base]
        assert reader.offset == segments[2].base
        reader.close()

    def test_one_that_is_being_read_stays_readable(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(10)), segment_size=100)
        first = on_disk(folder)[0]
        reader = JournalReader(folder)
        assert reader.peek(1000) == first
        compress(folder, 0)
        os.unlink(f"{segment_path(folder, 0)}.zst")
        assert reader.peek(1000) == first
        reader.close()

    def test_held_ones_stay_readable(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(100)), segment_size=60)
        for segment in list_segments(folder)[:7]:
            compress(folder, segment.base)
        reader = JournalReader(folder)
        reader.hold()
        for segment in list_segments(folder):
            os.unlink(segment.path)
        assert read_rest(reader) == encode(numbered(100))
        reader.close()

    def test_no_more_than_some_are_held(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader_module, "_HELD_AT_MOST", 3)
        write_journal(folder, encode(numbered(100)), segment_size=60)
        before = open_descriptors()
        reader = JournalReader(folder, 130)
        reader.hold()
        assert open_descriptors() == before + 3
        assert read_rest(reader) == encode(numbered(100))[130:]
        reader.close()
        assert open_descriptors() == before

    def test_all_readers_together_hold_no_more_than_allowed(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(100)), segment_size=60)
        before = open_descriptors()
        held = HeldSegments(5)
        readers = [JournalReader(folder) for _ in range(4)]
        for reader in readers:
            reader.hold(held)
        assert open_descriptors() == before + 5 + 3  # each has the one that it reads
        assert [read_rest(reader) for reader in readers] == [encode(numbered(100))] * 4
        for reader in readers:
            reader.close()
            reader.close()
        assert held.take(100) == 5
        assert open_descriptors() == before

    def test_nothing_is_left_open_when_holding_fails(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_journal(folder, encode(numbered(100)), segment_size=60)
        before = open_descriptors()
        opened = reader_module._open_in_either_form
        calls = []

        def sometimes(*args: object) -> object:
            calls.append(args)
            if len(calls) == 5:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return opened(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(reader_module, "_open_in_either_form", sometimes)
        with pytest.raises(OSError, match="Too many open files"):
            JournalReader(folder).hold(held := HeldSegments(50))
        assert open_descriptors() == before
        assert held.take(100) == 50

    def test_one_compressed_between_listing_and_opening_is_looked_for_again(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_journal(folder, encode(numbered(10)), segment_size=60)
        stale = list_segments(folder)
        for segment in stale[:-1]:
            compress(folder, segment.base)
        answers = [stale]
        monkeypatch.setattr(
            reader_module, "list_segments", lambda path: answers.pop() if answers else list_segments(path)
        )
        reader = JournalReader(folder)
        assert read_rest(reader) == encode(numbered(10))
        reader.close()


class TestEnd:
    def test_of_a_segment(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(10)), segment_size=100)
        plain = list_segments(folder)
        ends = [segment_end(segment) for segment in plain]
        assert ends == [*(segment.base for segment in plain[1:]), len(encode(numbered(10)))]
        for segment in plain:
            compress(folder, segment.base)
        assert [segment_end(segment) for segment in list_segments(folder)] == ends

    def test_of_a_damaged_one_is_its_beginning(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        folder.mkdir()
        (folder / f"{7:020}.log.zst").write_bytes(b"no zstd at all")
        assert segment_end(list_segments(folder)[0]) == 7
        assert "is damaged" in caplog.text


class LiveJournal(RuleBasedStateMachine):
    """A journal that is written, rotated, reopened and compressed, and readers that each see all of it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder_context = TemporaryDirectory()
        self.folder = Path(self.folder_context.name) / "container"
        self.writer = JournalWriter(self.folder, 200)
        self.fifo = Pipe()
        self.content = b""
        self.lines = 0
        self.readers: list[tuple[JournalReader, int, bytearray]] = []

    @rule(count=st.integers(1, 5), size=st.integers(0, 120), torn=st.integers(0, 30))
    def write(self, count: int, size: int, torn: int) -> None:
        written = self.content[self.writer.offset :]
        self.content += encode(numbered(count, start=self.lines, size=size))
        self.lines += count
        pending = self.content[len(self.content) - len(encode(numbered(count, self.lines - count, size))) :]
        append(self.writer, self.fifo, (written + pending)[: max(0, len(written + pending) - torn)], 50)

    @rule(data=st.data())
    def rest(self, data: st.DataObject) -> None:
        if self.readers:
            reader, _, _ = data.draw(st.sampled_from(self.readers))
            reader.rest()

    @rule()
    def rotate(self) -> None:
        self.writer.rotate()

    @rule()
    def kill(self) -> None:
        self.writer.close()
        self.writer = JournalWriter(self.folder, 200)

    @rule(position=st.integers(0, 10))
    def compress(self, position: int) -> None:
        closed = [segment for segment in list_segments(self.folder)[:-1] if not segment.compressed]
        if closed:
            compress(self.folder, closed[position % len(closed)].base)

    @rule(share=st.floats(0, 1), hold=st.booleans())
    def open_reader(self, share: float, hold: bool) -> None:
        if len(self.readers) < 3:
            offset = int(share * self.writer.offset)
            reader = JournalReader(self.folder, offset)
            if hold:
                reader.hold()
            self.readers.append((reader, offset, bytearray()))

    @rule(number=st.integers(0, 2), size=st.integers(1, 400), part=st.floats(0, 1))
    def read(self, number: int, size: int, part: float) -> None:
        if number < len(self.readers):
            reader, _, seen = self.readers[number]
            piece = reader.peek(size)
            used = piece[: int(len(piece) * part) + 1]
            seen += used
            reader.advance(len(used))

    @invariant()
    def readers_saw_what_was_written(self) -> None:
        for reader, offset, seen in self.readers:
            assert self.content[offset : offset + len(seen)] == bytes(seen)
            assert reader.offset == offset + len(seen)

    def teardown(self) -> None:
        for reader, offset, seen in self.readers:
            rest = read_rest(reader)
            assert self.content[offset : self.writer.offset] == bytes(seen) + rest
            reader.close()
        self.writer.close()
        self.fifo.close()
        self.folder_context.cleanup()


def test_readers_of_a_live_journal() -> None:
    before = open_descriptors()
    run_state_machine_as_test(LiveJournal)
    assert open_descriptors() == before


def test_two_readers_do_not_disturb_each_other(folder: Path) -> None:
    writer = JournalWriter(folder, 100)
    first, second = JournalReader(folder), JournalReader(folder)
    with pipe() as fifo:
        for number in range(20):
            append(writer, fifo, encode(numbered(1, start=number)))
            first.advance(len(first.peek(30)))
            second.advance(len(second.peek(3)))
    assert read_rest(second, 7) == encode(numbered(20))[60:]
    assert read_rest(first) == b""
    for reader in (first, second):
        assert reader.offset == writer.offset
        reader.close()
    writer.close()


class TestManySegments:
    """What a segment costs does not depend on how many there are."""

    @pytest.mark.parametrize("hold", [False, True])
    def test_they_are_listed_a_few_times_whatever_their_number(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, hold: bool
    ) -> None:
        content = encode(numbered(300))
        write_journal(folder, content, segment_size=1)
        os.utime(folder, (1, 1))
        listings = count_listings(monkeypatch)
        reader = JournalReader(folder)
        if hold:
            reader.hold()
        assert read_rest(reader) == content
        assert len(listings) <= 3
        for _ in range(50):
            assert reader.peek(1) == b""
        assert len(listings) <= 3, "none is listed again where the folder is as it was"
        reader.close()

    def test_one_that_appears_is_found(self, folder: Path) -> None:
        content = encode(numbered(10))
        write_journal(folder, content, segment_size=1)
        os.utime(folder, (1, 1))
        reader = JournalReader(folder)
        assert read_rest(reader) == content
        more = encode(numbered(10, start=10))
        write_journal(folder, more, segment_size=1)
        assert read_rest(reader) == more
        reader.close()

    def test_those_that_go_after_they_were_listed_are_passed_over(self, folder: Path) -> None:
        content = encode(numbered(20))
        write_journal(folder, content, segment_size=1)
        segments = list_segments(folder)
        reader = JournalReader(folder)
        assert reader.peek(5) == content[:5]
        for segment in segments[1:4]:
            os.unlink(segment.path)
        compress(folder, segments[4].base)
        assert read_rest(reader) == content[: segments[1].base] + content[segments[4].base :]
        reader.close()


def count_listings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note each listing of a journal that a reader makes."""
    made: list[Path] = []

    def listing(folder: Path) -> list[Segment]:
        made.append(folder)
        return list_segments(folder)

    monkeypatch.setattr(reader_module, "list_segments", listing)
    return made

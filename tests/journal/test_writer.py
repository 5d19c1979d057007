"""Writing a journal: what a container wrote lies on disk, once and in order, whatever happens in between."""

import errno
import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import Entry, encode_frame
from plugin.docker.partials import Joiner
from plugin.journal import splice
from plugin.journal.index import read_points
from plugin.journal.layout import index_path, list_segments
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.reader import JournalReader
from plugin.journal.scanner import Walker
from plugin.journal.writer import JournalWriter
from tests.journal.entries import (
    Pipe,
    append,
    compress,
    decode,
    drain,
    encode,
    entries,
    lines_of,
    numbered,
    on_disk,
    part,
    pipe,
    read_lines,
    small_disk,
    split,
    write_journal,
)
from tests.testbed.descriptors import open_descriptors

SEGMENT_SIZES = st.integers(1, 3000)
HARMLESS = st.binary(min_size=1, max_size=60).map(lambda raw: bytes(0x80 | byte for byte in raw))
"""Garbage that cannot be taken for the beginning of a frame: each four bytes of it are too large a size."""


def pieces(content: bytes, data: st.DataObject) -> Iterator[bytes]:
    """Chop bytes as writes and reads may."""
    position = 0
    while position < len(content):
        size = data.draw(st.integers(1, 700), label="piece")
        yield content[position : position + size]
        position += size


def journal_bytes(folder: Path) -> bytes:
    return b"".join(on_disk(folder).values())


def check_segments(folder: Path, start: int = 0) -> None:
    """Segments are named by their offsets, follow each other without a gap and begin with a frame."""
    for base, content in on_disk(folder).items():
        assert base == start
        split(content)
        start += len(content)


def read_back(folder: Path) -> list[bytes]:
    reading = LogReading(folder, LogQuery())
    try:
        content = b""
        while frames := reading.read():
            content += frames
        return [line.text for line in read_lines(content + reading.finish())]
    finally:
        reading.close()


def texts(sent: list[Entry]) -> list[bytes]:
    return [line.text for line in lines_of(sent)]


class TestBytes:
    @given(entries(), SEGMENT_SIZES, st.data())
    def test_on_disk_are_those_in_the_pipe(self, sent: list[Entry], segment_size: int, data: st.DataObject) -> None:
        content = encode(sent)
        with TemporaryDirectory() as path, pipe() as fifo:
            folder = Path(path)
            writer = JournalWriter(folder, segment_size)
            for piece in pieces(content, data):
                fifo.write(piece)
                assert drain(writer, fifo, data.draw(st.integers(1, 900), label="limit")) == len(piece)
            assert writer.offset == len(content)
            assert writer.at_boundary
            writer.close()
            assert journal_bytes(folder) == content
            check_segments(folder)
            largest = max(map(len, split(content)), default=0)
            assert all(len(segment) < segment_size + largest for segment in on_disk(folder).values())

    @given(entries(min_size=1), SEGMENT_SIZES, st.data())
    def test_are_the_same_when_the_plugin_is_killed_at_any_moment(
        self, sent: list[Entry], segment_size: int, data: st.DataObject
    ) -> None:
        content = encode(sent)
        with TemporaryDirectory() as path, pipe() as fifo:
            folder = Path(path)
            writer = JournalWriter(folder, segment_size)
            for piece in pieces(content, data):
                fifo.write(piece)
                if data.draw(st.booleans(), label="take"):
                    drain(writer, fifo)
                if data.draw(st.booleans(), label="kill"):
                    writer.close()
                    writer = JournalWriter(folder, segment_size)
                    assert writer.offset == len(journal_bytes(folder))
            drain(writer, fifo)
            writer.close()
            assert journal_bytes(folder) == content
            check_segments(folder)

    def test_end_of_file_is_told(self, folder: Path) -> None:
        writer = JournalWriter(folder, 100)
        fifo = Pipe()
        fifo.write(encode(numbered(1)))
        os.close(fifo.writer)
        assert writer.take(fifo.reader, 1000) > 0
        assert writer.take(fifo.reader, 1000) == 0
        os.close(fifo.reader)
        writer.close()

    def test_an_empty_pipe_is_told(self, folder: Path) -> None:
        writer = JournalWriter(folder, 100)
        with pipe() as fifo, pytest.raises(BlockingIOError):
            writer.take(fifo.reader, 1000)
        writer.close()

    def test_files_are_private(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    def test_no_descriptor_is_left(self, folder: Path) -> None:
        before = open_descriptors()
        for _ in range(5):
            write_journal(folder, encode(numbered(30)) + b"\xff" * 8 + encode(numbered(30)), segment_size=100)
            read_back(folder)
            LogReading(folder, LogQuery(tail=3, since=1)).close()
        assert open_descriptors() == before


class TestRotation:
    def test_a_segment_can_be_closed_early(self, folder: Path) -> None:
        writer = JournalWriter(folder, 1 << 20)
        assert not writer.rotate()
        with pipe() as fifo:
            append(writer, fifo, encode(numbered(2)))
            assert writer.rotate()
            assert not writer.rotate()
            append(writer, fifo, encode(numbered(2, start=2))[:-1])
            assert not writer.rotate()
            append(writer, fifo, encode(numbered(2, start=2))[-1:])
            assert writer.rotate()
        writer.close()
        assert [len(content) for content in on_disk(folder).values()] == [len(encode(numbered(2)))] * 2 + [0]
        assert read_back(folder) == texts(numbered(4))

    def test_a_segment_size_can_change(self, folder: Path) -> None:
        writer = JournalWriter(folder, 1 << 20)
        with pipe() as fifo:
            append(writer, fifo, encode(numbered(10)))
            writer.segment_size = 1
            append(writer, fifo, encode(numbered(2, start=10)))
        writer.close()
        assert list(map(len, map(split, on_disk(folder).values()))) == [10, 1, 1, 0]

    def test_a_journal_whose_segments_are_all_compressed_goes_on(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)), segment_size=60)
        for segment in list_segments(folder):
            compress(folder, segment.base)
        write_journal(folder, encode(numbered(3, start=3)), segment_size=60)
        assert journal_bytes(folder) == encode(numbered(6))
        check_segments(folder)

    def test_also_without_its_index(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        compress(folder, 0)
        index_path(folder, 0).unlink()
        write_journal(folder, encode(numbered(3, start=3)))
        assert journal_bytes(folder) == encode(numbered(6))


class TestIndex:
    @pytest.mark.usefixtures("close_points")
    @given(entries(), SEGMENT_SIZES, st.data())
    def test_says_what_a_walk_from_the_beginning_finds(
        self, sent: list[Entry], segment_size: int, data: st.DataObject
    ) -> None:
        check_index(sent, segment_size, data)

    @pytest.mark.usefixtures("scaled_down")
    @given(entries(sources=["stdout"]), SEGMENT_SIZES, st.data())
    def test_so_it_does_of_lines_that_are_longer_than_what_is_joined(
        self, sent: list[Entry], segment_size: int, data: st.DataObject
    ) -> None:
        check_index(sent, segment_size, data)

    def test_one_left_by_another_segment_of_the_same_offset_is_not_used(self, folder: Path) -> None:
        folder.mkdir()
        write_journal(folder, encode(numbered(100)))
        (folder / f"{0:020}.log").unlink()
        write_journal(folder, encode(numbered(1, size=500)))
        assert len(read_points(index_path(folder, 0), 0, 1 << 40)) == 1


def check_index(sent: list[Entry], segment_size: int, data: st.DataObject) -> None:
    """Write entries, with kills in between, and compare the indexes with what a walk finds."""
    with TemporaryDirectory() as path, pipe() as fifo:
        folder = Path(path)
        writer = JournalWriter(folder, segment_size)
        for piece in pieces(encode(sent), data):
            append(writer, fifo, piece)
            if data.draw(st.booleans(), label="kill"):
                writer.close()
                writer = JournalWriter(folder, segment_size)
        writer.close()
        joiner = Joiner()
        segments = on_disk(folder)
        for base, content in segments.items():
            walker = Walker(base, joiner)
            points = [walker.point()]
            walker.walk(content)
            points += walker.points
            known = {point[0]: point for point in [*points, walker.point()]}
            stored = read_points(index_path(folder, base), base, base + len(content))
            assert {point.offset for point in stored} >= {point[0] for point in points}
            assert {point.offset for point in stored} <= known.keys() | boundaries(base, content)
            assert all(known[point.offset] == point for point in stored if point.offset in known)
            if base != max(segments):
                assert stored[-1] == walker.point()


def boundaries(base: int, content: bytes) -> set[int]:
    found = {base}
    for frame in split(content):
        base += len(frame)
        found.add(base)
    return found


class TestTornTail:
    @given(entries(min_size=1), SEGMENT_SIZES, st.data())
    def test_is_completed_by_the_same_pipe(self, sent: list[Entry], segment_size: int, data: st.DataObject) -> None:
        content = encode(sent)
        cut = data.draw(st.integers(0, len(content)))
        with TemporaryDirectory() as path:
            folder = Path(path)
            write_journal(folder, content[:cut], segment_size)
            write_journal(folder, content[cut:], segment_size)
            assert journal_bytes(folder) == content
            check_segments(folder)

    @given(entries(min_size=1), SEGMENT_SIZES, st.booleans(), st.data())
    def test_is_cut_off_where_its_pipe_is_gone(
        self, sent: list[Entry], segment_size: int, killed: bool, data: st.DataObject
    ) -> None:
        content = encode(sent)
        cut = data.draw(st.integers(0, len(content)))
        whole = 0
        for frame in split(content):
            if whole + len(frame) > cut:
                break
            whole += len(frame)
        with TemporaryDirectory() as path, pipe() as fifo:
            folder = Path(path)
            writer = JournalWriter(folder, segment_size)
            append(writer, fifo, content[:cut])
            if killed:
                writer.close()
                writer = JournalWriter(folder, segment_size)
            assert writer.at_boundary == (whole == cut)
            assert writer.cut_tail() == cut - whole
            assert writer.at_boundary
            assert writer.cut_tail() == 0
            append(writer, fifo, content)
            writer.close()
            assert journal_bytes(folder) == content[:whole] + content
            check_segments(folder)


class TestMalformedBytes:
    @given(entries(max_size=8), HARMLESS, entries(min_size=1, max_size=8), SEGMENT_SIZES, st.booleans(), st.data())
    def test_are_set_aside_and_the_stream_goes_on(
        self,
        before: list[Entry],
        garbage: bytes,
        after: list[Entry],
        segment_size: int,
        killed: bool,
        data: st.DataObject,
    ) -> None:
        content = encode(before) + garbage + encode(after)
        with TemporaryDirectory() as path, pipe() as fifo:
            folder = Path(path)
            writer = JournalWriter(folder, segment_size)
            for piece in pieces(content, data):
                append(writer, fifo, piece)
                if killed and data.draw(st.booleans(), label="kill"):
                    writer.close()
                    writer = JournalWriter(folder, segment_size)
            assert writer.at_boundary
            assert writer.offset == len(content)
            writer.close()
            assert journal_bytes(folder) == encode(before) + encode(after)
            aside = b"".join(path.read_bytes() for path in sorted(folder.glob("*.corrupt")))
            assert aside == garbage
            assert read_back(folder) == texts(before + after)

    def test_a_frame_whose_content_alone_is_bad_costs_nothing_else(self, folder: Path) -> None:
        bad = b"\0\0\0\x03\x08\x08\x08"
        write_journal(folder, encode(numbered(2)) + bad + encode(numbered(2, start=2)))
        assert read_back(folder) == texts(numbered(4))
        (aside,) = folder.glob("*.corrupt")
        assert aside.read_bytes() == bad
        assert int(aside.stem) == len(encode(numbered(2)))

    @pytest.mark.parametrize("size", [0x80000000, 0xFFFFFFFF, (1 << 20) + 1, 0])
    def test_impossible_sizes_are_set_aside(self, folder: Path, size: int) -> None:
        content = encode(numbered(2)) + size.to_bytes(4, "big") + encode(numbered(2, start=2))
        write_journal(folder, content)
        assert read_back(folder) == texts(numbered(4))

    def test_much_garbage_is_set_aside_in_pieces(self, folder: Path) -> None:
        garbage = random.Random(1).randbytes(3 << 20).translate(bytes(0x80 | byte for byte in range(256)))  # noqa: S311
        write_journal(folder, encode(numbered(2)) + garbage + encode(numbered(2, start=2)))
        assert read_back(folder) == texts(numbered(4))
        assert b"".join(path.read_bytes() for path in sorted(folder.glob("*.corrupt"))) == garbage

    def test_at_the_end_of_a_stream_they_are_cut_off(self, folder: Path) -> None:
        writer = JournalWriter(folder, 1 << 20)
        with pipe() as fifo:
            append(writer, fifo, encode(numbered(2)) + b"\xff" * 20)
            assert not writer.at_boundary
            assert writer.cut_tail() == 20
            assert writer.at_boundary
            append(writer, fifo, encode(numbered(2, start=2)))
        writer.close()
        assert read_back(folder) == texts(numbered(4))

    def test_a_length_that_never_completes_costs_no_frame_behind_it(self, folder: Path) -> None:
        garbage = (1 << 20).to_bytes(4, "big")
        content = encode(numbered(2)) + garbage + encode(numbered(50, start=2))
        writer = JournalWriter(folder, 1 << 20)
        with pipe() as fifo:
            append(writer, fifo, content)
            assert not writer.at_boundary
            assert writer.cut_tail() == len(garbage)
            assert writer.at_boundary
            assert writer.offset == len(content)
            append(writer, fifo, encode(numbered(2, start=52)))
        writer.close()
        assert read_back(folder) == texts(numbered(54))
        (aside,) = folder.glob("*.corrupt")
        assert aside.read_bytes() == garbage

    def test_what_is_cut_off_is_kept_apart(self, folder: Path) -> None:
        torn = encode(numbered(1))[:-3]
        writer = JournalWriter(folder, 1 << 20)
        with pipe() as fifo:
            append(writer, fifo, encode(numbered(2)) + torn)
            assert writer.cut_tail() == len(torn)
        writer.close()
        assert journal_bytes(folder) == encode(numbered(2))
        (aside,) = folder.glob("*.corrupt")
        assert aside.read_bytes() == torn

    def test_several_of_them_and_a_torn_frame_at_the_end(self, folder: Path) -> None:
        garbage = (1 << 20).to_bytes(4, "big")
        torn = encode(numbered(1))[:-3]
        writer = JournalWriter(folder, 1 << 20)
        with pipe() as fifo:
            append(writer, fifo, (garbage + encode(numbered(3))) * 4 + torn)
            assert writer.cut_tail() == 4 * len(garbage) + len(torn)
        writer.close()
        assert read_back(folder) == texts(numbered(3)) * 4

    def test_are_told_of_once(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_journal(folder, encode(numbered(2)) + b"\xff" * 20 + encode(numbered(2)))
        (record,) = caplog.records
        assert "20 bytes at offset" in record.getMessage()
        assert "ff ff ff" in record.getMessage()


class KilledError(BaseException):
    """Stands for a SIGKILL: nothing but the files and the pipe is left."""


SYSTEM_CALLS = ["open", "pwrite", "ftruncate", "truncate", "replace", "splice", "mkdir", "unlink"]


class Interference:
    """A fault of the n-th system call that changes something, before or after it took effect."""

    def __init__(self, number: int, error: Callable[[], BaseException], *, times: int = 1, after: bool = False) -> None:
        self.number = number
        self.error = error
        self.times = times
        self.after = after
        self.calls = 0
        self.active = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Interfere with the system calls of this process within the block."""
        with pytest.MonkeyPatch.context() as patch:
            for name in SYSTEM_CALLS:
                patch.setattr(os, name, self._wrap(getattr(os, name)))
            yield

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            number = self.calls
            self.calls += 1
            if not self.number <= number < self.number + self.times:
                return call(*args, **kwargs)
            if self.after and number == self.number:
                with suppress(OSError):
                    call(*args, **kwargs)
            raise self.error()

        return wrapped


SCENARIO_ENTRIES = [
    numbered(12, size=30),
    [part(b"one"), *numbered(8, start=12, size=30), part(b"two", last=True)],
    numbered(5, start=20, size=30),
]
SCENARIO = b"".join(
    encode(sent) + garbage for sent, garbage in zip(SCENARIO_ENTRIES, (b"\xff" * 9, b"\xfe" * 5, b""), strict=True)
)
SCENARIO_TEXTS = texts([entry for sent in SCENARIO_ENTRIES for entry in sent])


class TestKills:
    """A SIGKILL between any two system calls loses and repeats nothing: setting aside and rotation included."""

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("piece", [37, 200, 5000])
    def test_between_any_two_system_calls(self, piece: int, after: bool) -> None:
        number = 0
        interference = Interference(0, KilledError)
        while number <= interference.calls:
            interference = Interference(number, KilledError, times=1 << 30, after=after)
            with TemporaryDirectory() as path, pipe() as fifo:
                self.run_once(Path(path), fifo, piece, interference)
                assert read_back(Path(path)) == SCENARIO_TEXTS
                assert not list(Path(path).glob(".*"))
            number += 1
        assert number > 15

    def run_once(self, folder: Path, fifo: Pipe, piece: int, interference: Interference) -> None:
        """Write the scenario with one kill."""
        writer: JournalWriter | None = None
        with interference.armed():
            for start in range(0, len(SCENARIO), piece):
                os.write(fifo.writer, SCENARIO[start : start + piece])
                while True:
                    try:
                        if writer is None:
                            writer = JournalWriter(folder, 300)
                        drain(writer, fifo)
                        break
                    except KilledError:
                        interference.number = 1 << 40
                        if writer is not None:
                            writer.close()
                        writer = None
        assert writer is not None
        assert not writer.dropped.active
        assert writer.offset == len(SCENARIO)
        writer.close()


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken_disk() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


class TestRefusals:
    """A disk that refuses any system call: nothing is raised, repeated or torn, and the gaps are what was dropped."""

    @pytest.mark.parametrize("error", [full_disk, broken_disk])
    @pytest.mark.parametrize("times", [1, 3, 30])
    @pytest.mark.parametrize("piece", [37, 200, 5000])
    def test_of_any_system_call(self, piece: int, times: int, error: Callable[[], OSError]) -> None:
        clean = encode(numbered(25, size=30))
        number = 0
        while True:
            interference = Interference(number, error, times=times)
            with TemporaryDirectory() as path, pipe() as fifo:
                dropped = write_through(Path(path), fifo, clean, piece, interference)
                check_gaps(Path(path), clean, dropped)
            if interference.calls <= number:
                break
            number += 1
        assert number > 10

    @pytest.mark.parametrize("times", [1, 3, 30])
    @pytest.mark.parametrize("piece", [37, 5000])
    def test_while_bytes_are_set_aside(self, piece: int, times: int) -> None:
        number = 0
        while True:
            interference = Interference(number, full_disk, times=times)
            with TemporaryDirectory() as path, pipe() as fifo:
                write_through(Path(path), fifo, SCENARIO, piece, interference)
                kept = [text for text in read_back(Path(path)) if text.startswith(b"line")]
                expected = [text for text in SCENARIO_TEXTS if text.startswith(b"line")]
                assert is_subsequence(kept, expected)
            if interference.calls <= number:
                break
            number += 1

    def test_by_a_file_system_without_splice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object, **__: object) -> int:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(os, "splice", refused)
        for piece in (37, 5000):
            self.test_of_any_system_call(piece, 1, full_disk)

    def test_of_opening_an_existing_journal_does_not_shift_its_offsets(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(30)), segment_size=100)
        for number in range(8):
            copy = folder.with_name(f"copy-{number}")
            shutil.copytree(folder, copy)
            interference = Interference(number, broken_disk, times=4)
            with pipe() as fifo:
                dropped = write_through(copy, fifo, encode(numbered(10, start=30)), 64, interference)
            check_gaps(copy, encode(numbered(40)), dropped)

    def test_are_told_of_once_a_burst(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        interference = Interference(5, full_disk, times=6)
        with pipe() as fifo:
            write_through(folder, fifo, encode(numbered(50, size=30)), 100, interference)
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        again = [record for record in caplog.records if "writing the journal again" in record.getMessage()]
        assert len(errors) == len(again) == 1


def write_through(folder: Path, fifo: Pipe, content: bytes, piece: int, interference: Interference) -> int:
    """Write to a journal while system calls fail, trying to resume now and then; returns the bytes that it dropped."""
    dropped = 0

    def resume(writer: JournalWriter) -> None:
        nonlocal dropped
        pending = writer.dropped.bytes if writer.dropped.active else 0
        if writer.try_to_resume():
            dropped += pending

    with interference.armed():
        writer = JournalWriter(folder, 300)
        for number, start in enumerate(range(0, len(content), piece)):
            os.write(fifo.writer, content[start : start + piece])
            drain(writer, fifo)
            if number % 2:
                resume(writer)
        for _ in range(interference.times + 20):
            drain(writer, fifo)
            resume(writer)
    resume(writer)
    assert not writer.dropped.active
    assert writer.at_boundary
    writer.close()
    return dropped


def check_gaps(folder: Path, content: bytes, dropped: int) -> None:
    """What is on disk is what was written, at its own offsets; what is missing was counted.

    The beginning of a frame may be left at the end of a segment that the disk did not let be cut: it does not count.
    """
    missing = len(content)
    for base, kept in on_disk(folder).items():
        assert kept == content[base : base + len(kept)]
        missing -= walked(kept)
    assert missing == dropped
    assert is_subsequence(read_back(folder), texts(decode(content)))


def walked(content: bytes) -> int:
    """Count the bytes of the complete frames that some bytes begin with."""
    return Walker(0, Joiner()).walk(content)


def is_subsequence(part_of: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(text in rest for text in part_of)


class TestFullDisk:
    @pytest.mark.parametrize("piece", [100, 4096, 50_000])
    def test_drops_whole_lines_counts_them_and_goes_on(self, piece: int) -> None:
        content = encode(numbered(8000, size=100))
        with small_disk(256 << 10) as disk, pipe() as fifo:
            ballast = disk / "ballast"
            folder = disk / "journal"
            writer = JournalWriter(folder, 64 << 10)
            dropped = lines = 0
            for number, start in enumerate(range(0, len(content), piece)):
                fifo.write(content[start : start + piece])
                drain(writer, fifo)
                if start < len(content) // 3 <= start + piece:
                    assert writer.dropped.active
                if start >= len(content) // 2 and writer.dropped.active and number % 3 == 0:
                    for segment in list_segments(folder)[:-1]:
                        os.unlink(segment.path)
                    pending = (writer.dropped.bytes, writer.dropped.lines)
                    if writer.try_to_resume():
                        dropped += pending[0]
                        lines += pending[1]
            ballast.unlink(missing_ok=True)
            assert dropped
            assert lines * len(content) // 8000 == pytest.approx(dropped, rel=0.05)
            drain(writer, fifo)
            writer.close()
            for base, kept in on_disk(folder).items():
                split(kept)
                assert kept == content[base : base + len(kept)]

    def test_a_journal_can_begin_when_there_is_room(self) -> None:
        content = encode(numbered(100, size=100))
        with small_disk(64 << 10) as disk, pipe() as fifo:
            ballast = disk / "ballast"
            with suppress(OSError), ballast.open("wb") as file:
                file.write(bytes(1 << 20))
            folder = disk / "journal"
            writer = JournalWriter(folder, 64 << 10)
            fifo.write(content)
            assert drain(writer, fifo) == len(content)
            assert not writer.try_to_resume() or not writer.dropped.active
            ballast.unlink()
            assert writer.try_to_resume()
            fifo.write(content)
            drain(writer, fifo)
            writer.close()
            offset = len(content) if 0 not in on_disk(folder) or not on_disk(folder)[0] else 0
            assert on_disk(folder)[offset][: len(content)] == content


class TestWithoutSplice:
    def test_bytes_are_read_and_written_and_it_is_said_once(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refused(*_: object, **__: object) -> int:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(os, "splice", refused)
        monkeypatch.setattr(splice._Fallback, "told", False)
        content = encode(numbered(300))
        write_journal(folder, content, segment_size=1000)
        assert journal_bytes(folder) == content
        check_segments(folder)
        assert ["refuses splice(2)" in record.getMessage() for record in caplog.records] == [True]


def test_a_reader_sees_what_a_writer_has_taken(folder: Path) -> None:
    writer = JournalWriter(folder, 200)
    reader = JournalReader(folder)
    seen = b""
    with pipe() as fifo:
        for entry in numbered(50, size=30):
            append(writer, fifo, encode_frame(entry))
            while piece := reader.peek(70):
                seen += piece
                reader.advance(len(piece))
            assert reader.offset == writer.offset
    assert seen == encode(numbered(50, size=30))
    reader.close()
    writer.close()

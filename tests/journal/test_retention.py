"""Retention: which segments are too many or too old, and what removing one takes away."""

import os
from pathlib import Path

import pytest

from plugin.engine.frames import Entry
from plugin.journal.folder import Segment, list_segments
from plugin.journal.retention import (
    SegmentUse,
    aged,
    begun,
    measure,
    remove_old_corrupt,
    remove_segment,
    surplus,
)
from plugin.journal.writer import JournalWriter
from tests.journal.material import append, compress, encode, numbered, pipe


def use(base: int, end: int | None, modified: int = 0) -> SegmentUse:
    return SegmentUse(Segment(base, f"/{base}.log", compressed=False), end, 10, modified)


def write(folder: Path, *contents: bytes) -> list[int]:
    """Make a journal with a segment for each content; returns their offsets."""
    writer = JournalWriter(folder, 1 << 30)
    with pipe() as fifo:
        for content in contents:
            writer.rotate()
            append(writer, fifo, content)
    writer.close()
    return [segment.base for segment in list_segments(folder)]


THREE = [use(0, 10, 100), use(10, 20, 200), use(20, None, 300)]


class TestMeasure:
    def test_each_segment_ends_where_the_next_begins_and_the_newest_nowhere(self, folder: Path) -> None:
        contents = [encode(numbered(count)) for count in (3, 2, 1)]
        bases = write(folder, *contents)
        for path in folder.glob("*.log"):
            os.utime(path, ns=(5, 7))
        measured = measure(folder)
        assert [use.segment.base for use in measured] == bases
        assert [use.end for use in measured] == [bases[1], bases[2], None]
        assert [use.bytes for use in measured] == [len(content) for content in contents]
        assert [use.modified for use in measured] == [7, 7, 7]

    def test_a_compressed_one_counts_as_it_lies_there(self, folder: Path) -> None:
        write(folder, encode(numbered(500)), encode(numbered(1)))
        compress(folder, 0)
        packed = measure(folder)[0]
        assert packed.segment.compressed
        assert packed.bytes == os.stat(packed.segment.path).st_size < len(encode(numbered(500)))

    def test_no_journal_has_no_segments(self, folder: Path) -> None:
        assert measure(folder) == []

    def test_one_that_vanishes_meanwhile_is_left_out(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bases = write(folder, *(encode(numbered(1)) for _ in range(3)))
        stat = os.stat

        def vanish(path: str) -> os.stat_result:
            if path.endswith(f"{bases[1]:020}.log"):
                os.unlink(path)
            return stat(path)

        monkeypatch.setattr(os, "stat", vanish)
        assert [(use.segment.base, use.end) for use in measure(folder)] == [(0, bases[1]), (bases[2], None)]


class TestSurplus:
    @pytest.mark.parametrize(("max_file", "expected"), [(1, [0, 10]), (2, [0]), (3, []), (9, [])])
    def test_the_oldest_beyond_max_file_are_chosen(self, max_file: int, expected: list[int]) -> None:
        assert [use.segment.base for use in surplus(THREE, max_file)] == expected

    def test_the_newest_is_never_chosen(self) -> None:
        assert surplus(THREE, 0) == THREE[:2]
        assert surplus([use(0, None)], 0) == []

    @pytest.mark.parametrize(("floor", "expected"), [(0, []), (9, []), (10, [0]), (19, [0]), (20, [0, 10])])
    def test_none_is_chosen_that_a_sink_has_not_passed(self, floor: int, expected: list[int]) -> None:
        assert [use.segment.base for use in surplus(THREE, 1, floor)] == expected


class TestAged:
    @pytest.mark.parametrize(("not_before", "expected"), [(100, []), (101, [0]), (201, [0, 10]), (999, [0, 10])])
    def test_closed_ones_that_were_last_written_before_are_chosen(self, not_before: int, expected: list[int]) -> None:
        assert [use.segment.base for use in aged(THREE, not_before)] == expected

    @pytest.mark.parametrize(("floor", "expected"), [(9, []), (10, [0]), (20, [0, 10])])
    def test_none_is_chosen_that_a_sink_has_not_passed(self, floor: int, expected: list[int]) -> None:
        assert [use.segment.base for use in aged(THREE, 999, floor)] == expected


class TestBegun:
    def begun(self, folder: Path, content: bytes, modified: int = 77) -> int:
        folder.mkdir()
        path = folder / f"{0:020}.log"
        path.write_bytes(content)
        os.utime(path, ns=(5, modified))
        return begun(measure(folder)[0])

    def test_it_is_the_time_of_the_first_entry(self, folder: Path) -> None:
        assert self.begun(folder, encode([Entry("stdout", 5, b"a"), Entry("stdout", 3, b"b")])) == 5

    @pytest.mark.parametrize("time", [0, -1])
    def test_an_entry_without_a_sensible_time_leaves_the_files(self, folder: Path, time: int) -> None:
        assert self.begun(folder, encode([Entry("stdout", time, b"a")])) == 77

    @pytest.mark.parametrize("content", [b"", b"\0", b"\0\0\0\0", encode([Entry("stdout", 5, b"a")])[:9], b"\xff" * 99])
    def test_what_is_no_entry_leaves_the_files(self, folder: Path, content: bytes) -> None:
        assert self.begun(folder, content) == 77


class TestRemoving:
    def test_a_segment_goes_with_its_index_and_nothing_else_does(self, folder: Path) -> None:
        write(folder, encode(numbered(3)), encode(numbered(3)))
        oldest, newest = measure(folder)
        remove_segment(oldest)
        assert measure(folder) == [newest]
        assert [path.stem for path in folder.iterdir()] == [f"{newest.segment.base:020}"] * 2
        remove_segment(oldest)

    def test_a_compressed_one_goes_too(self, folder: Path) -> None:
        write(folder, encode(numbered(3)), encode(numbered(3)))
        compress(folder, 0)
        remove_segment(measure(folder)[0])
        assert len(measure(folder)) == 1
        assert not (folder / f"{0:020}.idx").exists()

    @pytest.mark.parametrize("count", [0, 5, 7])
    def test_the_newest_five_corrupt_files_stay(self, folder: Path, count: int) -> None:
        folder.mkdir()
        for number in range(count):
            (folder / f"{number * 1000:020}.corrupt").touch()
        remove_old_corrupt(folder)
        assert [int(path.stem) for path in sorted(folder.iterdir())] == [
            number * 1000 for number in range(max(0, count - 5), count)
        ]

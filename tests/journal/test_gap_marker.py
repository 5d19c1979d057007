"""What a full disk had dropped is a gap of the journal, also after a kill and at the end of a container."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.docker.partials import Joiner
from plugin.journal.gap_marker import GapMarker, noted_gap
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.scanner import Walker
from plugin.journal.writer import JournalWriter
from tests.journal.entries import (
    Pipe,
    append,
    drain,
    encode,
    fill,
    no_new_segments,
    numbered,
    on_disk,
    pipe,
    small_disk,
)

BEFORE, MISSED, AFTER = (encode(numbered(50, start, size=100)) for start in (0, 50, 100))
SEGMENT_SIZE = 1 << 20


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of a few pages."""
    with small_disk(512 << 10) as path:
        yield path


@pytest.fixture
def fifo() -> Iterator[Pipe]:
    """What the container prints into."""
    with pipe() as made:
        yield made


def kill(writer: JournalWriter) -> None:
    """Leave nothing of a writer but what is on the disk."""
    writer.close()


def end_of(folder: Path) -> int:
    """Where the next process goes on with a journal."""
    writer = JournalWriter(folder, SEGMENT_SIZE)
    writer.close()
    return writer.offset


def kept(folder: Path) -> dict[int, bytes]:
    """The complete frames of the segments that are not empty, by offset."""
    segments = on_disk(folder).items()
    return {base: content[: Walker(0, Joiner()).walk(content)] for base, content in segments if content}


class TestKill:
    def test_a_gap_outlives_a_kill_on_a_full_disk(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        ballast = fill(disk)
        end = drop(writer, fifo)
        kill(writer)

        writer = JournalWriter(folder, SEGMENT_SIZE)
        assert writer.offset == end
        ballast.unlink()
        assert writer.try_to_resume()
        append(writer, fifo, AFTER)
        writer.close()
        assert on_disk(folder)[end] == AFTER
        assert noted_gap(folder) == 0

    def test_so_does_one_that_begins_the_journal(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        fill(disk)
        writer = JournalWriter(folder, SEGMENT_SIZE)
        fifo.write(MISSED)
        drain(writer, fifo)
        kill(writer)
        assert end_of(folder) == len(MISSED)

    def test_what_came_after_it_was_looked_for_is_not_read_before_it_is_noted(
        self, disk: Path, fifo: Pipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        fill(disk)
        end = drop(writer, fifo)
        fifo.write(MISSED)
        with monkeypatch.context() as patch:
            patch.setattr("plugin.journal.writer.waiting", lambda _: 0)
            assert writer.take(fifo.reader, len(MISSED)) == 1, "it could have been the end of file"
        assert writer.take(fifo.reader, len(MISSED)) == len(MISSED) - 1
        kill(writer)
        assert end_of(folder) == end + len(MISSED)

    def test_an_entry_that_was_torn_by_the_kill_is_a_part_of_the_gap(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        ballast = fill(disk)
        end = drop(writer, fifo)
        torn = MISSED[:40]
        append(writer, fifo, torn)
        kill(writer)

        ballast.unlink()
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, MISSED[len(torn) :] + AFTER)
        writer.close()
        assert writer.offset == end + len(MISSED) + len(AFTER), "every byte that came counts"
        frame = len(MISSED) // 50
        assert kept(folder)[end + frame] == MISSED[frame:] + AFTER

    def test_so_is_one_of_which_nothing_else_was_dropped(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE + AFTER[:40])
        writer._begin_dropping(OSError(errno.ENOSPC, "full"))
        kill(writer)
        assert end_of(folder) == len(BEFORE) + 40

    def test_what_is_kept_after_all_is_no_gap(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE + AFTER[:40])
        writer._begin_dropping(OSError(errno.ENOSPC, "full"))
        assert writer.try_to_resume()
        assert noted_gap(folder) == 0
        append(writer, fifo, AFTER[40:])
        writer.close()
        assert on_disk(folder) == {0: BEFORE + AFTER}


class TestEnd:
    def test_the_gap_is_made_although_the_disk_is_full(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        fill(disk)
        end = drop(writer, fifo)
        assert writer.settle()
        writer.close()
        assert [segment.base for segment in list_segments(folder)] == [0, end]
        assert noted_gap(folder) == 0

    def test_a_disk_that_refuses_even_that_is_asked_again(self, disk: Path, fifo: Pipe) -> None:
        folder = disk / "journal"
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        fill(disk)
        end = drop(writer, fifo)
        with no_new_segments():
            assert not writer.settle()
            writer.close()
        assert writer.settle()
        writer.close()
        assert [segment.base for segment in list_segments(folder)] == [0, end]


class TestNote:
    def test_moves_with_what_is_dropped(self, folder: Path) -> None:
        folder.mkdir()
        note = GapMarker(folder)
        for offset in (5, 5, 17):
            note.write(offset)
        assert [path.name for path in folder.iterdir()] == [gap_path(folder, 17).name]
        assert noted_gap(folder) == 17
        note.clear()
        note.clear()
        assert noted_gap(folder) == 0

    def test_that_vanished_is_made_anew(self, folder: Path) -> None:
        folder.mkdir()
        note = GapMarker(folder)
        note.write(5)
        gap_path(folder, 5).unlink()
        note.write(6)
        note.write(7)
        assert noted_gap(folder) == 7

    def test_of_no_journal_is_none(self, folder: Path) -> None:
        assert noted_gap(folder) == 0
        GapMarker(folder).write(5)
        assert not folder.exists()

    def test_that_a_journal_has_passed_is_nothing(self, folder: Path, fifo: Pipe) -> None:
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, BEFORE)
        writer.close()
        gap_path(folder, len(BEFORE)).touch()
        writer = JournalWriter(folder, SEGMENT_SIZE)
        append(writer, fifo, AFTER)
        writer.close()
        assert on_disk(folder) == {0: BEFORE + AFTER}
        assert noted_gap(folder) == 0


def drop(writer: JournalWriter, fifo: Pipe) -> int:
    """Print until lines are dropped on a full disk; returns the offset behind what was printed."""
    for _ in range(3):
        fifo.write(MISSED)
        drain(writer, fifo)
    assert writer.dropped.active
    assert writer.dropped.bytes
    return writer.offset + writer.dropped.bytes

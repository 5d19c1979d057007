"""Where a journal goes on, by what a process that was killed has left of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugin.journal.layout import gap_path, index_path
from plugin.journal.recovery import JournalEnd, find_end
from tests.journal.entries import compress, encode, numbered, on_disk, write_journal

FRAMES = encode(numbered(2_000, size=100))
TORN = FRAMES[:50]
SIZE = 150_000


@pytest.fixture
def find(folder: Path) -> Iterator[Callable[[], JournalEnd]]:
    """Return a function that finds the end of a journal; what it opens is closed with the test."""
    found: list[JournalEnd] = []

    def find() -> JournalEnd:
        found.append(find_end(folder))
        return found[-1]

    yield find
    for end in found:
        end.segment.close()


def test_a_new_one_begins_with_a_segment_to_be_made(folder: Path, find: Callable[[], JournalEnd]) -> None:
    folder.mkdir()
    end = find()
    assert (end.offset, end.walker.offset, end.segment.is_open) == (0, 0, False)


def test_the_newest_segment_goes_on_and_is_walked_from_its_last_index_point(
    folder: Path, find: Callable[[], JournalEnd]
) -> None:
    write_journal(folder, FRAMES + TORN, SIZE)
    newest = max(on_disk(folder))
    end = find()
    assert (end.offset, end.segment.base, end.segment.is_open) == (len(FRAMES + TORN), newest, True)
    assert newest < end.walker.offset <= len(FRAMES)


def test_without_its_index_it_is_walked_from_its_beginning(folder: Path, find: Callable[[], JournalEnd]) -> None:
    write_journal(folder, FRAMES, SIZE)
    newest = max(on_disk(folder))
    index_path(folder, newest).unlink()
    end = find()
    assert (end.offset, end.walker.offset, end.segment.is_open) == (len(FRAMES), newest, True)


def test_behind_a_compressed_segment_it_goes_on_in_another(folder: Path, find: Callable[[], JournalEnd]) -> None:
    write_journal(folder, FRAMES, len(FRAMES) + 1)
    compress(folder, 0)
    end = find()
    assert (end.offset, end.walker.offset, end.segment.is_open) == (len(FRAMES), len(FRAMES), False)


def test_behind_a_noted_gap_likewise(folder: Path, find: Callable[[], JournalEnd]) -> None:
    write_journal(folder, FRAMES, SIZE)
    beyond = len(FRAMES) + 500
    gap_path(folder, beyond).touch()
    end = find()
    assert (end.offset, end.walker.offset, end.segment.is_open) == (beyond, beyond, False)


def test_files_that_were_never_finished_are_removed(folder: Path, find: Callable[[], JournalEnd]) -> None:
    write_journal(folder, FRAMES, SIZE)
    (folder / ".unfinished").touch()
    find()
    assert not list(folder.glob(".*"))

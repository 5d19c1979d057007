"""Why bytes are missing is told by what is left of the journal."""

import os
from pathlib import Path

from plugin.journal.gap_reason import why_missing
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.retention import measure, remove_segment
from tests.journal.entries import compress, encode, numbered, write_journal

FIRST, SECOND = encode(numbered(10)), encode(numbered(10, start=10))


def test_what_came_while_the_disk_was_full(folder: Path) -> None:
    write_journal(folder, FIRST)
    gap_path(folder, len(FIRST) + 500).touch()
    write_journal(folder, SECOND)
    assert "the disk was full" in why_missing(folder, len(FIRST), len(FIRST) + 500)
    compress(folder, 0)
    assert "the disk was full" in why_missing(folder, len(FIRST), len(FIRST) + 500)


def test_what_had_to_make_room(folder: Path) -> None:
    write_journal(folder, FIRST + SECOND, segment_size=50)
    for use in measure(folder)[:3]:
        remove_segment(use)
    reason = why_missing(folder, 0, list_segments(folder)[0].base)
    assert "had to make room" in reason
    assert "full" not in reason


def test_what_was_set_aside(folder: Path) -> None:
    write_journal(folder, FIRST + b"\xff" * 9 + SECOND)
    (aside,) = folder.glob("*.corrupt")
    assert aside.name in why_missing(folder, len(FIRST), len(FIRST) + 9)
    aside.unlink()
    assert "no log entries" not in why_missing(folder, len(FIRST), len(FIRST) + 9)


def test_what_is_there_and_cannot_be_read(folder: Path) -> None:
    write_journal(folder, FIRST)
    write_journal(folder, SECOND)
    assert why_missing(folder, 5, len(FIRST)) == "the journal is damaged there"


def test_what_nothing_is_left_of(folder: Path) -> None:
    write_journal(folder, FIRST)
    for name in os.listdir(folder):
        (folder / name).unlink()
    assert "had to make room" in why_missing(folder, 0, len(FIRST))

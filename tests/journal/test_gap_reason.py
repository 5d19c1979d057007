"""Why bytes are missing is told by what was recorded when they were given up, else by what is left of the journal."""

import os
from pathlib import Path

import pytest

from plugin.journal.gap_reason import NO_ENTRIES, why_missing
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.losses import Cause
from plugin.journal.retention import measure, remove_segment
from tests.journal.entries import compress, encode, numbered, write_journal

FIRST, SECOND = encode(numbered(10)), encode(numbered(10, start=10))


def forget_causes(folder: Path) -> None:
    """Make a journal one that an older version wrote."""
    for path in folder.glob("*.lost"):
        path.unlink()


def test_what_came_while_the_disk_was_full(folder: Path) -> None:
    write_journal(folder, FIRST)
    gap_path(folder, len(FIRST) + 500).touch()
    write_journal(folder, SECOND)
    assert (
        why_missing(folder, len(FIRST), len(FIRST) + 500) == "the disk was full when they came, or refused to take them"
    )
    compress(folder, 0)
    assert (
        why_missing(folder, len(FIRST), len(FIRST) + 500) == "the disk was full when they came, or refused to take them"
    )


def test_what_an_older_version_dropped_on_a_full_disk_may_have_other_causes(folder: Path) -> None:
    write_journal(folder, FIRST)
    gap_path(folder, len(FIRST) + 500).touch()
    write_journal(folder, SECOND)
    forget_causes(folder)
    reason = why_missing(folder, len(FIRST), len(FIRST) + 500)
    assert "the disk was full" in reason
    assert "buffer-limit" in reason
    assert reason.endswith("the cause is not recorded")
    compress(folder, 0)
    assert "the disk was full" in why_missing(folder, len(FIRST), len(FIRST) + 500)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (Cause.RETENTION, "max-size and max-file"),
        (Cause.MAX_AGE, "max-age"),
        (Cause.BUFFER_LIMIT, "buffer-limit"),
        (Cause.DISK_LIMIT, "PEAVEY_DISK_LIMIT"),
        (Cause.DISK_FREE, "PEAVEY_DISK_FREE"),
    ],
)
def test_what_was_removed_for_a_cause(folder: Path, cause: Cause, told: str) -> None:
    write_journal(folder, FIRST + SECOND, segment_size=50)
    for use in measure(folder)[:3]:
        remove_segment(use, cause)
    missing = list_segments(folder)[0].base
    assert told in why_missing(folder, 0, missing)
    assert told in why_missing(folder, 5, missing)
    assert "not recorded" not in why_missing(folder, 0, missing)


def test_what_was_removed_for_several_causes(folder: Path) -> None:
    write_journal(folder, FIRST + SECOND, segment_size=50)
    oldest, older, old, kept, *_ = measure(folder)
    remove_segment(oldest, Cause.BUFFER_LIMIT)
    remove_segment(older, Cause.DISK_LIMIT)
    remove_segment(old, Cause.BUFFER_LIMIT)
    both = why_missing(folder, 0, kept.segment.base)
    assert both.count("buffer-limit") == both.count("PEAVEY_DISK_LIMIT") == 1
    assert "PEAVEY_DISK_LIMIT" not in why_missing(folder, old.segment.base, kept.segment.base)


def test_what_is_recorded_for_a_part_of_the_gap_only(folder: Path) -> None:
    write_journal(folder, FIRST + SECOND, segment_size=50)
    older_version, this_version, kept, *_ = measure(folder)
    remove_segment(older_version)
    remove_segment(this_version, Cause.MAX_AGE)
    reason = why_missing(folder, 0, kept.segment.base)
    assert "max-age" in reason
    assert reason.endswith("the cause is not recorded")


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
    assert why_missing(folder, len(FIRST), len(FIRST) + 9) == NO_ENTRIES
    forget_causes(folder)
    assert "log entries" not in why_missing(folder, len(FIRST), len(FIRST) + 9)


def test_what_is_there_and_cannot_be_read(folder: Path) -> None:
    write_journal(folder, FIRST)
    write_journal(folder, SECOND)
    assert why_missing(folder, 5, len(FIRST)) == "the journal is damaged there"


def test_what_nothing_is_left_of(folder: Path) -> None:
    write_journal(folder, FIRST)
    for name in os.listdir(folder):
        (folder / name).unlink()
    assert "had to make room" in why_missing(folder, 0, len(FIRST))

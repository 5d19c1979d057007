"""What lies behind a cursor, against the plain count of what was written."""

from pathlib import Path

import pytest

from plugin.docker.frames import Entry, encode_frame
from plugin.journal.lag import Lag, journal_size, measure_lag
from plugin.journal.layout import index_path, list_segments
from plugin.journal.retention import measure, remove_segment
from tests.journal.entries import compress, encode, numbered, part, write_journal

SENT = numbered(20_000, size=90)
FRAMES = [encode_frame(entry) for entry in SENT]
OFFSETS = [0]
for frame in FRAMES:
    OFFSETS.append(OFFSETS[-1] + len(frame))


@pytest.fixture
def journal(folder: Path) -> Path:
    """Twenty thousand lines in several segments; the line ``n`` begins at ``OFFSETS[n]`` and has the time ``n + 1``."""
    write_journal(folder, b"".join(FRAMES), 500_000)
    assert len(list_segments(folder)) > 3
    return folder


def lag(folder: Path, offset: int, resume: int | None = None) -> Lag:
    return measure_lag(measure(folder), offset, offset if resume is None else resume)


def test_where_nothing_is_there_nothing_is_behind(folder: Path) -> None:
    assert measure_lag([], 0, 0) == Lag()
    assert journal_size([]) == 0
    write_journal(folder, b"")
    assert lag(folder, 0) == Lag()


def test_at_the_end_nothing_is_behind(journal: Path) -> None:
    assert journal_size(measure(journal)) == OFFSETS[-1]
    assert lag(journal, OFFSETS[-1]) == Lag()


@pytest.mark.parametrize("behind", [1, 2, 100, 250])
def test_a_small_lag_is_exact(journal: Path, behind: int) -> None:
    start = len(SENT) - behind
    assert lag(journal, OFFSETS[start]) == Lag(OFFSETS[-1] - OFFSETS[start], behind, start + 1)


@pytest.mark.parametrize("start", [0, 1, 4_000, 10_001, 17_123])
def test_a_large_lag_has_exact_bytes_and_time_and_about_its_lines(journal: Path, start: int) -> None:
    found = lag(journal, OFFSETS[start])
    assert (found.bytes, found.oldest) == (OFFSETS[-1] - OFFSETS[start], start + 1)
    assert found.lines == pytest.approx(len(SENT) - start, rel=0.01, abs=10)


def test_without_an_index_lines_are_told_by_a_sample(journal: Path) -> None:
    for segment in list_segments(journal):
        index_path(journal, segment.base).unlink()
    assert lag(journal, 0).lines == pytest.approx(len(SENT), rel=0.05)


def test_compressed_segments_count_as_what_they_hold(journal: Path) -> None:
    plain = lag(journal, OFFSETS[3])
    compress(journal, 0)
    assert lag(journal, OFFSETS[3]) == plain


def test_what_was_removed_counts_no_more(journal: Path) -> None:
    oldest, second, *_ = measure(journal)
    remove_segment(oldest)
    first = OFFSETS.index(second.segment.base)
    found = lag(journal, OFFSETS[3], OFFSETS[2])
    assert (found.bytes, found.oldest) == (OFFSETS[-1] - OFFSETS[first], first + 1)


def test_a_line_of_many_parts_is_one_and_as_old_as_its_first_part(folder: Path) -> None:
    parts = [part(b"x" * 100, time=number + 5, last=number == 9) for number in range(10)]
    write_journal(folder, encode(parts))
    assert lag(folder, 0) == Lag(len(encode(parts)), 1, 5)


def test_a_line_that_is_held_back_is_what_is_oldest(folder: Path) -> None:
    held = encode([part(b"begun", time=3)])
    delivered = encode([Entry("stderr", 7, b"whole")])
    rest = encode([part(b"ended", time=9, last=True)])
    write_journal(folder, held + delivered + rest, segment_size=1)
    assert lag(folder, len(held + delivered), 0).oldest == 3


def test_what_cannot_be_read_is_as_old_as_its_file(folder: Path) -> None:
    write_journal(folder, encode([Entry("stdout", 7, b"whole")])[:-1])
    (use,) = measure(folder)
    assert lag(folder, 0) == Lag(use.bytes, 1, use.modified)

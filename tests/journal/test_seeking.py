"""Where the frames of a journal end, against a plain split of what is there. (The rest is in ``test_readback``.)"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import HEADER_SIZE, Entry, entry_size
from plugin.journal.layout import index_path, list_segments
from plugin.journal.seeking import frames_end, oldest_offset
from tests.journal.entries import compress, encode, entries, numbered, write_journal

FRAMES = encode(numbered(10, size=100))


def plain_end(content: bytes) -> int:
    position = 0
    while position + HEADER_SIZE <= len(content):
        end = position + HEADER_SIZE + entry_size(content, position)
        if end > len(content):
            break
        position = end
    return position


def test_a_missing_or_an_empty_journal_has_none(tmp_path: Path) -> None:
    assert frames_end(tmp_path / "none") == oldest_offset(tmp_path / "none") == 0
    write_journal(tmp_path, b"")
    assert frames_end(tmp_path) == oldest_offset(tmp_path) == 0


@pytest.mark.usefixtures("scaled_down")
class TestCut:
    @given(
        sent=entries(min_size=5), size=st.integers(0, 4_000), index=st.integers(0, 400), segment=st.integers(100, 900)
    )
    def test_wherever_the_newest_segment_and_its_index_are_cut(
        self, sent: list[Entry], size: int, index: int, segment: int
    ) -> None:
        with TemporaryDirectory() as path:
            folder = Path(path)
            write_journal(folder, encode(sent), segment)
            newest = list_segments(folder)[-1]
            os.truncate(newest.path, min(size, os.stat(newest.path).st_size))
            os.truncate(index_path(folder, newest.base), index)
            assert frames_end(folder) == newest.base + plain_end(Path(newest.path).read_bytes())


def test_an_index_that_is_missing_costs_a_walk_only(tmp_path: Path) -> None:
    write_journal(tmp_path, FRAMES + FRAMES[:30])
    index_path(tmp_path, 0).unlink()
    assert frames_end(tmp_path) == len(FRAMES)


def test_a_compressed_segment_ends_with_a_frame(tmp_path: Path) -> None:
    write_journal(tmp_path, FRAMES)
    compress(tmp_path, 0)
    index_path(tmp_path, 0).unlink()
    assert frames_end(tmp_path) == len(FRAMES)


def test_bytes_that_are_no_frames_end_them(tmp_path: Path) -> None:
    write_journal(tmp_path, FRAMES)
    with open(list_segments(tmp_path)[0].path, "ab") as file:
        file.write(b"\xff" * 60)
    assert frames_end(tmp_path) == len(FRAMES)

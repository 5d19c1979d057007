"""Bytes that are not frames."""

from pathlib import Path

import pytest

from plugin.journal.corruption import UNCLEAR, bytes_to_skip, set_aside
from plugin.journal.layout import corrupt_path
from tests.journal.entries import encode, numbered

FRAMES = encode(numbered(3))
NO_FRAMES = b"\xff" * 100


class TestSkip:
    def test_leads_to_the_next_frame(self) -> None:
        assert bytes_to_skip(NO_FRAMES + FRAMES) == len(NO_FRAMES)

    def test_waits_while_a_frame_may_still_come(self) -> None:
        assert bytes_to_skip(NO_FRAMES) == 0
        assert bytes_to_skip(b"\xff" * UNCLEAR) == 0

    def test_leaves_a_rest_in_which_a_frame_may_begin(self) -> None:
        skipped = bytes_to_skip(b"\xff" * UNCLEAR + NO_FRAMES)
        assert 0 < skipped < UNCLEAR


def test_what_is_set_aside_is_kept_under_its_offset_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir()
    set_aside(folder, 17, NO_FRAMES)
    assert corrupt_path(folder, 17).read_bytes() == NO_FRAMES
    assert "100 bytes at offset 17 are not log entries (ff ff" in caplog.text
    assert corrupt_path(folder, 17).name in caplog.text

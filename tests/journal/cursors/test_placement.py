"""Placing cursors: where sinks begin that have none, and what becomes of cursors that do not fit their journal."""

import os
from pathlib import Path

import pytest

from plugin.config.options import validate
from plugin.journal.cursors import store
from plugin.journal.cursors.placement import (
    CursorChange,
    birth_by_cursors,
    first_cursors,
    make_change,
    misplaced_cursors,
)
from plugin.journal.cursors.store import Cursor, cursor_path, read_cursor, write_cursor
from plugin.journal.layout import segment_path
from plugin.journal.metadata import write_metadata
from plugin.sinks.registry import schema
from tests.intake.pump_harness import info_of
from tests.journal.entries import encode, numbered, write_journal

OWN, WIDE = {"http-url": "http://127.0.0.1:1"}, {"syslog-address": "udp://127.0.0.1:1"}
SINKS = validate(OWN, WIDE, schema()).sinks
BIRTH = 12
FRAMES = encode(numbered(10, size=100))


def at(offset: int, resume: int | None = None, birth: int = BIRTH, records: int = 0) -> Cursor:
    return Cursor(offset=offset, resume=offset if resume is None else resume, birth=birth, records=records)


def begun(changes: list[CursorChange]) -> dict[str, Cursor]:
    return {change.instance: change.cursor for change in changes if change.seen is None}


class TestFirstCursors:
    def test_all_begin_with_a_journal_that_is_still_to_come(self, tmp_path: Path) -> None:
        folder = tmp_path / "journal"
        assert begun(first_cursors(folder, SINKS)) == {"http": at(0, birth=0), "syslog": at(0, birth=0)}
        assert not folder.exists()

    def test_in_one_that_is_there_own_ones_begin_with_it_and_plugin_wide_ones_with_the_next_frame(
        self, tmp_path: Path
    ) -> None:
        write_journal(tmp_path, FRAMES + FRAMES + FRAMES[:50], 600)
        write_metadata(tmp_path, info_of(), "a", BIRTH)
        segment_path(tmp_path, 0).unlink()
        oldest = min(int(path.stem) for path in tmp_path.glob("*.log"))
        assert oldest > 0
        assert begun(first_cursors(tmp_path, SINKS)) == {"http": at(oldest), "syslog": at(2 * len(FRAMES))}

    def test_without_a_note_the_journal_is_not_known(self, tmp_path: Path) -> None:
        write_journal(tmp_path, FRAMES)
        (tmp_path / "info.json").write_bytes(b"")
        assert begun(first_cursors(tmp_path, SINKS))["syslog"] == at(len(FRAMES), birth=0)

    def test_a_sink_that_has_one_gets_no_other_also_if_it_is_damaged(self, tmp_path: Path) -> None:
        write_cursor(tmp_path, "http", at(5))
        cursor_path(tmp_path, "syslog").write_bytes(b"\0")
        assert first_cursors(tmp_path, SINKS) == []


class TestMisplacedCursors:
    @pytest.mark.parametrize("cursor", [at(0), at(1_000), at(1_000, 900), at(400, birth=0)])
    def test_one_within_its_journal_stays(self, tmp_path: Path, cursor: Cursor) -> None:
        write_cursor(tmp_path, "http", cursor)
        assert misplaced_cursors(tmp_path, 1_000, BIRTH) == []

    @pytest.mark.parametrize(
        ("cursor", "expected"),
        [
            (at(5_000, records=3), at(1_000, records=3)),
            (at(1_001, 300), at(1_000, 300)),
            (at(1_001, birth=0), at(1_000)),
        ],
    )
    def test_one_that_is_ahead_is_taken_back(self, tmp_path: Path, cursor: Cursor, expected: Cursor) -> None:
        write_cursor(tmp_path, "http", cursor)
        assert misplaced_cursors(tmp_path, 1_000, BIRTH) == [CursorChange(tmp_path, "http", cursor, expected)]

    def test_one_of_another_journal_goes_to_the_oldest_entry_kept(self, tmp_path: Path) -> None:
        write_journal(tmp_path, FRAMES, 600)
        os.unlink(min(tmp_path.glob("*.log")))
        oldest = int(min(tmp_path.glob("*.log")).stem)
        write_cursor(tmp_path, "http", at(10, birth=3, records=3))
        (change,) = misplaced_cursors(tmp_path, len(FRAMES), BIRTH)
        assert change.cursor == at(oldest)

    def test_a_damaged_one_is_left_to_delivery_and_hides_no_other(self, tmp_path: Path) -> None:
        write_cursor(tmp_path, "b", at(5_000))
        cursor_path(tmp_path, "a").write_bytes(b"\0")
        assert [change.instance for change in misplaced_cursors(tmp_path, 1_000, BIRTH)] == ["b"]


class TestMakingThem:
    def test_the_cursor_is_written_with_its_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "journal"
        make_change(CursorChange(folder, "http", None, at(7)))
        assert read_cursor(folder, "http") == at(7)

    @pytest.mark.parametrize("seen", [None, at(5)])
    def test_one_that_delivery_has_moved_meanwhile_stays(self, tmp_path: Path, seen: Cursor | None) -> None:
        write_cursor(tmp_path, "http", at(6))
        make_change(CursorChange(tmp_path, "http", seen, at(7)))
        assert read_cursor(tmp_path, "http") == at(6)

    def test_a_damaged_one_stays(self, tmp_path: Path) -> None:
        write_cursor(tmp_path, "http", at(6))
        cursor_path(tmp_path, "http").write_bytes(b"\0")
        make_change(CursorChange(tmp_path, "http", at(6), at(7)))
        assert cursor_path(tmp_path, "http").read_bytes() == b"\0"

    def test_one_that_cannot_be_read_is_the_disks_fault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreadable(_: Path) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(store, "read_regular", unreadable)
        with pytest.raises(OSError, match="cannot use"):
            make_change(CursorChange(tmp_path, "http", None, at(7)))


class TestBirth:
    def test_cursors_know_it_when_the_note_is_lost(self, tmp_path: Path) -> None:
        assert birth_by_cursors(tmp_path, 1_000) == 0
        write_cursor(tmp_path, "a", at(5))
        write_cursor(tmp_path, "b", at(5, birth=3))
        cursor_path(tmp_path, "c").write_bytes(b"\0")
        assert birth_by_cursors(tmp_path, 1_000) == BIRTH

    def test_they_are_not_believed_if_one_is_ahead(self, tmp_path: Path) -> None:
        write_cursor(tmp_path, "a", at(5))
        write_cursor(tmp_path, "b", at(1_001))
        assert birth_by_cursors(tmp_path, 1_000) == 0

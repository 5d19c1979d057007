"""Beginnings: from where on a sink is sent a journal, whatever became of its cursor."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.config.options import validate
from plugin.errors import JournalError
from plugin.journal.cursors import start as beginning_module
from plugin.journal.cursors import store
from plugin.journal.cursors.start import find_beginning
from plugin.journal.cursors.store import Cursor, cursor_in, cursor_path, read_cursor, write_cursor
from plugin.journal.retention import measure, remove_segment
from plugin.sinks.registry import schema
from tests.delivery.conftest import CHOICE, FakeSink, Journal, make_tail

BIRTH = 12
(WIDE,) = validate({}, {"http-url": "http://127.0.0.1:1"}, schema()).sinks


def at(offset: int, resume: int | None = None, birth: int = BIRTH) -> Cursor:
    return Cursor(offset=offset, resume=offset if resume is None else resume, birth=birth)


@pytest.mark.parametrize("birth", [BIRTH, 0])
def test_it_is_where_the_cursor_says(journal: Journal, birth: int) -> None:
    journal.lines(0, 10)
    write_cursor(journal.folder, "http", at(50, 40, birth))
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(50, 40, birth)


def test_behind_an_incomplete_frame_there_is_none(journal: Journal) -> None:
    journal.lines(0, 10)
    end = journal.writer.offset
    journal.write_bytes(b"\0\0\0\x20half")
    write_cursor(journal.folder, "http", at(end + 50, 30))
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(end, 30)


def test_a_cursor_ahead_of_the_journal_is_taken_back_and_what_comes_is_sent(
    journal: Journal, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    journal.lines(0, 10)
    write_cursor(journal.folder, "fake", at(10_000))
    write_cursor(journal.folder, "http", at(10_000))
    beginning = find_beginning(journal.folder, CHOICE, BIRTH)
    assert beginning == at(journal.writer.offset)
    assert f"cursor {10_000 - journal.writer.offset} bytes ahead of the journal" in caplog.text
    write_cursor(journal.folder, "fake", beginning)
    tail = make_tail(journal, sink)
    assert tail.read(50_000).records == []
    lines = journal.lines(10, 10)
    assert [record.line for record in tail.read(50_000).records] == lines


def test_what_is_written_while_it_looks_does_not_hide_that_the_cursor_was_ahead(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.lines(0, 10)
    end = journal.writer.offset
    write_cursor(journal.folder, "http", at(end + 100))

    def intake_goes_on(folder: Path, instance: str, birth: int) -> Cursor | None:
        write_cursor(folder, instance, at(end))
        journal.lines(10, 10)
        return cursor_in(folder, instance, birth)

    monkeypatch.setattr(beginning_module, "cursor_in", intake_goes_on)
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(end)


def test_a_cursor_that_moves_on_with_its_journal_is_not_taken_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.lines(0, 10)
    write_cursor(journal.folder, "http", at(journal.writer.offset))

    def another_delivery_goes_on(folder: Path, instance: str, birth: int) -> Cursor | None:
        monkeypatch.setattr(beginning_module, "cursor_in", cursor_in)
        journal.lines(10, 10)
        write_cursor(folder, instance, at(journal.writer.offset))
        return cursor_in(folder, instance, birth)

    monkeypatch.setattr(beginning_module, "cursor_in", another_delivery_goes_on)
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(journal.writer.offset)


def test_one_of_another_journal_is_no_use(journal: Journal) -> None:
    journal.lines(0, 10)
    write_cursor(journal.folder, "http", at(50, birth=3))
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(0)


@pytest.fixture
def trimmed(make_journal: Callable[..., Journal]) -> tuple[Journal, int]:
    """A journal of which retention has taken the beginning, and the offset of what it begins with now."""
    journal = make_journal(segment_size=1_000)
    journal.lines(0, 200)
    for gone in measure(journal.folder)[:2]:
        remove_segment(gone)
    return journal, measure(journal.folder)[0].segment.base


def test_without_one_a_sink_of_the_containers_own_begins_with_the_oldest_entry_kept(
    trimmed: tuple[Journal, int],
) -> None:
    journal, oldest = trimmed
    assert oldest > 0
    assert find_beginning(journal.folder, CHOICE, BIRTH) == at(oldest)


def test_without_one_a_sink_of_the_plugin_wide_log_opts_does_not_begin(trimmed: tuple[Journal, int]) -> None:
    journal, _ = trimmed
    assert find_beginning(journal.folder, WIDE, BIRTH) is None
    write_cursor(journal.folder, "http", at(2_500))
    assert find_beginning(journal.folder, WIDE, BIRTH) == at(2_500)


def test_instead_of_a_damaged_one_there_is_one_at_the_oldest_entry_kept(
    trimmed: tuple[Journal, int], caplog: pytest.LogCaptureFixture
) -> None:
    journal, oldest = trimmed
    write_cursor(journal.folder, "http", at(2_500))
    path = cursor_path(journal.folder, "http")
    path.write_bytes(b"\0" * 40)
    assert find_beginning(journal.folder, WIDE, BIRTH) == at(oldest)
    assert read_cursor(journal.folder, "http") == at(oldest)
    assert path.with_suffix(".damaged").read_bytes() == b"\0" * 40
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert str(path) in record.getMessage()
    assert f"kept as http.damaged; sending all of the journal, from offset {oldest} on" in record.getMessage()


def test_a_damaged_one_stays_where_the_disk_takes_no_other(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_cursor(journal.folder, "http", at(0))
    cursor_path(journal.folder, "http").write_bytes(b"\0")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="No space left"):
            find_beginning(journal.folder, WIDE, BIRTH)
    assert cursor_path(journal.folder, "http").read_bytes() == b"\0"
    assert find_beginning(journal.folder, WIDE, BIRTH) == at(0)


def test_one_that_cannot_be_read_now_is_not_taken_for_damaged(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(store, "read_regular", unreadable)
    with pytest.raises(JournalError, match="cannot use"):
        find_beginning(journal.folder, CHOICE, BIRTH)

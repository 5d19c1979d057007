"""Losses are recorded in the names of files: few, and each with its cause."""

import os
from pathlib import Path

import pytest

from plugin.journal.gap_marker import noted_gap
from plugin.journal.layout import list_segments
from plugin.journal.losses import Cause, Loss, read_losses, record_loss
from tests.journal.entries import encode, numbered, write_journal


@pytest.fixture(autouse=True)
def _there(folder: Path) -> None:
    folder.mkdir()


def test_a_journal_that_lost_nothing(folder: Path) -> None:
    record_loss(folder, 5, 5, Cause.DISK_FULL)
    assert read_losses(folder) == []
    assert read_losses(folder / "not there") == []


def test_losses_of_one_cause_that_follow_on_each_other_are_one(folder: Path) -> None:
    record_loss(folder, 0, 10, Cause.RETENTION)
    record_loss(folder, 10, 30, Cause.RETENTION)
    record_loss(folder, 30, 40, Cause.BUFFER_LIMIT)
    record_loss(folder, 50, 60, Cause.BUFFER_LIMIT)
    record_loss(folder, 20, 25, Cause.RETENTION)
    assert read_losses(folder) == [
        Loss(0, 30, Cause.RETENTION),
        Loss(30, 40, Cause.BUFFER_LIMIT),
        Loss(50, 60, Cause.BUFFER_LIMIT),
    ]


def test_only_the_newest_few_are_kept(folder: Path) -> None:
    for number in range(100):
        record_loss(folder, number * 10, number * 10 + 5, Cause.DISK_FULL)
    losses = read_losses(folder)
    assert len(losses) < 50
    assert losses[-1] == Loss(990, 995, Cause.DISK_FULL)


@pytest.mark.parametrize("name", ["7-9.retention.lost", f"{7:020}-{9:020}.gremlins.lost", f"{7:020}.gap", "x.lost"])
def test_other_files_are_not_losses(folder: Path, name: str) -> None:
    (folder / name).touch()
    assert read_losses(folder) == []


def test_a_disk_that_refuses_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", refuse)
    record_loss(folder, 0, 10, Cause.DISK_FULL)
    assert read_losses(folder) == []


def test_the_journal_is_read_as_without_them(folder: Path) -> None:
    content = encode(numbered(10))
    write_journal(folder, content)
    for cause in Cause:
        record_loss(folder, 0, 10**9, cause)
    assert noted_gap(folder) == 0
    assert [segment.base for segment in list_segments(folder)] == [0]
    write_journal(folder, content)
    assert [segment.base for segment in list_segments(folder)] == [0]

"""The cursors that intake writes, on a disk that takes them only at times."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.config.options import validate
from plugin.errors import HeldError
from plugin.journal.cursors import keeper as keeper_module
from plugin.journal.cursors import store as store_module
from plugin.journal.cursors.keeper import CursorKeeper
from plugin.journal.cursors.placement import CursorChange, birth_by_cursors, make_change
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.sinks.registry import schema
from tests.intake.pump_harness import frames
from tests.journal.entries import write_journal

SINKS = validate({}, {"syslog-address": "udp://127.0.0.1:1"}, schema()).sinks
WHOLE = frames(3)


class Disk:
    """A disk that takes cursors, or does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        monkeypatch.setattr(keeper_module, "make_change", self._make_change)

    def _make_change(self, change: CursorChange) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        make_change(change)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that is full at first."""
    return Disk(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal that has something in it."""
    made = tmp_path / "journal"
    write_journal(made, WHOLE)
    return made


def at(offset: int) -> Cursor:
    return Cursor(offset=offset, resume=offset)


def test_a_first_cursor_that_is_refused_is_written_later_at_the_place_of_that_time(
    folder: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = CursorKeeper()
    keeper.begin(folder, SINKS)
    write_journal(folder, WHOLE)
    keeper.begin(folder, SINKS)
    keeper.save()
    assert read_cursor(folder, "syslog") is None
    assert caplog.text.count("cannot write cursor yet") == 1

    disk.full = False
    keeper.save()
    assert read_cursor(folder, "syslog") == at(len(WHOLE))
    write_cursor(folder, "syslog", at(len(WHOLE) * 2))
    keeper.save()
    assert read_cursor(folder, "syslog") == at(len(WHOLE) * 2), "it is done with"


def test_one_that_does_not_fit_is_set_later_unless_delivery_has_moved_it(folder: Path, disk: Disk) -> None:
    keeper = CursorKeeper()
    for instance in ("a", "b"):
        write_cursor(folder, instance, at(9_000))
    keeper.place(folder, len(WHOLE), 12)
    write_cursor(folder, "b", at(9_500))
    disk.full = False
    keeper.save()
    end = len(WHOLE)
    assert read_cursor(folder, "a") == Cursor(offset=end, resume=end, birth=12)
    assert read_cursor(folder, "b") == at(9_500)


def test_nothing_is_written_for_a_journal_that_is_gone(folder: Path, disk: Disk) -> None:
    keeper = CursorKeeper()
    keeper.begin(folder, SINKS)
    keeper.forget(folder)
    disk.full = False
    keeper.save()
    assert not (folder / "cursors").exists()


def test_what_does_not_fit_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cursor(folder, "a", at(9_000))
    CursorKeeper().place(folder, len(WHOLE), 12)
    assert f"cursor at offset 9000 does not fit the journal, as after a power cut; moved to {len(WHOLE)}" in (
        caplog.text
    )


def test_a_folder_that_cannot_be_looked_at_holds_no_container_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> list[CursorChange]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(keeper_module, "misplaced_cursors", fail)
    CursorKeeper().place(folder, 0, 12)
    assert "Input/output error" in caplog.text


def refuse(*_: object, **__: object) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


def test_without_descriptors_a_journal_must_not_grow_before_its_cursors_are_placed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cursor(folder, "a", at(9_000))
    keeper = CursorKeeper()
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "read_regular", refuse)
        with pytest.raises(HeldError, match="Too many open files"):
            keeper.place(folder, len(WHOLE), 12)
        with pytest.raises(OSError, match="Too many open files"):
            birth_by_cursors(folder, len(WHOLE))
    keeper.place(folder, len(WHOLE), 12)
    assert read_cursor(folder, "a") == Cursor(offset=len(WHOLE), resume=len(WHOLE), birth=12)


@pytest.mark.parametrize(
    "later", [lambda keeper, _: keeper.save(), lambda keeper, folder: keeper.place(folder, len(WHOLE), 12)]
)
def test_without_descriptors_first_cursors_are_written_as_soon_as_they_can_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, later: Callable[[CursorKeeper, Path], None]
) -> None:
    keeper = CursorKeeper()
    with monkeypatch.context() as patch:
        patch.setattr(keeper_module, "first_cursors", refuse)
        keeper.begin(folder, SINKS)
    later(keeper, folder)
    assert read_cursor(folder, "syslog") == at(len(WHOLE))

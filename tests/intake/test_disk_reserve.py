"""The reserve: a disk without any room takes attachments all the same, as long as it lasts."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.disk_reserve import Reserve
from tests.intake.pump_harness import info_of
from tests.journal.entries import fill, small_disk


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk."""
    with small_disk(1 << 20) as path:
        yield path


def attachment(number: int, **options: str) -> Attachment:
    return Attachment(file=f"/run/docker/logging/{number}", info=info_of(**options), started=number)


def save_all(attachments: Attachments) -> int:
    """Save attachments until that is refused; returns how many were saved."""
    for number in range(1_000):
        try:
            attachments.save(attachment(number))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 (one of many may raise it)
            return number
    pytest.fail("the disk is not full")


def test_a_full_disk_takes_attachments_while_it_lasts(disk: Path) -> None:
    reserve = Reserve(disk / "reserve")
    reserve.replenish()
    attachments = Attachments(disk, reserve)
    fill(disk)
    saved = save_all(attachments)
    assert saved >= 8
    assert attachments.load() == [attachment(number) for number in range(saved)]
    assert not list(disk.glob(".*"))


def test_it_is_made_whole_again_when_there_is_room(disk: Path) -> None:
    reserve = Reserve(disk / "reserve")
    reserve.replenish()
    attachments = Attachments(disk, reserve)
    filler = fill(disk)
    saved = save_all(attachments)
    reserve.replenish()
    filler.unlink()
    reserve.replenish()
    fill(disk)
    for number in range(saved, saved + 8):
        attachments.save(attachment(number))
    assert len(attachments.load()) == saved + 8


def test_without_one_a_full_disk_refuses(disk: Path) -> None:
    attachments = Attachments(disk, Reserve(disk / "reserve"))
    fill(disk)
    save_all(attachments)


def test_one_that_is_too_large_is_refused_and_takes_nothing(disk: Path) -> None:
    reserve = Reserve(disk / "reserve")
    reserve.replenish()
    attachments = Attachments(disk, reserve)
    fill(disk)
    with pytest.raises(OSError, match="No space left"):
        attachments.save(attachment(1, tag="x" * 20_000))
    assert attachments.load() == []
    assert save_all(attachments) >= 8


def test_what_a_kill_left_half_given_is_allocated_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    reserve.replenish()
    spare = tmp_path / "reserve" / "0"
    spare.write_bytes(b"{")
    reserve.replenish()
    assert spare.stat().st_size == 1 << 14
    assert spare.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    reserve = Reserve(tmp_path / "reserve")
    reserve.replenish()
    assert not reserve.write(tmp_path / "a", b"x")

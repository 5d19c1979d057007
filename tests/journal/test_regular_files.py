"""Only regular files are opened, and nothing else is waited for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.journal.regular_files import NotRegularError, open_lock, open_regular, read_regular
from tests.testbed.descriptors import open_descriptors

OTHERS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a link": lambda path: path.symlink_to(__file__),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT])
def test_anything_else_is_refused(tmp_path: Path, make: Callable[[Path], object], flags: int) -> None:
    make(tmp_path / "it")
    before = open_descriptors()
    with pytest.raises(NotRegularError, match="not a regular file"):
        open_regular(tmp_path / "it", flags)
    assert open_descriptors() == before


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"content")
    assert read_regular(tmp_path / "it") == b"content"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "other")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_cannot_be_a_lock_is_replaced(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "lock")
    os.close(open_lock(tmp_path / "lock"))
    assert (tmp_path / "lock").is_file()
    assert not (tmp_path / "lock").is_symlink()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(__file__)])
def test_what_may_be_someones_is_left_alone(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "lock")
    with pytest.raises(NotRegularError):
        open_lock(tmp_path / "lock")
    assert (tmp_path / "lock").exists()

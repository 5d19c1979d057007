"""Moving bytes from a pipe to a file."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.journal import splice
from plugin.journal.splice import UnwrittenError, move
from tests.journal.entries import Pipe, pipe


@pytest.fixture
def fifo() -> Iterator[Pipe]:
    with pipe() as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(params=["splice", "read and write"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "splice":
        refuse_splice(monkeypatch)


def refuse_splice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "splice", refused)


@pytest.mark.usefixtures("_way")
class TestEitherWay:
    def test_bytes_go_to_their_position(self, fifo: Pipe, file: int) -> None:
        fifo.write(b"0123456789")
        assert move(fifo.reader, file, 4, 0) == 4
        assert move(fifo.reader, file, 100, 4) == 6
        assert os.pread(file, 100, 0) == b"0123456789"

    def test_an_empty_pipe_would_block(self, fifo: Pipe, file: int) -> None:
        with pytest.raises(BlockingIOError):
            move(fifo.reader, file, 4, 0)

    def test_the_end_is_zero(self, file: int) -> None:
        reader, writer = os.pipe()
        os.close(writer)
        assert move(reader, file, 4, 0) == 0
        os.close(reader)


def test_bytes_that_cannot_be_written_are_handed_back(fifo: Pipe, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite

    def full_after_three(descriptor: int, content: bytes, position: int) -> int:
        if position >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, content[:3], position)

    refuse_splice(monkeypatch)
    monkeypatch.setattr(os, "pwrite", full_after_three)
    fifo.write(b"0123456789")
    with pytest.raises(UnwrittenError) as raised:
        move(fifo.reader, file, 100, 0)
    assert raised.value.content == b"0123456789"


def test_another_error_of_splice_is_raised_and_takes_nothing(
    fifo: Pipe, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fifo.write(b"0123456789")
    with monkeypatch.context() as patch:
        patch.setattr(os, "splice", refused)
        with pytest.raises(OSError, match="No space"):
            move(fifo.reader, file, 100, 0)
    assert move(fifo.reader, file, 100, 0) == 10


def test_a_file_opened_for_appending_would_lose_the_guarantee(fifo: Pipe, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    fifo.write(b"x")
    with pytest.raises(OSError, match="Invalid argument"):
        os.splice(fifo.reader, descriptor, 1, flags=splice._FLAGS)
    os.close(descriptor)

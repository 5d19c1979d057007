"""Dropping: whole frames go and are counted, whatever pieces they come in."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import Entry
from plugin.journal.drop_mode import Dropper
from tests.journal.entries import Pipe, encode, entries, lines_of, numbered, pipe, split


def drop(dropper: Dropper, fifo: Pipe, content: bytes, limit: int = 1 << 20) -> None:
    if content:
        fifo.write(content)
        while True:
            try:
                dropper.take(fifo.reader, limit)
            except BlockingIOError:
                return


@given(entries(), st.data())
def test_complete_frames_go_and_the_tail_stays(sent: list[Entry], data: st.DataObject) -> None:
    content = encode(sent)
    dropper = Dropper()
    start = data.draw(st.integers(0, len(split(content)[0]) - 1)) if content else 0
    dropper.begin(content[:start])
    position = start
    with pipe() as fifo:
        while position < len(content):
            size = data.draw(st.integers(1, 300), label="piece")
            drop(dropper, fifo, content[position : position + size], data.draw(st.integers(1, 300), label="limit"))
            position = min(len(content), position + size)
            assert dropper.bytes + len(dropper.tail) == position
            assert content[dropper.bytes : position] == dropper.tail
    assert dropper.active
    assert dropper.tail == b""
    assert dropper.lines == len(lines_of(sent, finished=False))


@given(st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_frames_are_found_again_behind_garbage(size: int, piece: int, whole: bool) -> None:
    before, garbage, after = encode(numbered(3)), b"\xff" * size, encode(numbered(3))
    content = before + garbage + after + (b"" if whole else encode(numbered(1))[:-2])
    dropper = Dropper()
    dropper.begin(b"")
    with pipe() as fifo:
        for start in range(0, len(content), piece):
            drop(dropper, fifo, content[start : start + piece])
    assert dropper.lines == 6
    assert dropper.tail == (b"" if whole else encode(numbered(1))[:-2])
    assert dropper.bytes + len(dropper.tail) == len(content)


def test_endless_garbage_takes_bounded_memory() -> None:
    dropper = Dropper()
    dropper.begin(b"")
    with pipe() as fifo:
        for _ in range(50):
            drop(dropper, fifo, b"\xff" * (60 << 10))
            assert len(dropper.tail) <= (1 << 20) + (60 << 10)
        drop(dropper, fifo, encode(numbered(3)))
    assert dropper.tail == b""
    assert dropper.lines == 3


def test_ends_and_begins_anew() -> None:
    dropper = Dropper()
    dropper.begin(b"")
    with pipe() as fifo:
        drop(dropper, fifo, encode(numbered(3)))
    dropper.end()
    assert not dropper.active
    assert dropper.lines == 3
    dropper.begin(b"\0\0")
    assert dropper.active
    assert (dropper.bytes, dropper.lines, dropper.tail) == (0, 0, b"\0\0")
    assert dropper.forget_tail() == 2
    assert (dropper.bytes, dropper.tail) == (2, b"")


def test_end_of_file_and_an_empty_pipe_are_told() -> None:
    dropper = Dropper()
    dropper.begin(b"")
    with pipe() as fifo, pytest.raises(BlockingIOError):
        dropper.take(fifo.reader, 100)
    reader, writer = os.pipe()
    os.close(writer)
    assert dropper.take(reader, 100) == 0
    os.close(reader)

"""The log holds nobody up: while nobody reads it, so many lines wait, and the others are dropped and counted."""

import contextlib
import io
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from plugin.commands import logging_setup
from plugin.commands.logging_setup import MOST_WAITING, BoundedHandler


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, text, None, None)


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A pipe that nobody reads yet: where to read it, and the stream into it."""
    source, target = os.pipe()
    stream = os.fdopen(target, "w")
    yield source, stream
    os.close(source)
    with contextlib.suppress(OSError):
        stream.close()


def test_lines_come_in_order(pipe: tuple[int, io.TextIOWrapper]) -> None:
    source, stream = pipe
    handler = BoundedHandler(stream)
    for number in range(100):
        handler.emit(record(f"line {number}"))
    handler.flush()
    assert os.read(source, 1 << 20).decode().splitlines() == [f"line {number}" for number in range(100)]


def test_nobody_waits_while_nobody_reads(pipe: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch) -> None:
    source, stream = pipe
    monkeypatch.setattr(logging_setup, "_FLUSH_WITHIN", 0.01)
    handler = BoundedHandler(stream)
    for number in range(3 * MOST_WAITING):
        handler.emit(record(f"{number} {'x' * 1_000}"))
    handler.flush()  # returns although it cannot be done

    read: list[str] = []

    def read_all() -> None:
        with os.fdopen(os.dup(source), errors="replace") as lines:
            for line in lines:
                read.append(line.rstrip())
                if "were dropped" in line or len(read) == 3 * MOST_WAITING:
                    return

    reader = threading.Thread(target=read_all)
    reader.start()
    reader.join()
    *whole, told = read
    numbers = [int(line.split()[0]) for line in whole]
    assert numbers == sorted(numbers)
    assert len(numbers) <= 2 * MOST_WAITING, "what was being written when it filled up, and what waited"
    assert told.startswith("WARNING plugin.commands.logging_setup: ")
    assert int(told.split()[2]) == 3 * MOST_WAITING - len(numbers)


def test_one_that_went_away_ends_nothing(pipe: tuple[int, io.TextIOWrapper]) -> None:
    source, stream = pipe
    handler = BoundedHandler(stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), source)
    for _ in range(3):
        handler.emit(record("x"))
        handler.flush()


def test_a_record_that_cannot_be_formatted_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    handler = BoundedHandler(stream)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "%d", ("no number",), None))
    handler.emit(record("next"))
    handler.flush()
    assert stream.getvalue() == "next\n"
    assert "no number" in capsys.readouterr().err

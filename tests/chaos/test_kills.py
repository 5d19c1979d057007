"""SIGKILLs at random instants under full load: every line there, once, in order."""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest

import pytest

from tests.testbed.client import PluginError, PluginUnreachableError
from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.wire import LogEntry, decode_all

SHORT, LONG = 10, 100  # kills
KILLS = "PEAVEY_CHAOS_KILLS"
CONTAINERS = 4
OPTIONS = {"max-size": "200k", "max-file": "100000"}
LONGEST_LIFE = 0.4  # seconds of the server
KILLED_IN_ITS_START = 0.3  # share of kills that are followed by another one before the server is ready


class Program(threading.Thread):
    """A container's program: bursts of lines, short and long, and now and then it exits and is started again."""

    def __init__(self, container: Container, number: int, chance: random.Random) -> None:
        super().__init__()
        self.lines: list[bytes] = []
        self.failure: Exception | None = None
        self._container = container
        self._label = f"container {number}"
        self._chance = chance
        self._enough = threading.Event()

    def finish(self) -> None:
        """Stop it; raises what went wrong."""
        self._enough.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def run(self) -> None:
        try:
            while not self._enough.is_set():
                self._burst()
                if self._chance.random() < 0.02:
                    self._start_again()
        except Exception as error:  # noqa: BLE001  (finish raises it)
            self.failure = error

    def _start_again(self) -> None:
        """Exit and start again, as often as it takes.

        Both fail now and then, as with the real engine: when the server cannot be reached for too long, or when a kill
        made the engine repeat its StartLogging with an empty body. What was printed before must not suffer from it.
        """
        with suppress(PluginUnreachableError):
            self._container.stop()
        while True:
            with suppress(PluginError, PluginUnreachableError):
                return self._container.start()

    def _burst(self) -> None:
        padding = self._chance.choice((0, 40, 40, 40, 200, 5_000))
        for line in numbered(self._chance.randrange(1, 40), self._label, padding, first=len(self.lines)):
            self._container.print(line)
            self.lines.append(line)
        if self._chance.random() < 0.01:
            line = b"long " + b"x" * self._chance.randrange(16_000, 100_000) + b"\n"
            self._container.print(line)
            self.lines.append(line)
        time.sleep(0.001)


@pytest.mark.chaos
def test_every_line_is_there_once_and_in_order(
    server: Server, engine: Engine, data: DataFolder, seed: int, is_long: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    containers = [engine.run(OPTIONS) for _ in range(CONTAINERS)]
    programs = [Program(container, number, random.Random(seed + number)) for number, container in enumerate(containers)]  # noqa: S311
    for program in programs:
        program.start()
    try:
        for _ in range(int(os.environ.get(KILLS) or (LONG if is_long else SHORT))):
            time.sleep(chance.random() * LONGEST_LIFE)
            server.kill()
            if chance.random() < KILLED_IN_ITS_START:
                server.launch()
                time.sleep(chance.random() * LONGEST_LIFE)
                server.kill()
            server.start()
    finally:
        for program in programs:
            program.finish()

    for container, program in zip(containers, programs, strict=True):
        container.stop()
        journal = decode_all(data.journal(container.id))
        assert difference([entry.line for entry in joined(journal)], program.lines) == ""
        assert difference([entry.line for entry in container.logs()], program.lines) == ""


def joined(journal: list[LogEntry]) -> Iterator[LogEntry]:
    """Join the parts of lines, newlines put back: nothing else prints at the same time."""
    parts = b""
    for entry in journal:
        parts += entry.line
        if entry.part is None or entry.part.last:
            yield replace(entry, line=parts + b"\n")
            parts = b""


def difference(read: list[bytes], printed: list[bytes]) -> str:
    """Return where two logs differ first, in a sentence that fits on a screen; nothing if they are the same."""
    for number, (got, expected) in enumerate(zip_longest(read, printed)):
        if got != expected:
            counts = f"{len(read)} lines of {len(printed)}"
            return f"line {number} is {abridged(got)} instead of {abridged(expected)}; {counts}"
    return ""


def abridged(line: bytes | None) -> str:
    return "missing" if line is None else f"{line[:40]!r} ({len(line)} bytes)"

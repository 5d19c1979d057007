"""Programs that print in the background while a test does something to the server."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from tests.testbed.standin import Container
from tests.testbed.waiting import wait_until

_BURST = 50  # lines
_PAUSE = 0.01  # seconds between bursts, so that what takes the lines keeps a part of the processor


def numbered(count: int, label: str = "line", padding: int = 0, first: int = 0) -> list[bytes]:
    """Make lines that can all be told apart, newlines included."""
    return [f"{label} {number:08d}{'.' * padding}\n".encode() for number in range(first, first + count)]


def plain(lines: Iterable[bytes]) -> list[bytes]:
    """Return lines as a destination has them, without their newlines."""
    return [line.removesuffix(b"\n") for line in lines]


class Printer:
    """A container's program: it prints numbered lines from ``__enter__`` until ``finish``, or the end of the block."""

    def __init__(self, container: Container, label: str = "line", padding: int = 40) -> None:
        self.container = container
        self.printed = 0
        self._label = label
        self._padding = padding
        self._enough = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join()

    @property
    def lines(self) -> list[bytes]:
        """All lines that it has printed."""
        return numbered(self.printed, self._label, self._padding)

    def wait_for(self, more: int) -> None:
        """Wait until it has printed this many more lines."""
        goal = self.printed + more
        wait_until(lambda: self.printed >= goal or self._failure, f"{more} more lines are printed")

    def finish(self) -> list[bytes]:
        """Stop printing; returns all lines that were printed, raises what went wrong on the way."""
        self._enough.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self.lines

    def _run(self) -> None:
        try:
            while not self._enough.is_set():
                for line in numbered(_BURST, self._label, self._padding, first=self.printed):
                    self.container.print(line)
                    self.printed += 1
                time.sleep(_PAUSE)
        except Exception as error:  # noqa: BLE001  (finish raises it)
            self._failure = error

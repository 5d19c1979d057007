"""Many containers that print, a little each, while a test does something to the server that should not concern them."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.testbed.printer import numbered
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

_BURST = 2  # lines of each container
_PAUSE = 0.02  # seconds between bursts


class Crowd:
    """``count`` containers, which print numbered lines from ``__enter__`` until the end of the block.

    One that is held up holds up all others, which ``wait_for`` notices.
    """

    def __init__(self, engine: Engine, count: int, options: Mapping[str, str] | None = None) -> None:
        self.containers = [engine.run(options) for _ in range(count)]
        self._printed = 0
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

    def wait_for(self, more: int) -> None:
        """Wait until each of them has printed this many more lines; raises what keeps them from it."""
        goal = self._printed + more
        wait_until(lambda: self._printed >= goal or self._failure, f"the others print {more} more lines")
        if self._failure is not None:
            raise self._failure

    def finish(self) -> list[tuple[Container, list[bytes]]]:
        """Have them print their last line and stop; returns what each has printed."""
        self._enough.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        for container in self.containers:
            container.stop()
        return [(container, self.lines(container)) for container in self.containers]

    def lines(self, container: Container) -> list[bytes]:
        """Return the lines that one of them has printed."""
        return numbered(self._printed, container.name)

    def _run(self) -> None:
        try:
            while not self._enough.is_set():
                for container in self.containers:
                    container.print(b"".join(numbered(_BURST, container.name, first=self._printed)))
                self._printed += _BURST
                time.sleep(_PAUSE)
        except Exception as error:  # noqa: BLE001  (finish raises it)
            self._failure = error

"""Set up the log of the plugin's processes: one line a record on stdout, which the engine puts into its own log."""

import contextlib
import io
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import TextIO

MOST_WAITING = 1_000
"""Lines that wait to be written; those beyond are dropped and counted."""

_FLUSH_WITHIN = 1.0


def log_to_stdout(level: str) -> None:
    """Log from ``level`` on (``debug``, ``info``, …); the engine puts time and plugin id in front.

    Nobody who logs ever waits for whoever reads stdout. `logging.shutdown`, which ends the process in order, waits a
    second for what has not been written.
    """
    handler = BoundedHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


class BoundedHandler(logging.Handler):
    """Writes records in a thread of its own, in order; while that hangs, so many wait, and the others are dropped."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 (as every handler of the library does)
            self.handleError(record)
            return
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self._dropped += 1
                return
            self._waiting.append(line)
            if self._thread is None:
                # A daemon: a write that hangs must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written, a second at most."""
        deadline = time.monotonic() + _FLUSH_WITHIN
        with self._changed:
            while (self._waiting or self._writing) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                while not self._waiting:
                    self._changed.wait()
                lines = [*self._waiting]
                self._waiting.clear()
                if self._dropped:
                    lines.append(f"WARNING {__name__}: {self._dropped} lines of this log were dropped: nobody read it")
                    self._dropped = 0
                self._writing = True
            self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text: str) -> None:
        """Write past the stream's buffer, whose lock would make the end of the process wait for a write that hangs."""
        try:
            descriptor = self._stream.fileno()
        except (io.UnsupportedOperation, ValueError):
            with contextlib.suppress(ValueError):  # it is closed
                self._stream.write(text)
            return
        data = text.encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:  # whoever read it has gone
            return


class _OneLine(logging.Formatter):
    """A formatter that keeps a record on one line, stack traces included."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", " | ")

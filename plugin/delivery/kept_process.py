"""Processes that run a sub-command of ours, and are started again when they die."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import plugin
from plugin.delivery.backoff import Backoff

logger = logging.getLogger(__name__)

_LONGEST_DELAY = 30.0
_STEADY = 60.0

Launch = Callable[[threading.Event], "subprocess.Popen[bytes] | None"]


def start_own(
    arguments: Sequence[str], environment: Mapping[str, str], pass_fds: Sequence[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start a sub-command with ``environment`` on top of ours. Raises ``OSError``.

    Nothing is written to its standard input: that ends when we do, however that is, and tells the process.
    """
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "plugin", *arguments],
        # Of all that could be called "plugin", our own: not one that lies in the current folder.
        env={**os.environ, **environment, "PYTHONPATH": str(Path(plugin.__file__).parents[1])},
        stdin=subprocess.PIPE,
        pass_fds=pass_fds,
    )


class KeptProcess:
    """Keeps a process running that the log calls ``name``.

    ``launch`` starts it each time; it may wait before, and returns None once the event says that it is to stop.
    """

    def __init__(self, name: str, launch: Launch) -> None:
        self._name = name
        self._launch = launch
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to end, and start it no more."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def kill_after(self, seconds: float) -> None:
        """Wait until it has ended, at most so long, then kill it; ``terminate`` was called before."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        if self._process is not None:
            self._process.kill()

    def _keep_running(self) -> None:
        backoff = Backoff(0.2, _LONGEST_DELAY)
        while not self._stopping.is_set():
            try:
                process = self._launch(self._stopping)
            except OSError as error:
                logger.error("%s: cannot start: %s", self._name, error)  # noqa: TRY400
                self._stopping.wait(backoff.delay())
                continue
            if process is None:
                return
            self._process = process
            if self._stopping.is_set():
                process.terminate()
            started = time.monotonic()
            status = process.wait()  # without a time limit, for which it would look twenty times a second
            if process.stdin is not None:
                process.stdin.close()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY:
                backoff.reset()
            delay = backoff.delay()
            logger.error("%s: ended with status %d; restarting", self._name, status)
            self._stopping.wait(delay)

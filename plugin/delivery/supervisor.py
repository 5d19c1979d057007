"""Supervise the delivery processes: start them, and restart them when they die."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import plugin
from plugin.delivery.backoff import Backoff
from plugin.journal.layout import DataFolder

logger = logging.getLogger(__name__)

_STOP_WITHIN = 5.0
_LONGEST_DELAY = 30.0
_STEADY = 60.0


class Supervisor:
    """The ``workers`` delivery processes, running once a container has a sink.

    They get the settings by their environment: ``environment`` on top of our own.
    """

    def __init__(self, data: DataFolder, workers: int, environment: Mapping[str, str]) -> None:
        self._data = data
        self._workers = workers
        self._environment = environment
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start_if_needed(self) -> None:
        """Start the processes if any journal has a sink already."""
        if any(self._data.containers.glob("*/cursors")):
            self.need()

    def need(self) -> None:
        """Start the processes, if they have not been started. May be called from any thread."""
        with self._lock:
            if self._threads or self._stopping.is_set():
                return
            for share in range(self._workers):
                thread = threading.Thread(
                    target=self._keep_running, args=(share,), name=f"deliver {share}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def alive(self) -> int:
        """Count the processes that run."""
        return sum(process.poll() is None for process in list(self._processes.values()))

    def wanted(self) -> int:
        """Count the processes that should run."""
        return len(self._threads)

    def stop(self) -> None:
        """End the processes, gently at first."""
        with self._lock:
            self._stopping.set()
        for process in list(self._processes.values()):
            process.terminate()
        deadline = time.monotonic() + _STOP_WITHIN
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for process in list(self._processes.values()):
            process.kill()

    def _keep_running(self, share: int) -> None:
        backoff = Backoff(0.2, _LONGEST_DELAY)
        # Of all that could be called "plugin", our own: not one that lies in the current folder.
        environment = {**os.environ, **self._environment, "PYTHONPATH": str(Path(plugin.__file__).parents[1])}
        command = [sys.executable, "-P", "-m", "plugin", "deliver", "--supervised", "--share"]
        command.append(f"{share}/{self._workers}")
        while not self._stopping.is_set():
            try:
                # Nothing is written there: it ends when we do, however that is, and tells the process.
                process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # noqa: S603
            except OSError as error:
                logger.error("delivery %d/%d: cannot start: %s", share, self._workers, error)  # noqa: TRY400
                self._stopping.wait(backoff.delay())
                continue
            self._processes[share] = process
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
            logger.error("delivery %d/%d: ended with status %d; restarting", share, self._workers, status)
            self._stopping.wait(delay)

"""Supervise the delivery processes: start them, and restart them when they die."""

import subprocess
import threading
import time
from collections.abc import Mapping
from functools import partial

from plugin.delivery.kept_process import KeptProcess, start_own
from plugin.journal.layout import DataFolder

_STOP_WITHIN = 5.0


class Supervisor:
    """The ``workers`` delivery processes, running once a container has a sink.

    They get the settings by their environment: ``environment`` on top of our own.
    """

    def __init__(self, data: DataFolder, workers: int, environment: Mapping[str, str]) -> None:
        self._data = data
        self._workers = workers
        self._environment = environment
        self._is_stopping = False
        self._lock = threading.Lock()
        self._processes: list[KeptProcess] = []

    def start_if_needed(self) -> None:
        """Start the processes if any journal has a sink already."""
        if any(self._data.containers.glob("*/cursors")):
            self.need()

    def need(self) -> None:
        """Start the processes, if they have not been started. May be called from any thread."""
        with self._lock:
            if self._processes or self._is_stopping:
                return
            for share in range(self._workers):
                process = KeptProcess(f"delivery {share}/{self._workers}", partial(self._launch, share))
                self._processes.append(process)
                process.start()

    def alive(self) -> int:
        """Count the processes that run."""
        return sum(process.is_alive for process in list(self._processes))

    def wanted(self) -> int:
        """Count the processes that should run."""
        return len(self._processes)

    def stop(self) -> None:
        """End the processes, gently at first."""
        with self._lock:
            self._is_stopping = True
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + _STOP_WITHIN
        for process in self._processes:
            process.kill_after(max(0.0, deadline - time.monotonic()))

    def _launch(self, share: int, _: threading.Event) -> subprocess.Popen[bytes]:
        return start_own(["deliver", "--supervised", "--share", f"{share}/{self._workers}"], self._environment)

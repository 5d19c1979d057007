"""The process that serves the web page: started with the plugin, and restarted when it dies."""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from plugin.api.tcp_listener import FurtherAddress
from plugin.delivery.backoff import Backoff

logger = logging.getLogger(__name__)

_LISTEN_AGAIN = (0.2, 5.0)  # seconds, at first and at most: the page of a plugin that was killed ends soon
_LONGEST_DELAY = 30.0
_STEADY = 60.0
_STOP_WITHIN = 3.0


class ConsoleProcess:
    """Keeps ``peavey console`` running on an address, which this process listens on, so that it outlives restarts."""

    def __init__(self, address: FurtherAddress, environment: Mapping[str, str]) -> None:
        self._address = address
        self._environment = environment
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name="console", daemon=True)

    def start(self) -> None:
        """Start it, as soon as the address is available."""
        self._thread.start()

    def stop(self) -> None:
        """End it, gently at first."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN)
        if self._process is not None:
            self._process.kill()

    def _keep_running(self) -> None:
        backoff = Backoff(0.2, _LONGEST_DELAY)
        listening = Backoff(*_LISTEN_AGAIN)
        while not self._stopping.is_set():
            listener = self._address.listen()
            if listener is None:
                self._stopping.wait(listening.delay())
                continue
            started = time.monotonic()
            try:
                self._process = process = self._start(listener)
            except OSError as error:
                logger.error("console: cannot start: %s", error)  # noqa: TRY400
                self._stopping.wait(backoff.delay())
                continue
            if self._stopping.is_set():
                process.terminate()
            status = process.wait()
            if process.stdin is not None:
                process.stdin.close()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY:
                backoff.reset()
            delay = backoff.delay()
            logger.error("console: ended with status %d; restarting", status)
            self._stopping.wait(delay)

    def _start(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        """Start it; its standard input ends when this process does, which tells it."""
        number = listener.fileno()
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "plugin", "console", "--fd", str(number)],
            env={**os.environ, **self._environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE,
            pass_fds=(number,),
        )

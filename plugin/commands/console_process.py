"""The process that serves the web page: started with the plugin, and restarted when it dies."""

import subprocess
import threading
from collections.abc import Mapping

from plugin.api.tcp_listener import FurtherAddress
from plugin.delivery.backoff import Backoff
from plugin.delivery.kept_process import KeptProcess, start_own

_LISTEN_AGAIN = (0.2, 5.0)  # seconds, at first and at most: the page of a plugin that was killed ends soon
_STOP_WITHIN = 3.0


class ConsoleProcess:
    """Keeps ``peavey console`` running on an address, which this process listens on, so that it outlives restarts."""

    def __init__(self, address: FurtherAddress, environment: Mapping[str, str]) -> None:
        self._address = address
        self._environment = environment
        self._process = KeptProcess("console", self._launch)

    def start(self) -> None:
        """Start it, as soon as the address is available."""
        self._process.start()

    def stop(self) -> None:
        """End it, gently at first."""
        self._process.terminate()
        self._process.kill_after(_STOP_WITHIN)

    def _launch(self, stopping: threading.Event) -> subprocess.Popen[bytes] | None:
        backoff = Backoff(*_LISTEN_AGAIN)
        while (listener := self._address.listen()) is None:
            if stopping.wait(backoff.delay()):
                return None
        number = listener.fileno()
        return start_own(["console", "--fd", str(number)], self._environment, pass_fds=(number,))

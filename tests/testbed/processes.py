"""A server of somebody else's as a process on the loopback, which tests start, freeze and kill."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.testbed.waiting import wait_until


class ServerProcess:
    """A program that listens; what it prints goes to a file in ``folder``.

    ``answers`` says whether it is there to be used.
    """

    def __init__(self, command: Sequence[str], folder: Path, answers: Callable[[], bool]) -> None:
        self._command = list(command)
        self._log = folder / "log"
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def launch(self) -> None:
        """Start it, and do not wait for anything."""
        environment = os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        process = self._process
        assert process is not None
        wait_until(lambda: self._answers() or process.poll() is not None, f"{self._command[0]} answers")
        assert process.poll() is None, f"{self._command[0]} has ended:\n{self.log}"

    def kill(self) -> None:
        """End it by SIGKILL, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop it by SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

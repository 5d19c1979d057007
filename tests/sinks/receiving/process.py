"""Receivers as processes of their own, which can be frozen and killed."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.sinks.receiving.protocols import options_for
from tests.sinks.receiving.received import Received, joined
from tests.testbed.ports import HeldPort
from tests.testbed.server import REPOSITORY
from tests.testbed.waiting import wait_until


class ReceiverProcess:
    """A receiver as a process of its own, always at the same port. What it takes in is on disk before it answers."""

    def __init__(self, protocol: str, folder: Path) -> None:
        self.protocol = protocol
        self._held = HeldPort()
        self.port = self._held.number
        self._output = folder / f"{protocol}-{self.port}"
        self._received: list[Received] = []
        self._position = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._held.release()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "tests.sinks.receiving", self.protocol, str(self.port), str(self._output)]
        self._process = subprocess.Popen(command, cwd=REPOSITORY)
        wait_until(self._listens, f"the receiver of {self.protocol} listens")

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it with SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def options(self) -> dict[str, str]:
        """The log-opts for it: little time passes between attempts, and none is given up because a machine is busy."""
        quick = {"batch-wait": "50ms", "retry-min": "50ms", "retry-max": "200ms"}
        return quick | options_for(self.protocol, f"127.0.0.1:{self.port}")

    @property
    def received(self) -> list[Received]:
        """All that arrived so far."""
        if self._output.exists():
            with self._output.open("rb") as output:
                output.seek(self._position)
                complete, newline, _ = output.read().rpartition(b"\n")
            self._position += len(complete + newline)
            for values in map(json.loads, complete.splitlines()):
                self._received.append(Received(**(values | {"line": values["line"].encode("latin-1")})))
        return self._received

    def lines(self, container: str, source: str = "stdout") -> list[bytes]:
        """The lines of one container so far, their parts joined."""
        return [r.line for r in joined([r for r in self.received if (r.container, r.source) == (container, source)])]

    def wait_for(self, container: str, last: bytes) -> list[bytes]:
        """Wait for the line with which a container's log ends, and give all of its lines."""
        wait_until(
            lambda: any((r.container, r.line) == (container, last) for r in self.received),
            f"{last[:40]!r} of {container} arrives at {self.protocol}",
        )
        return self.lines(container)

    def _listens(self) -> bool:
        return f":{self.port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


class Receivers:
    """Receivers as processes, their output in a folder, ended with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def down(self, protocol: str) -> ReceiverProcess:
        """Make one that is not running yet."""
        return self._stack.enter_context(ReceiverProcess(protocol, self._folder))

    def up(self, protocol: str) -> ReceiverProcess:
        """Make one that runs."""
        receiver = self.down(protocol)
        receiver.start()
        return receiver

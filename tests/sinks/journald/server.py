"""A private systemd-journald, one of a namespace of its own, read back by journalctl."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds
from tests.testbed.host import has_program
from tests.testbed.processes import ServerProcess
from tests.testbed.waiting import wait_until

_PROGRAM = "/lib/systemd/systemd-journald"
_SOURCES = {"6": "stdout", "3": "stderr"}
_numbers = itertools.count()


class Journald:
    """A journald whose socket lies in ``folder``; its files lie where journalctl looks for those of its namespace."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.socket = folder / "socket"
        self.namespace = f"peavey-test-{os.getpid()}-{next(_numbers)}"
        self._entries: list[dict[str, Any]] = []
        self._received: list[Received] = []
        self._process = ServerProcess(
            ["env", f"RUNTIME_DIRECTORY={folder}", _PROGRAM, self.namespace], folder, self.socket.exists
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process.start()

    def stop(self) -> None:
        """Kill it; its socket stays, and nobody listens there."""
        self._process.kill()
        self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Stop it for a while."""
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def close(self) -> None:
        """End it for good, and remove its files."""
        self._process.kill()
        for storage in ("/var/log/journal", "/run/log/journal"):
            for folder in Path(storage).glob(f"*.{self.namespace}"):
                shutil.rmtree(folder)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All entries of containers so far, as journalctl shows them; fields that are not printable text as bytes."""
        command = ["journalctl", f"--namespace={self.namespace}", "--quiet", "--all", "--output=json"]
        command += [f"--after-cursor={self._entries[-1]['__CURSOR']}"] if self._entries else []
        shown = subprocess.run([*command, "_TRANSPORT=journal"], stdout=subprocess.PIPE, check=True).stdout
        self._entries += [_entry(json.loads(line)) for line in shown.splitlines()]
        return self._entries

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait for some entries, and return all."""
        wait_until(lambda: len(self.entries) >= count, f"{count} entries are in the journal")
        return self._entries

    @property
    def received(self) -> list[Received]:
        """All entries of containers."""
        entries = self.entries
        self._received += map(_received, entries[len(self._received) :])
        return self._received


def _entry(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in shown.items()}


def _value(value: Any) -> Any:
    is_bytes = isinstance(value, list) and all(isinstance(item, int) for item in value)
    return bytes(value) if is_bytes else value


def message_of(entry: dict[str, Any]) -> bytes:
    """Return the message of an entry."""
    message = entry["MESSAGE"]
    return message if isinstance(message, bytes) else message.encode()


def _received(entry: dict[str, Any]) -> Received:
    return Received(
        entry["CONTAINER_NAME"],
        _SOURCES[entry["PRIORITY"]],
        message_of(entry),
        nanoseconds(entry["SYSLOG_TIMESTAMP"]),
        is_part=entry.get("CONTAINER_PARTIAL_MESSAGE") == "true",
    )


def require_journald() -> None:
    """Skip where there is no journald."""
    if not (has_program("journalctl")() and Path(_PROGRAM).exists() and os.geteuid() == 0):
        pytest.skip("no journald here that could be started")


@contextlib.contextmanager
def journald(folder: Path) -> Iterator[Journald]:
    """Run a journald of the test's own."""
    require_journald()
    server = Journald(folder / "journald")
    try:
        server.start()
        yield server
    finally:
        server.close()

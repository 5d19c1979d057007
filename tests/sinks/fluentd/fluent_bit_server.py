"""A private Forward server as the receiver of tests: that of ``@fluent-org/logger``, Fluent's library for Node.js."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.host import has_program
from tests.testbed.ports import HeldPort
from tests.testbed.waiting import wait_until

_PACKAGE = "@fluent-org/logger@1.0.10"
_FOLDER = Path(__file__).resolve().parents[3] / "build" / "npm" / _PACKAGE.replace("/", "+")
_SCRIPT = Path(__file__).with_suffix(".cjs")


def _modules() -> Path:
    """Return the folder with the package, which is fetched the first time."""
    modules = _FOLDER / "node_modules"
    if modules.exists():
        return modules
    if not has_program("node", "npm")():
        pytest.skip("not there: the Forward server of the tests; on Debian, as root: apt-get install nodejs npm")
    unfinished = _FOLDER.with_name(f"{_FOLDER.name}.{os.getpid()}")
    command = ["npm", "install", "--prefix", str(unfinished), "--no-save", "--no-package-lock", "--ignore-scripts"]
    unfinished.mkdir(parents=True)
    try:
        subprocess.run([*command, "--no-audit", "--no-fund", _PACKAGE], check=True, capture_output=True, timeout=600)
        with contextlib.suppress(OSError):  # another process has been quicker
            unfinished.rename(_FOLDER)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return modules


class ForwardServer:
    """One server process; it acknowledges chunks before it hands on their entries."""

    def __init__(self, **options: Any) -> None:
        self._held = HeldPort()
        self._options: dict[str, Any] = {"listenOptions": {"host": "127.0.0.1", "port": self._held.number}, **options}
        self.entries: list[dict[str, Any]] = []
        """What it took in: tag, time and record; a time with nanoseconds as a pair."""
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it, always at the same port."""
        environment = os.environ | {"NODE_PATH": str(_modules())}
        command = ["node", str(_SCRIPT), json.dumps(self._options)]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"] or 0
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def _read(self, output: Any) -> None:
        for line in output:
            self.entries.append(json.loads(line))

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many entries, and give all."""
        wait_until(lambda: len(self.entries) >= count, f"{count} entries")
        return self.entries

    def freeze(self) -> None:
        """Stop it with SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._reader is not None:
            self._reader.join()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._held.release()

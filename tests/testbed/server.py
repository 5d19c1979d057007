"""The server process under test: started for real, and ended in every way that a process can end."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.testbed.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
_SAFETY_NET = 120.0  # seconds; a machine may be very busy


class ServerError(Exception):
    """The server did not do what a process must: start, or end."""


class Server:
    """``peavey serve`` on folders of its own below ``folder``, its data beneath the logging one as in the plugin.

    ``environment``: variables besides those that every test needs; may be changed between ``kill`` and ``start``.
    ``source``: the folder in which the package lies.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None, source: Path = REPOSITORY) -> None:
        self.socket = folder / "peavey.sock"
        self.logging_folder = folder / "logging"
        self.data = self.logging_folder / "peavey"
        self.environment = dict(environment or {})
        self.source = source
        self.exit_code: int | None = None
        self._log_file = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.logging_folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def log(self) -> str:
        """Everything that it printed, since the first start."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running().pid

    @property
    def resident_bytes(self) -> int:
        """Memory that the process holds, without pages that it shares with files."""
        status = Path(f"/proc/{self._running().pid}/status").read_text()
        found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise ServerError("the kernel does not say how much memory the server holds")
        return int(found[1]) * 1024

    @property
    def open_files(self) -> int:
        """How many file descriptors it holds."""
        return len(os.listdir(f"/proc/{self._running().pid}/fd"))

    @property
    def delivering(self) -> set[int]:
        """The processes that deliver what is in its data folder, also when it has ended before them."""
        setting = f"PEAVEY_DATA={self.data}".encode()
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                delivers = b"\0deliver\0" in (folder / "cmdline").read_bytes()
                if delivers and setting in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
        return found

    def kill_delivery(self) -> None:
        """SIGKILL for the processes that deliver now."""
        pids = self.delivering
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not pids & self.delivering, "delivery has ended")

    def start(self) -> None:
        """Start it and wait until it takes connections; raises ``ServerError`` if it ends instead."""
        self.launch()
        wait_until(lambda: self._answers() or not self.alive, "the server takes connections")
        if not self.alive:
            raise ServerError(f"the server ended at its start:\n{self.log}")

    def launch(self) -> None:
        """Start it and do not wait for anything."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.source,
                env=plugin_environment(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def command(self) -> list[str]:
        """The command line that starts it."""
        return [
            *(sys.executable, "-m", "plugin", "serve", "--socket", str(self.socket)),
            *("--data", str(self.data), "--logging-dir", str(self.logging_folder)),
        ]

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        process = self._running()
        process.kill()
        process.wait(_SAFETY_NET)

    def terminate(self) -> int:
        """SIGTERM; returns its exit code."""
        process = self._running()
        process.terminate()
        self.exit_code = process.wait(_SAFETY_NET)
        return self.exit_code

    def restart(self) -> None:
        """SIGKILL and a new start."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it from running for a while."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run again."""
        self._running().send_signal(signal.SIGCONT)

    def cleanup(self) -> None:
        """End it and its delivery, whatever state they are in."""
        if self.alive:
            self.kill()
        wait_until(self._is_all_gone, "it and its delivery have ended")

    def _is_all_gone(self) -> bool:
        """End what delivers; false while there is a process that was about to when the server was killed."""
        forked = [path for path in Path("/proc").glob("[0-9]*/cmdline") if self._is_own(path)]
        self.kill_delivery()
        return not forked

    def _is_own(self, command_line: Path) -> bool:
        with contextlib.suppress(OSError):
            return os.fsencode(self.socket) in command_line.read_bytes().split(b"\0")
        return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError("the server was never started")
        return self._process

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True


def plugin_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of a plugin process: none of the caller's settings, a disk that may be nearly full.

    Log-opts may name files of the whole host, such as those in the tests' folders.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PEAVEY_") and name != "LOG_LEVEL"
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", "PEAVEY_DISK_FREE": "1m", "PEAVEY_FILE_ROOTS": "/", **extra}


def run_to_end(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the plugin to its end; return what it printed."""
    return subprocess.run(
        command, cwd=REPOSITORY, env=plugin_environment({}), capture_output=True, timeout=_SAFETY_NET, check=False
    )


def refusal(command: Sequence[str]) -> str:
    """Run a command of the plugin that cannot do what it is asked for; return what it says of that."""
    done = run_to_end(command)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return said

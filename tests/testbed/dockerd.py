"""A private Docker engine: its own folders, socket, containers and images, gone without a trace at the end.

with PrivateEngine() as engine:
    engine.docker("run", "--network", "none", …)
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.testbed import leftovers

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
START_SECONDS = 120.0
STOP_SECONDS = 120.0
CLIENT_SECONDS = 300.0


class EngineError(Exception):
    """The engine did not do what it was told; the message holds the end of its log."""


def program_path() -> str:
    """Return a PATH that also holds sbin, where the engine's parts are and which a plain user's path lacks."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])


def missing_programs() -> list[str]:
    """Name the programs of the engine and its client that are not on this machine."""
    needed = ("docker", "dockerd", "containerd", "runc")
    return [name for name in needed if shutil.which(name, path=program_path()) is None]


def client_command(host: str, *arguments: str) -> list[str]:
    """Return the command line of Docker's client for the engine at `host` (such as unix:///run/docker.sock)."""
    return [shutil.which("docker", path=program_path()) or "docker", "-H", host, *arguments]


class Client:
    """Docker's command line, bound to one engine; `config` is a folder for its settings (none: the user's)."""

    def __init__(self, host: str, config: Path | None = None) -> None:
        self.host = host
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
        self.environment["PATH"] = program_path()
        if config is not None:
            self.environment["DOCKER_CONFIG"] = str(config)

    def run(
        self,
        *arguments: str,
        check: bool = True,
        timeout: float = CLIENT_SECONDS,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the client to its end; return its output, stdout and stderr apart.

        With `check`, a status other than 0 raises EngineError with what the client said. `timeout` in seconds.
        """
        done = subprocess.run(
            client_command(self.host, *arguments),
            input=b"" if stdin is None else stdin,
            capture_output=True,
            check=False,
            timeout=timeout,
            env=self.environment | dict(environment or {}),
        )
        if check and done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise EngineError(f"docker {' '.join(arguments)}: status {done.returncode}: {said}")
        return done

    def text(self, *arguments: str) -> str:
        """Run the client and give its stdout, without white space at the ends."""
        return self.run(*arguments).stdout.decode(errors="replace").strip()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the client and leave it running, its stdout and stderr on pipes, unbuffered."""
        return subprocess.Popen(
            client_command(self.host, *arguments),
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        )


class PrivateEngine:
    """A dockerd of our own, without bridge and iptables: containers use `--network none` or `host`.

    Use it as a context manager. `flags` are further flags of dockerd; registries on 127.0.0.1 are trusted
    by dockerd without any. With `live_restore`, containers outlive `stop` and `kill`, and `start` finds them again.
    """

    def __init__(self, *, live_restore: bool = True, flags: Sequence[str] = ()) -> None:
        self.live_restore = live_restore
        self.flags = tuple(flags)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # A managed plugin's socket is EXEC_ROOT/plugins/<64 digits>/peavey.sock, of at most 107 characters.
        self.exec_root = Path("/run", f"pv-{secrets.token_hex(4)}")
        self.exec_root.mkdir(mode=0o700)
        self.root = Path(tempfile.mkdtemp(prefix="peavey-engine-"))
        self.data_root = self.root / "data"
        self.log_path = self.root / "engine.log"
        self.socket = self.exec_root / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.client = Client(self.host, self.root / "client")
        self.docker = self.client.run
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the engine's log ends:\n{self.log_tail()}")
        self.close()

    @property
    def pid(self) -> int:
        """The process id of dockerd; raises EngineError when none runs."""
        if self.process is None:
            raise EngineError("the engine is not running: call start()")
        return self.process.pid

    def start(self) -> None:
        """Start dockerd on the engine's folders, also again after `stop` or `kill`, and wait until it answers."""
        command = [
            shutil.which("dockerd", path=program_path()) or "dockerd",
            f"--data-root={self.data_root}",
            f"--exec-root={self.exec_root}",
            f"--pidfile={self.exec_root / 'docker.pid'}",
            f"--host={self.host}",
            f"--cgroup-parent=/{self._cgroup_parent}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--bridge=none",
            "--iptables=false",
            *(["--live-restore"] if self.live_restore else []),
            *self.flags,
        ]
        self._forget_dead_containerd()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.client.environment,
                start_new_session=True,
            )
        self._wait_until_it_answers(self.process)

    def stop(self) -> None:
        """Stop dockerd with SIGTERM, as a service manager does; raises EngineError when it does not end."""
        process = self._take_process()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise EngineError(f"dockerd did not stop in {STOP_SECONDS:g} s:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """Kill dockerd with SIGKILL, and with it its containerd: the shims and the containers go on."""
        containerd = self._containerd()
        process = self._take_process()
        process.kill()
        process.wait()
        if containerd is not None:
            leftovers.wait_until_gone({containerd})

    def restart(self) -> None:
        """Stop dockerd and start it again on the same folders."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines of dockerd's log, without those of level info, of which there are very many."""
        if not self.log_path.exists():
            return "(no log)"
        log = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in log if " level=info " not in line][-lines:])

    def close(self) -> None:
        """End the engine with all that it runs and remove every trace; it does no harm to call it twice."""
        if self.process is not None:
            with contextlib.suppress(EngineError, subprocess.TimeoutExpired):
                self._remove_containers()
            with contextlib.suppress(EngineError):
                self.stop()
        leftovers.clear(self.exec_root, self.data_root, self._cgroup_parent)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def _cgroup_parent(self) -> str:
        """All containers of this engine have their control groups below this one, so that none is missed."""
        return self.exec_root.name

    def _remove_containers(self) -> None:
        """Let the engine itself undo what it can, so that mounts and network name spaces go the regular way."""
        if containers := self.client.text("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", *containers, check=False, timeout=30)
        if plugins := self.client.text("plugin", "ls", "--quiet").split():
            self.docker("plugin", "rm", "--force", *plugins, check=False, timeout=30)

    def _forget_dead_containerd(self) -> None:
        """Remove a pid file whose process has ended: dockerd takes one that init has yet to reap for alive."""
        containerd = self._containerd()
        if containerd is not None and not leftovers.is_running(containerd):
            self._containerd_pid_file.unlink()

    @property
    def _containerd_pid_file(self) -> Path:
        return self.exec_root / "containerd/containerd.pid"

    def _containerd(self) -> int | None:
        """Read the process id of the containerd that dockerd started, which the kernel ends together with it."""
        try:
            return int(self._containerd_pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _take_process(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise EngineError("the engine is not running: call start()")
        process, self.process = self.process, None
        return process

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.socket):
            if process.poll() is not None:
                self.process = None
                raise EngineError(f"dockerd ended with status {process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGKILL)
                process.wait()
                self.process = None
                raise EngineError(f"dockerd did not answer within {START_SECONDS:g} s:\n{self.log_tail()}")
            time.sleep(0.05)


def answers(path: Path) -> bool:
    """Return whether an engine answers a ping at this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False

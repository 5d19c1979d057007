"""A managed plugin under a private engine: what an operator does with it, and a look at its process."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.dockerd import Client, PrivateEngine
from tests.testbed.waiting import wait_until

_STARTING = 10.0  # seconds


@dataclass(frozen=True)
class ManagedPlugin:
    """An installed plugin; `name` is what follows `--log-driver`, with a tag other than `latest` if it has one."""

    engine: PrivateEngine
    name: str

    @property
    def client(self) -> Client:
        """The command line of its engine."""
        return self.engine.client

    @property
    def enabled(self) -> bool:
        """Whether the engine has it enabled."""
        return self.inspect("{{.Enabled}}") == "true"

    @property
    def log(self) -> str:
        """What all the engine's plugins have printed: lines of the engine's log."""
        return "\n".join(line for line in self.engine.log_tail(100_000).splitlines() if " plugin=" in line)

    @property
    def pid(self) -> int:
        """The process id, on the host, of the plugin's main process; raises OSError when it does not run."""
        tasks = self.engine.exec_root / "containerd/daemon/io.containerd.runtime.v2.task/plugins.moby"
        return int((tasks / self.inspect("{{.ID}}") / "init.pid").read_text(encoding="utf-8"))

    @property
    def root(self) -> Path:
        """The file system as the plugin's process sees it, mounts included."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the plugin's process."""
        entries = Path(f"/proc/{self.pid}/environ").read_text(encoding="utf-8").split("\0")
        return dict(entry.split("=", 1) for entry in entries if entry)

    def inspect(self, template: str) -> str:
        """Return what `docker plugin inspect` says, through a Go template."""
        return self.client.text("plugin", "inspect", self.name, "--format", template)

    def disable(self) -> None:
        """Disable it, though containers use it."""
        self.client.run("plugin", "disable", "--force", self.name)

    def enable(self) -> None:
        """Enable it, as our Makefile does."""
        self.client.run("plugin", "enable", "--timeout", "0", self.name)

    def set(self, *settings: str) -> subprocess.CompletedProcess[bytes]:
        """Try to change settings, given as name=value."""
        return self.client.run("plugin", "set", self.name, *settings, check=False)

    def kill(self) -> None:
        """SIGKILL its main process, and wait until the engine has started another.

        Not while the engine is still starting it: for some ten seconds it tries to connect (``pluginPostStart`` in
        moby's ``plugin/manager_linux.go``), and disables for good a plugin that dies meanwhile.
        """
        killed = self.pid
        wait_until(lambda: _age(killed) > _STARTING, "the engine has done with starting the plugin")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: self._runs_other_than(killed), "the engine has started the plugin again")

    def _runs_other_than(self, pid: int) -> bool:
        try:
            return self.pid != pid and bool(os.readlink(f"/proc/{self.pid}/exe"))
        except OSError:
            return False


def _age(pid: int) -> float:
    """Return for how many seconds a process has run."""
    started = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    return uptime - started / os.sysconf("SC_CLK_TCK")


def variant(plugin: Path, folder: Path, description: str) -> Path:
    """Make another version of a plugin, given as the folder of config.json and rootfs; return its folder.

    It can be told by its description. The file system differs too, since an engine refuses to create two plugins
    with the same content.
    """
    shutil.copytree(plugin, folder, symlinks=True, copy_function=os.link)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config | {"description": description}), encoding="utf-8")
    (folder / "rootfs/variant").write_text(description, encoding="utf-8")
    return folder


def counting(lines: int) -> str:
    """Return a shell script that prints `line 1` and so on, at most some 10,000 lines a second."""
    return f'seq {lines} | while read -r n; do echo "line $n"; case $n in *00) sleep 0.01;; esac; done'


def counted(lines: int) -> list[bytes]:
    """Return what that script prints, line by line."""
    return [f"line {number}".encode() for number in range(1, lines + 1)]


COUNTING_UNTIL_STOPPED = """
trap stop=1 TERM
while [ -z "$stop" ]; do
    n=$((n + 1)); echo "line $n"
    case $n in *00) sleep 0.01;; esac
done
echo "end $n"
"""
"""A shell script like that of `counting`, but until SIGTERM; its last line says how many there are."""


def missing_lines(output: bytes) -> str:
    """Return what is wrong with the output of that script: an empty text when every line is there, once, in order."""
    *lines, end = output.splitlines()
    if not end.startswith(b"end "):
        return f"the end is missing; the last line is {end!r}"
    wanted = counted(int(end.removeprefix(b"end ")))
    if lines == wanted:
        return ""
    first = next((n for n, (line, want) in enumerate(zip(lines, wanted, strict=False)) if line != want), len(lines))
    return f"{len(lines)} of {len(wanted)} lines are there; the first difference is at {lines[first : first + 1]}"

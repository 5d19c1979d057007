"""Clears away what an engine leaves when it was killed: processes, mounts, control groups, shim sockets.

All of it is found by the engine's own folders and names, so nothing of another engine is touched.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def clear(exec_root: Path, data_root: Path, cgroup_parent: str) -> None:
    """End and remove everything that belongs to the engine with these folders; the folders go too."""
    ids = _container_ids(exec_root, data_root)
    shim_sockets = [text.removeprefix("unix://") for text in _bundle_files(exec_root, "address")]
    _kill(_engine_processes(exec_root), _cgroup_processes(cgroup_parent, ids))
    for address in shim_sockets:
        if address.startswith("/"):
            Path(address).unlink(missing_ok=True)
    _unmount(exec_root, data_root)
    _remove_cgroups(cgroup_parent, ids)
    shutil.rmtree(exec_root, ignore_errors=True)
    shutil.rmtree(data_root, ignore_errors=True)


def wait_until_gone(pids: set[int], seconds: float = 120.0) -> None:
    """Wait until none of these processes runs any more; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while alive := {pid for pid in pids if is_running(pid)}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(alive)} did not end within {seconds:g} s of SIGKILL")
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _bundle_files(exec_root: Path, name: str) -> list[str]:
    """Read one file of each container's bundle, where containerd's shims keep their state."""
    tasks = exec_root / "containerd/daemon/io.containerd.runtime.v2.task"
    found = []
    for path in tasks.glob(f"*/*/{name}"):
        with contextlib.suppress(FileNotFoundError):  # the bundle of a container that has just ended
            found.append(path.read_text(encoding="utf-8").strip())
    return found


def _container_ids(exec_root: Path, data_root: Path) -> set[str]:
    """Name the containers and managed plugins: both have control groups called by their ids."""
    folders = [
        *(data_root / "containers").glob("*"),
        *(data_root / "plugins").glob("*"),
        *(exec_root / "containerd/daemon/io.containerd.runtime.v2.task").glob("*/*"),
    ]
    return {folder.name for folder in folders if len(folder.name) == 64}


def _engine_processes(exec_root: Path) -> set[int]:
    """Find containerd and the shims by the exec-root on their command lines, and all that they started."""
    own = str(exec_root).encode() + b"/"
    roots = {pid for pid, arguments in _command_lines() if own in arguments}
    roots.update(int(text) for text in _bundle_files(exec_root, "init.pid") if text.isdigit())
    roots.discard(os.getpid())
    found: set[int] = set()
    while roots:
        pid = roots.pop()
        if pid not in found:
            found.add(pid)
            roots.update(_children(pid))
    return found


def _command_lines() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            arguments = path.read_bytes()
            program = arguments.partition(b"\0")[0].rpartition(b"/")[2]
            if program.startswith((b"dockerd", b"containerd")):
                yield int(path.parent.name), arguments


def _children(pid: int) -> set[int]:
    children: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children.update(int(child) for child in path.read_text(encoding="utf-8").split())
    return children


def _cgroup_folders(parent: str, ids: set[str]) -> list[Path]:
    """List the engine's control groups in every hierarchy (version 1 has several, 2 has one), deepest first."""
    names = {parent, *ids}
    hierarchies = [CGROUPS, *CGROUPS.glob("*/")]
    tops = [hierarchy / name for hierarchy in hierarchies for name in names]
    folders = [Path(folder) for top in tops for folder, _, _ in os.walk(top)]
    return sorted(set(folders), key=lambda folder: len(folder.parts), reverse=True)


def _cgroup_processes(parent: str, ids: set[str]) -> set[int]:
    found: set[int] = set()
    for folder in _cgroup_folders(parent, ids):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text(encoding="utf-8").split())
    return found


def _remove_cgroups(parent: str, ids: set[str]) -> None:
    for folder in _cgroup_folders(parent, ids):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _kill(*groups: set[int]) -> None:
    pids = set().union(*groups)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until_gone(pids)


def _unmount(*roots: Path) -> None:
    """Unmount everything at or below these folders, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    for point in reversed(points):
        if any(point.is_relative_to(root) for root in roots):
            subprocess.run(["umount", "--lazy", str(point)], check=False, capture_output=True)

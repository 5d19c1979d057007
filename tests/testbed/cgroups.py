"""Control groups with little memory, of either version, where this machine lets us make them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.waiting import wait_until

_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A group whose processes may use so many bytes of memory, the files that they read and write included."""

    def __init__(self, folder: Path, *, unified: bool) -> None:
        self.folder = folder
        self._unified = unified

    def limit(self, size: int) -> None:
        """Let the kernel end a process of the group rather than give the group more."""
        (self.folder / ("memory.max" if self._unified else "memory.limit_in_bytes")).write_text(str(size))

    def command(self, command: list[str]) -> list[str]:
        """Return a command line that runs another one, with all that it starts, in the group."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    @property
    def kills(self) -> int:
        """How many processes the kernel has ended because they needed more."""
        name = "memory.events" if self._unified else "memory.oom_control"
        counts = dict(line.split() for line in (self.folder / name).read_text().splitlines())
        return int(counts["oom_kill"])


def memory_groups_exist() -> bool:
    """Return whether groups that limit memory can be made here."""
    return _parent() is not None


@contextmanager
def memory_group(size: int) -> Iterator[MemoryGroup]:
    """Make a group of so many bytes, and remove it once its processes have ended."""
    parent = _parent()
    assert parent is not None
    folder = Path(tempfile.mkdtemp(prefix="peavey-test-", dir=parent))
    try:
        group = MemoryGroup(folder, unified=(folder / "memory.max").exists())
        group.limit(size)
        yield group
    finally:
        wait_until(lambda: _removed(folder), "the processes of the group have ended")


def _parent() -> Path | None:
    """Return a group in which others can be made that limit memory; None if there is none."""
    for parent in (_ROOT / "memory", _ROOT):
        if not (parent / "cgroup.procs").exists() or not os.access(parent, os.W_OK):
            continue
        try:
            probe = Path(tempfile.mkdtemp(prefix="peavey-test-", dir=parent))
        except OSError:
            continue
        names = ("memory.max", "memory.limit_in_bytes")
        limits = any((probe / name).exists() and os.access(probe / name, os.W_OK) for name in names)
        probe.rmdir()
        if limits:
            return parent
    return None


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True

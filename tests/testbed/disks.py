"""Small disks, and how they get full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testbed.waiting import wait_until

MEBIBYTE = 1 << 20
DISK = 16 * MEBIBYTE


@contextmanager
def mounted(disk: Path) -> Iterator[Path]:
    """Mount a small disk of its own at a folder, which is made."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts a small disk")
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        wait_until(lambda: unmount(disk), "no process that is being killed has files of the disk open any more")


def unmount(disk: Path) -> bool:
    """Unmount a disk; false while it is busy."""
    return subprocess.run(["umount", str(disk)], check=False).returncode == 0


def fill(disk: Path) -> Path:
    """Fill the disk to the last byte, as another program would."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65_536):
                pass
        except OSError:
            pass
    return filler

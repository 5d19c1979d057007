"""A container that prints when it prints: the time of the kernel's monotonic clock, in nanoseconds, line after line.

busybox knows no nanoseconds, so the container runs the host's Python, in the host's folders, which it can only read.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.testbed.containers import Container, Containers

_ROOT = "/host"
_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc")
_PROGRAM = """\
import os, random, sys, time
lines, pause, wait = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
time.sleep(wait)
for _ in range(lines):
    os.write(1, b"%d\\n" % time.monotonic_ns())
    time.sleep(pause * random.uniform(0.5, 1.5))
"""


def ticking_container(
    containers: Containers, options: Mapping[str, str], *, lines: int, pause: float, wait: float
) -> Container:
    """Start a container that waits and then prints so many lines, with a pause between them; both in seconds.

    The pauses vary around ``pause``, so that nothing that is done at intervals always meets lines at the same place.
    """
    python = Path(sys.executable).resolve()
    folders = sorted(filter(os.path.isdir, outermost({*_FOLDERS, sys.base_prefix, str(python.parent)})))
    return containers.run(
        *("chroot", _ROOT, str(python), "-ISc", _PROGRAM, str(lines), str(pause), str(wait)),
        options=options,
        flags=[
            f"--volume={folder}:{_ROOT}{folder}:ro" for folder in sorted(outermost(folders)) if os.path.isdir(folder)
        ],
    )


def outermost(folders: Iterable[str]) -> set[str]:
    """Leave out the folders that lie in another one."""
    given = set(folders)
    return {folder for folder in given if not any(Path(other) in Path(folder).parents for other in given)}

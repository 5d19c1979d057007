"""Switching faults on and off in processes that run with the shim, ``faultfs.c``, in front of the C library."""

import mmap
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import pytest

from tests.testbed.host import has_program

_SOURCE = Path(__file__).with_name("faultfs.c")
_COUNT = struct.Struct("=I60x")
_RULE = struct.Struct("=IiqQQ288s")
_ACTIVE = struct.Struct("=I")
_HITS = struct.Struct("=Q")
_HITS_AT = 16
_MOST_RULES = 256
_FOR_EVER = -1


class Operation(IntEnum):
    """What a process asks of the file system; the values are the shim's."""

    OPEN = 0
    READ = 1
    WRITE = 2
    RENAME = 3
    UNLINK = 4
    FSYNC = 5
    STATVFS = 6
    STAT = 7
    MKDIR = 8
    LIST = 9
    TRUNCATE = 10
    ALLOCATE = 11
    LOCK = 12


@dataclass
class Fault:
    """A rule of the shim, which is in force until ``end``."""

    _rules: mmap.mmap = field(repr=False)
    _place: int

    @property
    def hits(self) -> int:
        """How many calls it has answered."""
        found: int = _HITS.unpack_from(self._rules, self._place + _HITS_AT)[0]
        return found

    def end(self) -> None:
        """Let calls through again."""
        _ACTIVE.pack_into(self._rules, self._place, 0)


class Faults:
    """The faults of the processes that have ``environment``; ``folder`` is for the shim and its rules."""

    def __init__(self, folder: Path) -> None:
        path = folder / "faultfs.rules"
        with path.open("wb+") as file:
            file.truncate(_COUNT.size + _MOST_RULES * _RULE.size)
            self._rules = mmap.mmap(file.fileno(), 0)
        self._count = 0
        self.environment = {"LD_PRELOAD": str(compiled(folder)), "FAULTFS_RULES": str(path)}

    def begin(self, pattern: str | Path, *operations: Operation, number: int, times: int = _FOR_EVER) -> Fault:
        """Have these operations on the files whose absolute path fits a pattern fail with an error number.

        The pattern is fnmatch's, with a ``*`` that goes across slashes. ``times``: how many calls fail, by default all.
        A rename counts for both of its names, and what the kernel moves for the file it reads and the one it writes.
        """
        bits = sum(1 << operation for operation in set(operations))
        place = _COUNT.size + self._count * _RULE.size
        content = os.fsencode(pattern)
        assert len(content) < 288, "a pattern that is too long"
        _RULE.pack_into(self._rules, place, 0, number, times, 0, bits, content)
        _ACTIVE.pack_into(self._rules, place, 1)
        self._count += 1
        _COUNT.pack_into(self._rules, 0, self._count)
        return Fault(self._rules, place)

    @contextmanager
    def fault(
        self, pattern: str | Path, *operations: Operation, number: int, times: int = _FOR_EVER
    ) -> Iterator[Fault]:
        """Do the same for the length of a block."""
        begun = self.begin(pattern, *operations, number=number, times=times)
        try:
            yield begun
        finally:
            begun.end()

    def end_all(self) -> None:
        """End all faults, and forget them."""
        self._count = 0
        _COUNT.pack_into(self._rules, 0, 0)


def compiled(folder: Path) -> Path:
    """Compile the shim into a folder; skips the test where there is no compiler."""
    compiler = os.environ.get("CC", "cc")
    if not has_program(compiler)():
        pytest.skip("needs a C compiler: it makes a shim of the file system")
    library = folder / "faultfs.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library

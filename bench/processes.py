"""CPU time and memory of processes, from /proc."""

import contextlib
import os
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_KILOBYTE = 1024
_STAT = re.compile(r"^\d+ \(.*\) ", re.DOTALL)  # a program's name may hold anything, parentheses too
_UTIME = 11
_CHILDREN = 2  # cutime and cstime, behind utime and stime
_RESET_PEAK = "5"  # see clear_refs in proc(5)
_CPUCLOCK_SCHED = 2  # of the kernel's posix-timers.h


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """Return the CPU time that a process has used, in user and in kernel mode, all its threads together.

    `with_ended_children` adds that of children which have ended and were waited for, and of theirs. The kernel's
    clock for this ticks every 10 ms. Raises FileNotFoundError or ProcessLookupError when there is no such process.
    """
    fields = _STAT.sub("", Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")).split()
    last = _UTIME + 2 + (_CHILDREN if with_ended_children else 0)
    return sum(map(int, fields[_UTIME:last])) / _TICKS


def cpu_clock(pid: int) -> float:
    """Read a process's own clock, which gives the same to the nanosecond (clock_getcpuclockid(3)).

    Raises OSError when there is no such process.
    """
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had resident, since its start or since `reset_peak`."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM")


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has resident, what it shares with others included."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS")


def proportional_bytes(pid: int) -> int:
    """Return the memory that a process has resident, of what it shares with others its part (PSS)."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def context_switches(pid: int) -> int:
    """Count how often the threads of a process went to sleep of their own accord: each was woken up as often."""
    return sum(_number(status, "voluntary_ctxt_switches") for status in Path(f"/proc/{pid}/task").glob("[0-9]*/status"))


def reset_peak(pid: int) -> None:
    """Let `peak_bytes` start over, from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK, encoding="utf-8")


def children(pid: int) -> set[int]:
    """Return the running processes that a process has started."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, path.read_text(encoding="utf-8").split()))
    return found


@dataclass(frozen=True)
class Usage:
    """What processes used, all together: CPU in seconds, the sum of their memory's peaks in bytes."""

    cpu: float
    peak: int


class Watch:
    """Watches processes from its making on; all of them must live until `usage` was asked for."""

    def __init__(self, pids: Collection[int]) -> None:
        self._begun = {pid: cpu_seconds(pid) for pid in pids}
        for pid in pids:
            reset_peak(pid)

    @classmethod
    def of(cls, *pids: int) -> Self:
        """Watch these."""
        return cls(pids)

    def usage(self) -> Usage:
        """Return what they have used until now."""
        return Usage(
            cpu=sum(cpu_seconds(pid) - begun for pid, begun in self._begun.items()),
            peak=sum(map(peak_bytes, self._begun)),
        )


def _kilobytes(path: Path, name: str) -> int:
    return _number(path, name) * _KILOBYTE


def _number(path: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"no {name} in {path}")
    return int(found[1])

"""What processes use while nothing happens: processor time, wake-ups, memory."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.processes import context_switches, cpu_clock, proportional_bytes, resident_bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """Of one process: percent of a processor, wake-ups in a second, and bytes of memory.

    ``pss`` counts what it shares with other processes in parts, ``rss`` in full.
    """

    cpu: float
    wakeups: float
    pss: int
    rss: int


def watch_idle(pids: Sequence[int], seconds: float) -> Mapping[int, Idle]:
    """Look at processes, do nothing for a while, and look again."""
    before = {pid: (cpu_clock(pid), context_switches(pid)) for pid in pids}
    begun = time.monotonic()
    time.sleep(seconds)
    found = {}
    for pid, (cpu, switches) in before.items():
        used, woken = cpu_clock(pid) - cpu, context_switches(pid) - switches
        elapsed = time.monotonic() - begun
        memory = proportional_bytes(pid), resident_bytes(pid)
        found[pid] = Idle(100 * used / elapsed, woken / elapsed, *memory)
    return found

"""What processes use while nothing happens: processor time, wake-ups, memory."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.processes import context_switches, cpu_clock, proportional_bytes, resident_bytes
from bench.results import Recorder, Result
from bench.tables import middle

LONG = 31.0
"""Seconds in which all comes up that is done from time to time: the housekeeper lists the journals each 30 s."""

CPU = "cpu"
MEMORY = "memory (PSS)"
IDLE_COLUMNS = ("serve, CPU %", "deliver, CPU %", "serve, wake-ups/s", "deliver, wake-ups/s", "memory (PSS), MB")
_PROCESSES = ("serve", "deliver")
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Idle:
    """Of one process: percent of a processor, wake-ups in a second, and bytes of memory.

    ``pss`` counts what it shares with other processes in parts, ``rss`` in full.
    """

    cpu: float
    wakeups: float
    pss: int
    rss: int


class EndedError(Exception):
    """A process ended while it was watched."""


def watch_idle(pids: Sequence[int], seconds: float) -> Mapping[int, Idle]:
    """Look at processes, do nothing for a while, and look again; raises ``EndedError``."""
    before = {pid: (cpu_clock(pid), context_switches(pid)) for pid in pids}
    begun = time.monotonic()
    time.sleep(seconds)
    found = {}
    for pid, (cpu, switches) in before.items():
        try:
            used, woken = cpu_clock(pid) - cpu, context_switches(pid) - switches
            elapsed = time.monotonic() - begun
            memory = proportional_bytes(pid), resident_bytes(pid)
        except OSError as error:
            raise EndedError(f"process {pid} ended while nothing happened") from error
        found[pid] = Idle(100 * used / elapsed, woken / elapsed, *memory)
    return found


def record_idle(recorder: Recorder, subject: str, found: Sequence[Idle]) -> None:
    """Note what the process that serves, which is the first one, and the one that delivers have used."""
    for process, idle in zip(_PROCESSES, found, strict=False):
        recorder.add(subject, f"{process} {CPU}", "%", idle.cpu)
        recorder.add(subject, f"{process} wake-ups", "1/s", idle.wakeups)
        recorder.add(subject, f"{process} memory (RSS)", "MB", idle.rss / _MEGABYTE)
    recorder.add(subject, CPU, "%", sum(idle.cpu for idle in found))
    recorder.add(subject, MEMORY, "MB", sum(idle.pss for idle in found) / _MEGABYTE)


def idle_figures(result: Result, subject: str) -> tuple[str, ...]:
    """Write what was noted, for the columns `IDLE_COLUMNS`."""
    metrics = (*(f"{process} {what}" for what in (CPU, "wake-ups") for process in _PROCESSES), MEMORY)
    return tuple(middle(result.find(subject, metric)) for metric in metrics)

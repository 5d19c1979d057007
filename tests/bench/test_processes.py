"""CPU time and memory of processes."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.processes import (
    Watch,
    children,
    context_switches,
    cpu_seconds,
    peak_bytes,
    proportional_bytes,
    reset_peak,
    resident_bytes,
)

MEGABYTE = 1 << 20
TICKS = 0.025  # seconds; the kernel leaves out less than a tick of 0.01 of each, user's and system's time
# Says when it is ready, then does what each line asks for, and says when it has.
PROGRAM = """
import sys, time
print(flush=True)
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""


class Process:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.pid = self._process.pid
        self._answer()

    def do(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._answer()

    def end(self) -> None:
        self._process.communicate()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "\n"


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.end()


BURN = "end = time.process_time() + 0.1\nwhile time.process_time() < end: pass"


def test_cpu_time_is_counted(process: Process) -> None:
    before = cpu_seconds(process.pid)
    process.do(f"exec({BURN!r})")
    assert cpu_seconds(process.pid) - before >= 0.1 - TICKS


def test_cpu_time_of_ended_children_is_counted_if_wanted(process: Process) -> None:
    child = "import time\n" + BURN
    process.do(f"import subprocess; subprocess.run([sys.executable, '-c', {child!r}])")
    assert cpu_seconds(process.pid, with_ended_children=True) - cpu_seconds(process.pid) >= 0.1 - TICKS


def test_the_peak_is_remembered_until_it_is_reset(process: Process) -> None:
    before = resident_bytes(process.pid)
    process.do(f"b'x' * {50 * MEGABYTE}; None")
    assert peak_bytes(process.pid) >= before + 45 * MEGABYTE
    reset_peak(process.pid)
    assert peak_bytes(process.pid) < before + 40 * MEGABYTE


def test_shared_memory_counts_in_part(process: Process) -> None:
    assert 0 < proportional_bytes(process.pid) <= resident_bytes(process.pid)


def test_going_to_sleep_is_counted(process: Process) -> None:
    before = context_switches(process.pid)
    process.do("[time.sleep(0.001) for _ in range(20)]")
    assert context_switches(process.pid) >= before + 20


def test_children_are_found(process: Process) -> None:
    assert process.pid in children(os.getpid())


def test_a_watch_adds_up_processes_from_when_it_began(process: Process) -> None:
    process.do(f"exec({BURN!r})")
    process.do(f"b'x' * {50 * MEGABYTE}; None")
    other = Process()
    watch = Watch.of(process.pid, other.pid)
    process.do(f"exec({BURN!r})")
    other.do(f"exec({BURN!r})")
    usage = watch.usage()
    assert 0.2 - 2 * TICKS <= usage.cpu < 10
    resident = resident_bytes(process.pid) + resident_bytes(other.pid)
    assert resident - MEGABYTE <= usage.peak < resident + 40 * MEGABYTE
    other.end()


def test_no_such_process() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises((FileNotFoundError, ProcessLookupError)):
        cpu_seconds(ended.pid)

"""How long it takes until containers that are there go where a changed file of profiles says, and what that costs."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.attached import AttachedStreams
from bench.benchmark import Benchmark, Run
from bench.delivering import log_options
from bench.goals import Goal
from bench.lines import numbered_line
from bench.machine import PACKAGE_FOLDER
from bench.receiver import LinesMissingError, Receiver
from bench.results import Result, ratio
from bench.tables import Table, spread
from bench.unix_http import UnixHttp
from plugin.commands.rlimits import raise_file_limit
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import Server
from tests.testbed.standin import Fifo
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, encode

CONTAINERS = 1_000
QUICK_CONTAINERS = 50
ROUNDS = 5
_PROFILE = "standard"
_FOLLOWED, _BEFORE, _MEANWHILE = "all follow after", "before", "meanwhile"
_LOOK_EVERY = 0.02
_LINES_AT_ONCE = 256
_WINDOW = 2.0
_PATIENCE = 120.0


class Flood:
    """One container that prints as fast as intake takes it, so that what slows intake down shows."""

    def __init__(self, fifo: Fifo) -> None:
        self._fifo = fifo
        line = numbered_line(0).replace(b"peavey-bench", b"another-mark")
        self._entries = b"".join(encode(LogEntry("stdout", time.time_ns(), line)) for _ in range(_LINES_AT_ONCE))
        self._written = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin to print."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop printing."""
        self._ended.set()
        self._thread.join()

    def rate(self, seconds: float) -> float:
        """Return how many bytes a second were taken in that time, from now on."""
        before, began = self._written, time.monotonic()
        time.sleep(seconds)
        return (self._written - before) / (time.monotonic() - began)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._fifo.write(self._entries)
            self._written += len(self._entries)


class Following:
    """Watches until delivery has begun to read each container's journal for the sink; ``seconds`` is 0 until then."""

    def __init__(self, containers: Path, count: int) -> None:
        self._folders = [folder for folder in containers.iterdir() if not folder.name.startswith(".")][:count]
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seconds = 0.0

    def restart(self) -> None:
        """Count the time from now on."""
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until they do."""
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        waiting = [folder / "cursors" / f"{_PROFILE}.loki.msgpack" for folder in self._folders]
        while waiting and time.monotonic() < self._began + _PATIENCE:
            time.sleep(_LOOK_EVERY)
            while waiting and waiting[-1].exists():
                waiting.pop()
        self.seconds = time.monotonic() - self._began


def measure(run: Run) -> None:
    """Change the file while another container floods, then have each of them print a line."""
    raise_file_limit()
    containers, rounds = (QUICK_CONTAINERS, 1) if run.quick else (CONTAINERS, ROUNDS)
    for number in range(rounds):
        seconds = _measure(run, containers)
        run.say(f"{containers:,} containers, round {number + 1} of {rounds}: {seconds:.2f} s")


def _measure(run: Run, containers: int) -> float:
    """Measure once; return in how many seconds all have followed."""
    subject = f"{containers:,} containers"
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver("loki"))
        folder = stack.enter_context(short_folder())
        file = folder / "peavey.yaml"
        file.write_text("", encoding="utf-8")
        server = Server(folder, {"PEAVEY_CONFIG": str(file)}, PACKAGE_FOLDER)
        stack.callback(server.cleanup)
        server.start()
        streams, flooding = (
            AttachedStreams(server, stack.enter_context(UnixHttp(server.socket)), options)
            for options in ({"max-size": "1m"}, {"sink": "", "max-size": "1g"})
        )
        for attached in (streams, flooding):
            stack.callback(attached.close)
        streams.grow(containers)
        wait_until(lambda: len(list((server.data / "containers").iterdir())) >= containers, "they have printed")
        following = Following(server.data / "containers", containers)
        flooding.grow(1)
        flood = stack.enter_context(Flood(flooding.fifos[0]))
        flood.rate(_WINDOW)
        before = flood.rate(_WINDOW)
        options = log_options("loki", receiver.port, folder)
        changed = folder / "changed.yaml"
        changed.write_text(json.dumps({"profiles": {_PROFILE: options}, "routes": [{"use": [_PROFILE]}]}))
        following.restart()
        changed.replace(file)
        with following:
            meanwhile = flood.rate(_WINDOW)
        for fifo in streams.fifos:
            fifo.write(encode(LogEntry("stdout", time.time_ns(), numbered_line(0))))
        try:
            receiver.wait_for(containers, _PATIENCE)
        except LinesMissingError as error:
            run.recorder.fault(f"{subject}: {error}; the server's log ends:\n{server.log[-2000:]}")
        run.recorder.add(subject, _FOLLOWED, "s", following.seconds)
        run.recorder.add(subject, _BEFORE, "MB/s", before / 1e6)
        run.recorder.add(subject, _MEANWHILE, "MB/s", meanwhile / 1e6)
        return following.seconds


def tables(result: Result) -> Sequence[Table]:
    """Show how long it took, and how much one container could print before and meanwhile."""
    columns = (_FOLLOWED, _BEFORE, _MEANWHILE)
    return (
        Table(
            "rerouting",
            "From the change of the file until each container's journal is read for the new sink, in seconds; and how"
            f" much another container prints, in MB/s, before and in the {_WINDOW:g} s from the change on",
            ("containers", "follow after", "before", "meanwhile"),
            tuple(
                (subject, *(spread(result.get(subject, column)) for column in columns)) for subject in result.subjects()
            ),
        ),
    )


def goals(result: Result) -> Sequence[Goal]:
    """Aim at what the design sets as goals."""
    subject = f"{CONTAINERS:,} containers"
    followed = result.find(subject, _FOLLOWED)
    if followed is None:
        return ()
    slowed = ratio(result.get(subject, _BEFORE), result.get(subject, _MEANWHILE))
    return (
        Goal("1,000 containers follow a changed file of profiles", followed, 2.0),
        Goal("intake's rate before ÷ while they do", slowed, 1.1),
    )


REROUTING = Benchmark(
    name="rerouting",
    title="Containers that are sent elsewhere while they run",
    measure=measure,
    tables=tables,
    goals=goals,
)

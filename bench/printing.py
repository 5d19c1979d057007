"""Containers that print: how long they take with each log driver, and what that costs."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmark import Benchmark, Run
from bench.goals import Goal
from bench.plots import Bars, Plot
from bench.processes import Watch
from bench.receiver import LinesMissingError
from bench.results import Recorder, Result, Series, over, ratio, rotated
from bench.rig import CEILING, JOURNAL, JSON_FILE, LOCAL, TO_HTTP, TO_LOKI, Rig, Subject, all_drivers
from bench.tables import NOTHING, Table, beside, megabytes, middle, spread
from bench.work import Work
from tests.testbed.containers import Container, Containers

WALL = "wall"
DELIVERED = "delivered"
ENGINE, PLUGIN, DELIVERY, RECEIVER = "engine", "plugin", "delivery", "receiver"

WORKS = {
    "short": Work(1_000_000, 100),
    "long": Work(16_000, 1 << 14),
    "huge": Work(250, 1 << 20),
    "many": Work(50_000, 100, containers=20),
}
QUICK_WORKS = {
    "short": Work(50_000, 100),
    "long": Work(500, 1 << 14),
    "huge": Work(8, 1 << 20),
    "many": Work(5_000, 100, containers=2),
}

ROUNDS = {"short": 5, "long": 5, "huge": 5, "many": 5}

_PRINT_SECONDS = 600.0
_ARRIVE_SECONDS = 120.0
_STARTERS = 4
_GATE = Path("/gate/open")


def compare(run: Run) -> None:
    """Let containers print with every driver in turn, round after round."""
    works = QUICK_WORKS if run.quick else WORKS
    with all_drivers() as rig:
        for key, work in works.items():
            rounds = 1 if run.quick else ROUNDS[key]
            for number, subject in rotated(rig.subjects, rounds):
                wall = print_once(rig, subject, key, work, run.recorder)
                if not run.quick:
                    rig.settle(subject)
                run.say(f"{describe(work)}, round {number + 1} of {rounds}: {subject.name} {wall:.2f} s")


def print_once(rig: Rig, subject: Subject, key: str, work: Work, recorder: Recorder) -> float:
    """Let the work's containers print with one driver, and record what it took; return the seconds until they ended."""

    def add(metric: str, unit: str, value: float) -> None:
        recorder.add(subject.name, f"{key}/{metric}", unit, value)

    containers = rig.containers(subject)
    arrived = subject.receiver.counts.lines if subject.receiver else 0
    with _ready(containers, subject, work) as (made, let_go):
        watches = {ENGINE: Watch.of(rig.engine.pid)}
        if plugin := subject.plugin():
            watches[PLUGIN] = Watch(plugin)
        if delivery := subject.delivery():
            watches[DELIVERY] = Watch(delivery)
        if subject.receiver:
            watches[RECEIVER] = Watch.of(subject.receiver.pid)
        begun = time.monotonic()
        let_go()
        rig.engine.client.run("wait", *(container.id for container in made), timeout=_PRINT_SECONDS)
        wall = time.monotonic() - begun
        add(WALL, "s", wall)
        if subject.receiver:
            try:
                moment = subject.receiver.wait_for(arrived + work.total_lines, _ARRIVE_SECONDS)
            except LinesMissingError as error:
                recorder.fault(f"{describe(work)}, {subject.name}: {error}")
                moment = time.monotonic()
            add(DELIVERED, "s", moment - begun)
        for role, watch in watches.items():
            usage = watch.usage()
            add(f"{role} CPU", "s", usage.cpu)
            add(f"{role} memory", "bytes", usage.peak)
        if subject.kept:
            kept = sum(map(subject.kept, made))
            if kept != work.total_lines:
                recorder.fault(f"{describe(work)}, {subject.name}: {kept:,} of {work.total_lines:,} lines were kept")
    containers.remove_all()
    return wall


@contextmanager
def _ready(
    containers: Containers, subject: Subject, work: Work
) -> Iterator[tuple[list[Container], Callable[[], object]]]:
    """Make the containers, and what lets them print.

    One is only created, and started for printing, as with `docker run`. Several are started and wait at a gate, a FIFO
    that nobody has opened for writing: starting so many takes longer than what they print.
    """
    if work.containers == 1:
        made = containers.create("sh", "-c", work.script, options=subject.options)
        yield [made], made.start
        return
    with TemporaryDirectory(prefix="peavey-gate-") as folder:
        gate = Path(folder, _GATE.name)
        os.mkfifo(gate)
        script, flags = f": <{_GATE}; {work.script}", [f"--volume={folder}:{_GATE.parent}"]
        with ThreadPoolExecutor(_STARTERS) as pool:
            several = list(
                pool.map(
                    lambda _: containers.shell(script, options=subject.options, flags=flags), range(work.containers)
                )
            )
        opened: list[int] = []
        try:
            yield several, lambda: opened.append(os.open(gate, os.O_RDWR))
        finally:
            for descriptor in opened:
                os.close(descriptor)


def describe(work: Work) -> str:
    """Name the work, as a heading."""
    who = "One container prints" if work.containers == 1 else f"{work.containers} containers at once print"
    size = f"{work.line_bytes} bytes"
    for shift, unit in ((10, "KiB"), (20, "MiB")):
        if work.line_bytes >= 1 << shift:
            size = f"{work.line_bytes >> shift} {unit}"
    return f"{who} {work.lines:,} lines of {size}"


def tables(result: Result) -> Sequence[Table]:
    """For each work a table of times, and one of what they cost."""
    works = QUICK_WORKS if result.quick else WORKS
    return [
        *(
            made
            for key, work in works.items()
            for made in (times_table(result, key, work), cost_table(result, key, work))
        ),
        line_table(result, works["short"]),
    ]


def times_table(result: Result, key: str, work: Work) -> Table:
    """Wall time, as such and beside json-file and the ceiling."""

    def row(wall: Series) -> tuple[str, ...]:
        delivered = result.find(wall.subject, f"{key}/{DELIVERED}")
        return (
            wall.subject,
            spread(wall),
            middle(over(wall, work.total_lines, "lines/s")),
            *(beside(wall, result.get(other, wall.metric)) for other in (JSON_FILE, CEILING)),
            middle(delivered),
        )

    return Table(
        key,
        describe(work),
        ("driver", "wall, s", "lines/s", f"÷ {JSON_FILE}", f"÷ {CEILING}", "all arrived after, s"),
        tuple(map(row, result.metric(f"{key}/{WALL}"))),
    )


def cost_table(result: Result, key: str, work: Work) -> Table:
    """CPU time and peak memory of each process."""
    roles = (ENGINE, PLUGIN, DELIVERY)

    def row(subject: str) -> tuple[str, ...]:
        cpu = [result.find(subject, f"{key}/{role} CPU") for role in roles]
        memory = [result.find(subject, f"{key}/{role} memory") for role in roles]
        receiver = result.find(subject, f"{key}/{RECEIVER} CPU")
        return (subject, *map(middle, cpu), together(cpu), middle(receiver), *map(megabytes, memory))

    return Table(
        f"{key}-cost",
        f"{describe(work)}: CPU time and peak memory",
        (
            "driver",
            *(f"{role}, CPU s" for role in roles),
            "together, CPU s",
            "receiver, CPU s",
            *(f"{role}, MB" for role in roles),
        ),
        tuple(row(subject) for subject in result.subjects()),
    )


def line_table(result: Result, work: Work) -> Table:
    """Divide the CPU time by the lines: where the time of one goes."""
    steps = (
        ("engine: out of the container's pipe, into a log plugin's", CEILING, ENGINE),
        (f"engine: out of the container's pipe, into the file of `{JSON_FILE}`", JSON_FILE, ENGINE),
        ("Peavey's intake: out of the pipe, into the journal", JOURNAL, PLUGIN),
        ("Peavey's delivery, by HTTP", TO_HTTP, DELIVERY),
        ("Peavey's delivery, to Loki", TO_LOKI, DELIVERY),
    )

    def row(step: str, subject: str, role: str) -> tuple[str, str]:
        cpu = result.get(subject, f"short/{role} CPU")
        return step, spread(Series(subject, "", "ns", tuple(value / work.total_lines * 1e9 for value in cpu.values)))

    return Table(
        "line", f"CPU time for a line of {work.line_bytes} bytes", ("step", "ns"), tuple(row(*step) for step in steps)
    )


def together(series: Sequence[Series | None]) -> str:
    """Write the median of what several series come to, round by round."""
    there = [s.values for s in series if s is not None]
    if not there:
        return NOTHING
    return middle(Series("", "", "", tuple(map(sum, zip(*there, strict=True)))))


def plots(result: Result) -> Sequence[Plot]:
    """Draw the wall times of one container, and of many."""
    works = QUICK_WORKS if result.quick else WORKS
    return [
        Bars(key, describe(works[key]), "seconds until all had ended", tuple(result.metric(f"{key}/{WALL}")))
        for key in ("short", "many")
    ]


def goals(result: Result) -> Sequence[Goal]:
    """Return the bounds for what a container may be held up by, and for intake's share of the processor."""
    wall = f"short/{WALL}"
    intake = ratio(result.get(JOURNAL, f"short/{PLUGIN} CPU"), result.get(JOURNAL, wall))
    return [
        Goal("container's wall time, Peavey ÷ `json-file`", result.ratio(JOURNAL, JSON_FILE, wall), 0.75),
        Goal("container's wall time, Peavey ÷ `local`", result.ratio(JOURNAL, LOCAL, wall), 1.0),
        Goal(
            "container's wall time, Peavey delivering by HTTP ÷ journal alone",
            result.ratio(TO_HTTP, JOURNAL, wall),
            1.15,
        ),
        Goal("intake's CPU time ÷ container's wall time", intake, 0.10),
    ]


PRINTING = Benchmark(
    name="printing",
    title="Containers that print, with each log driver",
    measure=compare,
    tables=tables,
    plots=plots,
    goals=goals,
    needs_engine=True,
)

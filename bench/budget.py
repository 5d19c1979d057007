"""Where a line's time goes: the micro-benchmarks, on the compiled modules and on the pure ones."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from bench import shaping
from bench.benchmark import Benchmark, Run
from bench.goals import Goal
from bench.lines import LINE_SIZE
from bench.machine import PACKAGE_FOLDER, REPOSITORY, is_compiled
from bench.plots import Bars, Plot
from bench.results import Result, rotated
from bench.tables import Table, figure, spread

COMPILED, PURE = "compiled", "pure"
_NANOSECONDS = 1e9


class MicroBenchmarkError(Exception):
    """The micro-benchmarks failed; the message is the end of what pytest said."""


class _Stats(msgspec.Struct):
    median: float


class _Measured(msgspec.Struct):
    """The part that matters here of what pytest-benchmark writes for each measurement."""

    stats: _Stats
    extra_info: dict[str, Any]


class _Report(msgspec.Struct):
    benchmarks: list[_Measured]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a line's way, and the nanoseconds of processor time that it takes a line."""

    name: str
    nanoseconds: float


def measure(run: Run) -> None:
    """Run the micro-benchmarks, some times, on the compiled modules and on the pure ones in turn."""
    seconds, rounds = (0.05, 1) if run.quick else (0.5, 3)
    packages = {PURE: REPOSITORY} | ({COMPILED: PACKAGE_FOLDER} if is_compiled() else {})
    for number, (form, package) in rotated(list(packages.items()), rounds):
        run.say(f"{form} modules, round {number + 1} of {rounds}")
        try:
            for step in measure_steps(package, seconds):
                run.recorder.add(step.name, form, "ns", step.nanoseconds)
        except MicroBenchmarkError as error:
            run.recorder.fault(f"{form} modules: {error}")


def measure_steps(package: Path, seconds: float) -> Sequence[Step]:
    """Measure each step for about so many seconds, with the package in a folder. Raises ``MicroBenchmarkError``."""
    with TemporaryDirectory(prefix="peavey-bench-") as folder:
        report = Path(folder, "report.json")
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "pytest", str(REPOSITORY / "bench/micro"), "--quiet"),
                # As the project has it, but that the package is found where it is to be measured.
                *("-c", str(REPOSITORY / "pyproject.toml"), "-o", "pythonpath=", "-p", "no:cacheprovider"),
                *(f"--benchmark-json={report}", "--benchmark-timer=time.process_time"),
                *("--benchmark-min-rounds=3", f"--benchmark-max-time={seconds:g}"),
            ],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": os.pathsep.join((str(package), str(REPOSITORY)))},
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise MicroBenchmarkError(done.stdout[-2000:] + done.stderr[-2000:])
        return list(steps(report.read_bytes()))


def steps(report: bytes) -> Iterator[Step]:
    """Condense what pytest-benchmark wrote; raises msgspec.ValidationError for anything else."""
    for measured in msgspec.json.decode(report, type=_Report).benchmarks:
        info = measured.extra_info
        yield Step(info["name"], measured.stats.median / info["lines"] * _NANOSECONDS)


def tables(result: Result) -> Sequence[Table]:
    """Show the steps, what shaping costs beside them, and what is quoted of a peer."""

    def rows(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        return tuple((name, spread(result.find(name, COMPILED)), spread(result.find(name, PURE))) for name in names)

    columns = ("step", "compiled", "pure")
    return (
        Table("steps", f"Nanoseconds of CPU for a line of {LINE_SIZE} bytes", columns, rows(_steps_of(result))),
        Table(
            "shaping",
            f"Nanoseconds of CPU that shaping adds for a line of {shaping.SIZE} bytes",
            ("log-opts", *columns[1:]),
            rows(name for name in result.subjects() if name in shaping.BY_NAME),
        ),
        Table(
            "quoted",
            f"Fluent Bit, quoted: nanoseconds of CPU for a line of {LINE_SIZE} bytes, without any filter",
            ("way", "ns"),
            tuple((way, figure(cost)) for way, cost in shaping.FLUENT_BIT.items()),
        ),
    )


def goals(result: Result) -> Sequence[Goal]:
    """Aim at the lines per second that the design sets for transforms, compiled, on one processor."""
    measured = ((case, result.find(case.name, COMPILED)) for case in shaping.CASES)
    return [
        Goal(f"CPU that shaping adds for a line of {shaping.SIZE} bytes, {case.name}", series, case.cost)
        for case, series in measured
        if series is not None and case.cost is not None
    ]


def _steps_of(result: Result) -> Sequence[str]:
    return [name for name in result.subjects() if name not in shaping.BY_NAME]


def plots(result: Result) -> Sequence[Plot]:
    """Draw the steps of the compiled modules, which are those that get installed."""
    return (
        Bars(
            "steps",
            "CPU for a line of 100 bytes, step by step",
            "ns",
            tuple(series for name in _steps_of(result) if (series := result.find(name, COMPILED))),
            ours=lambda _: True,
        ),
    )


BUDGET = Benchmark(
    name="budget",
    title="Where a line's time goes",
    measure=measure,
    tables=tables,
    plots=plots,
    goals=goals,
)

"""What streams cost that are attached and print nothing, and how long attaching takes."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.attached import AttachedStreams, attached_streams
from bench.benchmark import Benchmark, Run
from bench.delivering import log_options
from bench.goals import Goal
from bench.idling import CPU, IDLE_COLUMNS, LONG, MEMORY, idle_figures, record_idle, watch_idle
from bench.percentiles import percentile
from bench.plots import Curve, Lines, Plot
from bench.receiver import Receiver
from bench.results import Recorder, Result
from bench.tables import Table, middle
from plugin.commands.rlimits import raise_file_limit

LEVELS = (0, 100, 1000)
QUICK_LEVELS = (0, 100)
WITHOUT, WITH = "no sink", "loki"
_MILLISECONDS = 1000.0
_PATIENCE = 180.0
_REQUESTS = ("activate", "start", "stop")
_PERCENTILES = (("median", 50.0), ("p99", 99.0), ("max", 100.0))


def attached_subject(sink: str, streams: int) -> str:
    """Name a server with so many streams."""
    return f"{sink}, {streams:,} streams"


def measure(run: Run) -> None:
    """Attach more and more streams to two servers, one with and one without a sink."""
    raise_file_limit()
    levels, cycles, settle, idle = (QUICK_LEVELS, 50, 1.0, 2.0) if run.quick else (LEVELS, 1000, 5.0, LONG)
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver("loki"))
        options = log_options("loki", receiver.port, Path())
        servers: dict[str, AttachedStreams] = {
            WITHOUT: stack.enter_context(attached_streams({})),
            WITH: stack.enter_context(attached_streams(options)),
        }
        for streams in servers.values():
            streams.cycle()  # with the first sink, delivery is started
        for level in levels:
            for sink, streams in servers.items():
                run.say(f"{attached_subject(sink, level)}: {cycles:,} more are attached and detached")
                streams.grow(level)
                receiver.wait_for(servers[WITH].lines, _PATIENCE)
                _record_cycles(run.recorder, attached_subject(sink, level), streams, cycles)
            receiver.wait_for(servers[WITH].lines, _PATIENCE)
            time.sleep(settle)
            run.say(f"{level:,} streams each: nothing happens for {idle:g} s")
            pids = {sink: streams.pids for sink, streams in servers.items()}
            found = watch_idle([pid for of_server in pids.values() for pid in of_server], idle)
            for sink, of_server in pids.items():
                record_idle(run.recorder, attached_subject(sink, level), [found[pid] for pid in of_server])


def _record_cycles(recorder: Recorder, subject: str, streams: AttachedStreams, count: int) -> None:
    cycles = [streams.cycle() for _ in range(count)]
    for request in _REQUESTS:
        took = [getattr(cycle, request) * _MILLISECONDS for cycle in cycles]
        for name, percent in _PERCENTILES:
            recorder.add(subject, f"{request} {name}", "ms", percentile(took, percent))


def tables(result: Result) -> Sequence[Table]:
    """Show latencies, and the cost of doing nothing."""
    subjects = result.subjects()
    return (_requests_table(result, subjects), _idle_table(result, subjects))


def _requests_table(result: Result, subjects: Sequence[str]) -> Table:
    names = {"start": "StartLogging", "stop": "StopLogging", "activate": "nothing"}
    return Table(
        "requests",
        "What the engine waits for, with so many streams attached, beside a request that does nothing: milliseconds",
        ("streams", *(f"{name}, {percent}" for name in names.values() for percent, _ in _PERCENTILES)),
        tuple(
            (
                subject,
                *(
                    middle(result.find(subject, f"{request} {percent}"))
                    for request in names
                    for percent, _ in _PERCENTILES
                ),
            )
            for subject in subjects
        ),
    )


def _idle_table(result: Result, subjects: Sequence[str]) -> Table:
    return Table(
        "idle",
        "What streams cost that are attached while nothing happens",
        ("streams", *IDLE_COLUMNS),
        tuple((subject, *idle_figures(result, subject)) for subject in subjects),
    )


def plots(result: Result) -> Sequence[Plot]:
    """Draw what grows with the number of streams."""
    return (
        Lines(
            "cpu",
            "CPU while nothing happens",
            "streams attached",
            "% of a processor",
            _curves(result, CPU),
            logarithmic_x=True,
        ),
        Lines(
            "start",
            "StartLogging, 99th percentile",
            "streams attached",
            "ms",
            _curves(result, "start p99"),
            logarithmic_x=True,
        ),
    )


def _curves(result: Result, metric: str) -> tuple[Curve, ...]:
    return tuple(
        Curve(
            sink,
            tuple(
                (level, series) for level in LEVELS if (series := result.find(attached_subject(sink, level), metric))
            ),
        )
        for sink in (WITHOUT, WITH)
    )


def goals(result: Result) -> Sequence[Goal]:
    """Aim at what the design sets as goals, with as many streams as it names."""
    most = LEVELS[-1]
    aims = [(sink, most, "start p99", 10.0, "StartLogging, 99th percentile") for sink in (WITHOUT, WITH)]
    aims += [(WITH, 0, MEMORY, 90.0, "memory of all processes"), (WITH, most, MEMORY, 200.0, "memory of all processes")]
    return [
        Goal(f"{what}, {subject}", series, bound)
        for sink, level, metric, bound, what in aims
        if (series := result.find(subject := attached_subject(sink, level), metric))
    ]


STREAMS = Benchmark(
    name="streams",
    title="Streams that are attached",
    measure=measure,
    tables=tables,
    plots=plots,
    goals=goals,
)

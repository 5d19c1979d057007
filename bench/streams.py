"""What streams cost that are attached and print nothing, how long attaching takes, and what stopped containers cost."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.attached import AttachedStreams, attached_streams
from bench.benchmark import Benchmark, Run
from bench.delivering import log_options
from bench.goals import Goal
from bench.idling import Idle, watch_idle
from bench.journals import lend, write_journals
from bench.machine import PACKAGE_FOLDER
from bench.percentiles import percentile
from bench.plots import Curve, Lines, Plot
from bench.processes import children
from bench.receiver import Receiver
from bench.results import Recorder, Result
from bench.tables import Table, middle
from plugin.commands.open_files import raise_file_limit
from plugin.journal.folder import DataFolder
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import Server
from tests.testbed.waiting import wait_until

LEVELS = (0, 100, 1000)
QUICK_LEVELS = (0, 100)
STOPPED = (1, 1_000, 10_000)
QUICK_STOPPED = (1, 100)
WITHOUT, WITH = "no sink", "loki"
_LINES_OF_STOPPED = 10
_LONG = 31.0
"""Seconds in which all comes up that is done from time to time: the housekeeper looks at every journal each 30 s."""
_MILLISECONDS = 1000.0
_MEGABYTE = 1e6
MEMORY = "memory (PSS)"
_PATIENCE = 60.0
_REQUESTS = ("activate", "start", "stop")
_PERCENTILES = (("median", 50.0), ("p99", 99.0), ("max", 100.0))


def attached_subject(sink: str, streams: int) -> str:
    """Name a server with so many streams."""
    return f"{sink}, {streams:,} streams"


def stopped_subject(containers: int) -> str:
    """Name a server with so many containers that have ended."""
    return f"{containers:,} stopped"


def measure(run: Run) -> None:
    """Attach more and more streams to two servers, one with and one without a sink; then see stopped containers."""
    raise_file_limit()
    _measure_attached(run)
    for containers in QUICK_STOPPED if run.quick else STOPPED:
        _measure_stopped(run, containers)


def _measure_attached(run: Run) -> None:
    levels, cycles, settle, idle = (QUICK_LEVELS, 50, 1.0, 2.0) if run.quick else (LEVELS, 1000, 5.0, _LONG)
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
                _record_idle(run.recorder, attached_subject(sink, level), [found[pid] for pid in of_server])


def _record_cycles(recorder: Recorder, subject: str, streams: AttachedStreams, count: int) -> None:
    cycles = [streams.cycle() for _ in range(count)]
    for request in _REQUESTS:
        took = [getattr(cycle, request) * _MILLISECONDS for cycle in cycles]
        for name, percent in _PERCENTILES:
            recorder.add(subject, f"{request} {name}", "ms", percentile(took, percent))


def _record_idle(recorder: Recorder, subject: str, found: Sequence[Idle]) -> None:
    """Note what the serving process, the first one, and the delivering one use."""
    for process, idle in zip(("serve", "deliver"), found, strict=False):
        recorder.add(subject, f"{process} cpu", "%", idle.cpu)
        recorder.add(subject, f"{process} wakeups", "1/s", idle.wakeups)
        recorder.add(subject, f"{process} memory (RSS)", "MB", idle.rss / _MEGABYTE)
    recorder.add(subject, "cpu", "%", sum(idle.cpu for idle in found))
    recorder.add(subject, MEMORY, "MB", sum(idle.pss for idle in found) / _MEGABYTE)


def _measure_stopped(run: Run, containers: int) -> None:
    settle, idle = (1.0, 2.0) if run.quick else (10.0, _LONG)
    subject = stopped_subject(containers)
    run.say(f"{subject}: the server is started, then nothing happens for {idle:g} s")
    with TemporaryDirectory(prefix="peavey-bench-") as name, short_folder() as folder:
        server = Server(folder, source=PACKAGE_FOLDER)
        (journal,) = write_journals(Path(name, "journal"), 1, _LINES_OF_STOPPED)
        # Nobody listens there; all is delivered, and nothing is sent.
        options = log_options("loki", 9, Path())
        lend([journal] * containers, DataFolder(server.data), "loki", options, delivered=True)
        begun = time.monotonic()
        try:
            server.start()
            run.recorder.add(subject, "start", "s", time.monotonic() - begun)
            wait_until((server.data / "delivery" / "0.json").exists, "delivery has started")
            time.sleep(settle)
            pids = [server.pid, *children(server.pid)]
            found = watch_idle(pids, idle)
        finally:
            server.cleanup()
        _record_idle(run.recorder, subject, [found[pid] for pid in pids])


def tables(result: Result) -> Sequence[Table]:
    """Show latencies, and the cost of doing nothing."""
    subjects = [series.subject for series in result.metric("cpu")]
    attached = [subject for subject in subjects if result.find(subject, "start median")]
    return (
        Table(
            "requests",
            "What the engine waits for, with so many streams attached: milliseconds",
            (
                "streams",
                *(f"{name} {percent}" for name in ("StartLogging", "StopLogging") for percent, _ in _PERCENTILES),
                "a request that does nothing, median",
            ),
            tuple(
                (
                    subject,
                    *(
                        middle(result.find(subject, f"{request} {p}"))
                        for request in ("start", "stop")
                        for p, _ in _PERCENTILES
                    ),
                    middle(result.find(subject, "activate median")),
                )
                for subject in attached
            ),
        ),
        Table(
            "idle",
            "What it costs that nothing happens",
            (
                "",
                "serve, CPU %",
                "deliver, CPU %",
                "serve, wake-ups/s",
                "deliver, wake-ups/s",
                "memory of all (PSS), MB",
            ),
            tuple(
                (
                    subject,
                    middle(result.find(subject, "serve cpu")),
                    middle(result.find(subject, "deliver cpu")),
                    middle(result.find(subject, "serve wakeups")),
                    middle(result.find(subject, "deliver wakeups")),
                    middle(result.find(subject, MEMORY)),
                )
                for subject in subjects
            ),
        ),
    )


def plots(result: Result) -> Sequence[Plot]:
    """Draw what grows with the number of streams."""
    return (
        Lines(
            "cpu",
            "CPU while nothing happens",
            "streams attached",
            "% of a processor",
            _curves(result, "cpu"),
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
    title="Streams that are attached, and containers that have ended",
    measure=measure,
    tables=tables,
    plots=plots,
    goals=goals,
)

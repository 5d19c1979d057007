"""``docker logs``: all lines, the last hundred, those since a time, with each driver that can give them."""

import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.benchmark import Benchmark, Run
from bench.goals import Goal
from bench.plots import Bars, Plot
from bench.processes import Watch
from bench.results import Recorder, Result, Series, rotated
from bench.rig import CEILING, JOURNAL, JSON_FILE, LOCAL, Rig, Subject, readable_drivers
from bench.tables import Table, beside, middle, spread
from bench.work import Work
from tests.testbed.containers import Container

ROUNDS = 5
WORK = Work(1_000_000, 100)
QUICK_WORK = Work(50_000, 100)
TAIL = 100
_SINCE_SHARE = 10
_GO_ON = "; exec sleep 3600"
_PIECE = 1 << 20
_TIMESTAMP = re.compile(rb"^(\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """Flags of `docker logs` for a container, how many lines must come back, and how often a round asks for them."""

    key: str
    container: Container
    flags: tuple[str, ...]
    lines: int
    times: int = 1


def compare(run: Run) -> None:
    """Print once with each driver, then read with each in turn, round after round."""
    work, rounds = (QUICK_WORK, 2) if run.quick else (WORK, ROUNDS)
    with readable_drivers() as rig:
        asked: dict[str, list[Question]] = {}
        for subject in rig.subjects:
            asked[subject.name] = questions(rig, subject, work)
            run.say(f"{subject.name} has printed {2 * work.lines:,} lines")
        for number, subject in rotated(rig.subjects, rounds):
            for question in asked[subject.name]:
                for _ in range(question.times):
                    read_once(rig, subject, question, run.recorder)
            run.say(f"round {number + 1} of {rounds}: {subject.name}")


def questions(rig: Rig, subject: Subject, work: Work) -> list[Question]:
    """Let two containers print, of which one ends, and make the questions; the ceiling only knows last lines.

    The time is that from which on a tenth of the lines is left. More than that tenth can come back, as lines may have
    the same time: how many is counted here.
    """
    containers = rig.containers(subject)
    ended = containers.shell(work.script, options=subject.options)
    running = containers.shell(work.script + _GO_ON, options=subject.options, flags=["--stop-signal=KILL"])
    ended.wait()
    rig.settle(subject)
    found = [
        Question("tail", ended, ("--tail", str(TAIL)), TAIL, times=5),
        Question("tail running", running, ("--tail", str(TAIL)), TAIL, times=5),
    ]
    if subject.name != CEILING:
        times = _TIMESTAMP.findall(ended.logs("--timestamps"))
        moment = times[-work.lines // _SINCE_SHARE]
        since = sum(moment <= other for other in times)
        found += [
            Question("all", ended, (), work.lines),
            Question("since", ended, ("--since", moment.decode()), since),
        ]
    return found


def read_once(rig: Rig, subject: Subject, question: Question, recorder: Recorder) -> None:
    """Run `docker logs` once; records seconds, and CPU seconds of the engine and the plugin together."""
    watch = Watch([rig.engine.pid, *subject.plugin()])
    begun = time.monotonic()
    container = question.container
    lines = count_lines(container.client.start("logs", *question.flags, container.id))
    recorder.add(subject.name, question.key, "s", time.monotonic() - begun)
    recorder.add(subject.name, f"{question.key} CPU", "s", watch.usage().cpu)
    if lines != question.lines:
        flags = " ".join(question.flags)
        recorder.fault(f"{subject.name}: docker logs {flags} gave {lines:,} lines instead of {question.lines:,}")


def count_lines(client: subprocess.Popen[bytes]) -> int:
    """Read what the client prints to its end; return the number of lines, -1 if it failed."""
    lines = 0
    with client:
        if client.stdout is None:
            raise ValueError("the client's stdout is not a pipe")
        while piece := client.stdout.read(_PIECE):
            lines += piece.count(b"\n")
    return -1 if client.returncode else lines


def tables(result: Result) -> Sequence[Table]:
    """Make a table for each question: a row for each driver."""
    work = QUICK_WORK if result.quick else WORK
    asked = {
        "all": "all lines",
        "tail": f"the last {TAIL}",
        "tail running": f"the last {TAIL} of a container that runs",
        "since": f"since a time, from which on {work.lines // _SINCE_SHARE:,} are left",
    }

    def row(series: Series) -> tuple[str, ...]:
        return (
            series.subject,
            spread(series),
            *(beside(series, result.get(other, series.metric)) for other in (JSON_FILE, LOCAL)),
            middle(result.get(series.subject, f"{series.metric} CPU")),
        )

    return [
        Table(
            key,
            f"docker logs of {work.lines:,} lines of {work.line_bytes} bytes: {lines}",
            ("driver", "s", f"÷ {JSON_FILE}", f"÷ {LOCAL}", "engine and plugin, CPU s"),
            tuple(map(row, result.metric(key))),
        )
        for key, lines in asked.items()
    ]


def plots(result: Result) -> Sequence[Plot]:
    """Draw how long reading all lines takes."""
    work = QUICK_WORK if result.quick else WORK
    title = f"docker logs, all {work.lines:,} lines of {work.line_bytes} bytes"
    return [Bars("all", title, "seconds", tuple(result.metric("all")))]


def goals(result: Result) -> Sequence[Goal]:
    """Return the bounds beside the fastest of the built-in drivers."""
    return [
        Goal("`docker logs`, all lines, Peavey ÷ `local`", result.ratio(JOURNAL, LOCAL, "all"), 1.0),
        Goal(
            f"`docker logs --tail {TAIL}` of a container that runs, Peavey ÷ `local`",
            result.ratio(JOURNAL, LOCAL, "tail running"),
            1.0,
        ),
        Goal(
            f"`docker logs --tail {TAIL}` of one that has ended, Peavey ÷ `local`",
            result.ratio(JOURNAL, LOCAL, "tail"),
            1.0,
        ),
    ]


READING = Benchmark(
    name="reading",
    title="docker logs",
    measure=compare,
    tables=tables,
    plots=plots,
    goals=goals,
    needs_engine=True,
)

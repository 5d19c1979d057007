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
from bench.rig import JOURNAL, JSON_FILE, LOCAL, Rig, Subject, readable_drivers
from bench.tables import Table, beside, middle, spread
from bench.work import Work
from tests.testbed.containers import Container

ROUNDS = 5
WORK = Work(1_000_000, 100)
QUICK_WORK = Work(50_000, 100)
TAIL = 100
_SINCE_SHARE = 10
_PIECE = 1 << 20
_TIMESTAMP = re.compile(rb"^(\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """Flags of `docker logs`, how many lines must come back, and how many times it is asked in a round."""

    key: str
    flags: tuple[str, ...]
    lines: int
    times: int = 1


def compare(run: Run) -> None:
    """Print once with each driver, then read with each in turn, round after round."""
    work, rounds = (QUICK_WORK, 2) if run.quick else (WORK, ROUNDS)
    with readable_drivers() as rig:
        asked: dict[str, tuple[Container, list[Question]]] = {}
        for subject in rig.subjects:
            container = rig.containers(subject).run("sh", "-c", work.script, options=subject.options)
            container.wait()
            asked[subject.name] = container, questions(container, work)
            rig.settle(subject)
            run.say(f"{subject.name} has printed {work.lines:,} lines")
        for number, subject in rotated(rig.subjects, rounds):
            container, to_ask = asked[subject.name]
            for question in to_ask:
                for _ in range(question.times):
                    read_once(rig, subject, container, question, run.recorder)
            run.say(f"round {number + 1} of {rounds}: {subject.name}")


def questions(container: Container, work: Work) -> list[Question]:
    """Make the questions for a container; the time is that from which on a tenth of its lines is left.

    More than that tenth can come back, as lines may have the same time: how many is counted here.
    """
    times = _TIMESTAMP.findall(container.logs("--timestamps"))
    moment = times[-work.lines // _SINCE_SHARE]
    since = sum(moment <= other for other in times)
    return [
        Question("all", (), work.lines),
        Question("tail", ("--tail", str(TAIL)), TAIL, times=5),
        Question("since", ("--since", moment.decode()), since),
    ]


def read_once(rig: Rig, subject: Subject, container: Container, question: Question, recorder: Recorder) -> None:
    """Run `docker logs` once; records seconds, and CPU seconds of the engine and the plugin together."""
    watch = Watch([rig.engine.pid, *subject.plugin()])
    begun = time.monotonic()
    lines = count_lines(container.client.start("logs", *question.flags, container.id))
    recorder.add(subject.name, question.key, "s", time.monotonic() - begun)
    recorder.add(subject.name, f"{question.key} CPU", "s", watch.usage().cpu)
    if lines != question.lines:
        flags = " ".join(question.flags)
        recorder.fault(f"{subject.name}: docker logs {flags} gave {lines:,} lines instead of {question.lines:,}")


def count_lines(client: subprocess.Popen[bytes]) -> int:
    """Read what the client prints to its end; gives the number of lines, -1 if it failed."""
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
    """Give the bounds beside the fastest of the built-in drivers."""
    return [
        Goal("`docker logs`, all lines, Peavey ÷ `local`", result.ratio(JOURNAL, LOCAL, "all"), 1.0),
        Goal(f"`docker logs --tail {TAIL}`, Peavey ÷ `local`", result.ratio(JOURNAL, LOCAL, "tail"), 1.0),
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

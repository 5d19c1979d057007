"""What containers cost that have ended: their journals are kept, and looked at now and then."""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmark import Benchmark, Run
from bench.delivering import NOBODY, log_options
from bench.idling import IDLE_COLUMNS, LONG, EndedError, idle_figures, record_idle, watch_idle
from bench.journals import PreparedJournal, lend, write_journals
from bench.machine import PACKAGE_FOLDER
from bench.processes import children
from bench.results import Result
from bench.tables import Table, middle
from plugin.journal.layout import DataFolder
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import Server
from tests.testbed.waiting import wait_until

CONTAINERS = (1, 1_000, 10_000)
QUICK_CONTAINERS = (1, 100)
_LINES = 10
_PATIENCE = 180.0
_STARTED, _KNOWN = "answers after", "delivery knows all after"


def measure(run: Run) -> None:
    """Start a server on data folders with more and more of them."""
    settle, idle = (1.0, 2.0) if run.quick else (10.0, LONG)
    with TemporaryDirectory(prefix="peavey-bench-") as name:
        (journal,) = write_journals(Path(name, "journal"), 1, _LINES)
        for containers in QUICK_CONTAINERS if run.quick else CONTAINERS:
            run.say(f"{containers:,} stopped containers: the server is started, then nothing happens for {idle:g} s")
            _measure(run, journal, containers, settle, idle)


def _measure(run: Run, journal: PreparedJournal, containers: int, settle: float, idle: float) -> None:
    subject = f"{containers:,} stopped"
    with short_folder() as folder:
        server = Server(folder, source=PACKAGE_FOLDER)
        options = log_options("loki", NOBODY, folder)
        lend([journal] * containers, DataFolder(server.data), "loki", options, delivered=True)
        begun = time.monotonic()
        try:
            server.start()
            run.recorder.add(subject, _STARTED, "s", time.monotonic() - begun)
            wait_until((server.data / "delivery" / "0.json").exists, "delivery knows all containers", _PATIENCE)
            run.recorder.add(subject, _KNOWN, "s", time.monotonic() - begun)
            time.sleep(settle)
            pids = [server.pid, *children(server.pid)]
            found = watch_idle(pids, idle)
        except (EndedError, AssertionError) as error:
            run.recorder.fault(f"{subject}: {error}; the server's log ends:\n{server.log[-2000:]}")
        else:
            record_idle(run.recorder, subject, [found[pid] for pid in pids])
        finally:
            server.cleanup()


def tables(result: Result) -> Sequence[Table]:
    """Show what grows with their number."""
    return (
        Table(
            "stopped",
            "What containers cost that have ended, and whose logs were delivered",
            ("containers", "answers after, s", "delivery knows all after, s", *IDLE_COLUMNS),
            tuple(
                (
                    subject,
                    middle(result.find(subject, _STARTED)),
                    middle(result.find(subject, _KNOWN)),
                    *idle_figures(result, subject),
                )
                for subject in result.subjects()
            ),
        ),
    )


STOPPED = Benchmark(
    name="stopped",
    title="Containers that have ended",
    measure=measure,
    tables=tables,
)

"""Shaping from a container's log-opts to what a destination is given, and to what is told of it."""

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from plugin.config.options import validate_leniently
from plugin.delivery.report import Filtered, read_status
from plugin.delivery.worker import Worker
from plugin.docker.frames import Entry
from plugin.intake.admission import Admission
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.cursors.store import read_cursor
from plugin.sinks.registry import schema
from plugin.status.collector import Overview
from plugin.status.model import FilteredRecords
from tests.delivery.worker_harness import WorkerHarness, until, working
from tests.intake.pump_harness import PumpHarness
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.received import without_repeats
from tests.sinks.receiving.receiver import Receiver
from tests.status.test_collector import NoWorkers
from tests.testbed.server import REPOSITORY
from tests.testbed.waiting import wait_until
from tests.transforms.lines import SECOND, record, shaped

LINES = [
    b"GET /health",
    b"java.lang.IllegalStateException: of bob@example.com",
    b"\tat a.B.c(B.java:1)",
    b"GET /health",
    b"GET /buy",
]


def test_a_sink_gets_what_the_log_opts_make_of_lines_and_the_rest_is_counted(tmp_path: Path) -> None:
    sent = tmp_path / "sent.json"
    given = {"multiline": "java", "exclude": "/health", "redact": "email", "redact-with": "#", "multiline-wait": "10ms"}
    harness = WorkerHarness(tmp_path, {"json-file-path": str(sent), **given})

    async def drive() -> None:
        harness.journal.write(*(Entry("stdout", number, line) for number, line in enumerate(LINES)))
        async with working(harness.data):
            await until(lambda: sent.exists() and sent.read_bytes().count(b"\n") == 2)
            await until(lambda: (share := read_status(harness.data)) and share[0].filtered)

    asyncio.run(drive())

    lines = [json.loads(line)["log"] for line in sent.read_bytes().splitlines()]
    assert lines == ["java.lang.IllegalStateException: of #\n\tat a.B.c(B.java:1)\n", "GET /buy\n"]
    cursor = read_cursor(harness.journal.folder, "json-file")
    assert cursor is not None
    assert (cursor.offset, cursor.records, cursor.gap_bytes) == (harness.journal.writer.offset, 2, 0)
    (share,) = read_status(harness.data)
    assert share.filtered == [
        Filtered(container=harness.container, instance="json-file", stage="filter", reason="exclude", records=2)
    ]


def test_the_status_tells_it_by_container_and_sink(tmp_path: Path) -> None:
    with PumpHarness(tmp_path) as pump:
        harness = WorkerHarness(pump.data, {"json-file-path": str(tmp_path / "sent.json"), "exclude": "."})

        async def drive() -> None:
            harness.journal.write(Entry("stdout", 1, b"line"))
            async with working(harness.data):
                await until(lambda: (share := read_status(harness.data)) and share[0].filtered)

        asyncio.run(drive())
        bounds = DiskBounds(None, None, None)
        intake = Intake(pump.data, pump.logging, bounds, lambda info: validate_leniently(info.options, {}, schema())[0])
        intake.start()
        admission = Admission(harness.data, {}, schema())
        gathered = Overview(harness.data, intake, NoWorkers(), bounds, admission).gather()
        intake.stop()

    (container,) = gathered.containers
    assert container.sinks[0].filtered == [FilteredRecords(stage="filter", reason="exclude", records=1)]


def has_read_all(worker: Worker, harness: WorkerHarness) -> bool:
    links = worker._containers[harness.container].links.values() if harness.container in worker._containers else ()
    return bool(links) and all(link.tail.position == harness.journal.writer.offset for link in links)


def test_the_last_event_of_a_container_that_stops_waits_for_nothing(tmp_path: Path) -> None:
    sent = tmp_path / "sent.json"
    given = {"multiline": "java", "multiline-wait": "1h", "dedupe": "1h", "rate-limit": "1/m"}
    harness = WorkerHarness(tmp_path, {"json-file-path": str(sent), **given})
    trace = [b"java.lang.Exception: x", b"\tat a.B.c(B.java:1)"]

    def print_lines(*lines: bytes) -> None:
        harness.journal.write(*(Entry("stdout", SECOND + number, line) for number, line in enumerate(lines)))

    async def drive() -> None:
        print_lines(*trace)
        async with working(harness.data) as worker:
            await until(lambda: has_read_all(worker, harness))
            assert not sent.exists(), "more may come"
            harness.touch(ended=True)
            await until(lambda: sent.exists() and sent.read_bytes().count(b"\n") == 1)
            harness.touch()  # it is started again
            print_lines(*trace[1:], b"on", b"on", b"end")
            await until(lambda: has_read_all(worker, harness))
            harness.touch(ended=True)
            await until(lambda: sent.read_bytes().count(b"\n") == 3)

    asyncio.run(drive())
    lines = [json.loads(line)["log"] for line in sent.read_bytes().splitlines()]
    assert lines == [
        "java.lang.Exception: x\n\tat a.B.c(B.java:1)\n",
        "\tat a.B.c(B.java:1)\n",
        "peavey: 2 records dropped here by rate-limit=1/m\n",
    ]
    cursor = read_cursor(harness.journal.folder, "json-file")
    assert cursor is not None
    assert cursor.resume == harness.journal.writer.offset


CHAIN = {
    "multiline": "java",
    "parse": "json",
    "exclude": "/health",
    "rate-limit": "40/s",
    "redact": "email",
    "add-field.name": "{{.Name}}",
}


NOTICE = b"peavey: "


def printed(number: int) -> list[bytes]:
    """Return what a service prints for one request: nothing is twice the same."""
    lines = [b"GET /health %d" % number, b'{"level":"info","msg":"request %d of bob@example.com"}' % number]
    if number % 3 == 0:
        lines += [
            b"java.lang.IllegalStateException: request %d" % number,
            b"\tat a.B.c(B.java:1)",
            b"\tat a.B.d(B.java:2)",
        ]
    return lines


def test_a_chain_makes_the_same_of_all_lines_however_often_delivery_is_killed(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 (when to kill)
    with Receiver(PROTOCOLS["http"]) as receiver:
        harness = WorkerHarness(
            tmp_path, {"http-url": f"http://127.0.0.1:{receiver.port}", "batch-size": "4k", **CHAIN}
        )
        entries: list[Entry] = []

        def write(first: int, count: int) -> None:
            for number in range(first, first + count):
                made = [
                    Entry("stdout", 1_700_000_000 * SECOND + number * SECOND // 100, line) for line in printed(number)
                ]
                harness.journal.write(*made)
                entries.extend(made)

        write(0, 3_001)
        command = [sys.executable, "-m", "plugin", "deliver", "--data", str(harness.data.path)]
        for turn in range(4):
            before = read_cursor(harness.journal.folder, "http")
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
            wait_until(lambda before=before: read_cursor(harness.journal.folder, "http") != before, "the cursor moves")  # type: ignore[misc]
            time.sleep(chance.random() / 5)
            process.kill()
            process.wait()
            write(3_001 + turn * 300, 300)
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)

        def is_done() -> bool:
            cursor = read_cursor(harness.journal.folder, "http")
            return cursor is not None and cursor.resume == harness.journal.writer.offset

        try:
            wait_until(is_done, "all is done with")
        finally:
            process.kill()
            process.wait()
        received = [record.line for record in receiver.received]
        harness.journal.close()

    made = shaped(CHAIN, [record(one.line, n, one.source, one.time_nano) for n, one in enumerate(entries)])
    once = without_repeats([line for line in received if not line.startswith(NOTICE)])
    assert once.lines == [each.line for each in made if not each.line.startswith(NOTICE)]
    assert {line for line in received if line.startswith(NOTICE)} == {
        each.line for each in made if each.line.startswith(NOTICE)
    }
    assert any(each.line.startswith(NOTICE) for each in made)
    assert once.returns <= 4, "what was in flight is sent again, and nothing else"

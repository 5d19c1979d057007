"""Shaping from a container's log-opts to what a destination is given, and to what is told of it."""

import asyncio
import json
from pathlib import Path

from plugin.config.options import validate_leniently
from plugin.delivery.report import Filtered, read_status
from plugin.docker.frames import Entry
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.cursors.store import read_cursor
from plugin.sinks.registry import schema
from plugin.status.collector import Overview
from plugin.status.model import FilteredRecords
from tests.delivery.worker_bench import House, until, working
from tests.intake.pump_bench import Bench
from tests.status.test_collector import NoWorkers

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
    house = House(tmp_path, {"json-file-path": str(sent), **given})

    async def drive() -> None:
        house.journal.write(*(Entry("stdout", number, line) for number, line in enumerate(LINES)))
        async with working(house.data):
            await until(lambda: sent.exists() and sent.read_bytes().count(b"\n") == 2)
            await until(lambda: (share := read_status(house.data)) and share[0].filtered)

    asyncio.run(drive())

    lines = [json.loads(line)["log"] for line in sent.read_bytes().splitlines()]
    assert lines == ["java.lang.IllegalStateException: of #\n\tat a.B.c(B.java:1)\n", "GET /buy\n"]
    cursor = read_cursor(house.journal.folder, "json-file")
    assert cursor is not None
    assert (cursor.offset, cursor.records, cursor.gap_bytes) == (house.journal.writer.offset, 2, 0)
    (share,) = read_status(house.data)
    assert share.filtered == [
        Filtered(container=house.container, instance="json-file", stage="filter", reason="exclude", records=2)
    ]


def test_the_status_tells_it_by_container_and_sink(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        house = House(bench.data, {"json-file-path": str(tmp_path / "sent.json"), "exclude": "."})

        async def drive() -> None:
            house.journal.write(Entry("stdout", 1, b"line"))
            async with working(house.data):
                await until(lambda: (share := read_status(house.data)) and share[0].filtered)

        asyncio.run(drive())
        bounds = DiskBounds(None, None, None)
        intake = Intake(
            bench.data, bench.logging, bounds, lambda info: validate_leniently(info.options, {}, schema())[0]
        )
        intake.start()
        gathered = Overview(
            bench.data, intake, NoWorkers(), bounds, lambda info: validate_leniently(info.options, {}, schema())[0]
        ).gather()
        intake.stop()

    (container,) = gathered.containers
    assert container.sinks[0].filtered == [FilteredRecords(stage="filter", reason="exclude", records=1)]

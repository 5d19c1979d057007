"""``peavey ls``: the containers that have a journal."""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugin.browse.selection import Journal, known_journals, select
from plugin.commands import container_arguments
from plugin.commands.container_arguments import wanted_by
from plugin.commands.discovery import find_data
from plugin.commands.humanize import show_age, show_bytes, show_seconds
from plugin.config.parsing import printable
from plugin.docker.frames import HEADER_SIZE, Fields, entry_size
from plugin.docker.info import short_id
from plugin.docker.times import format_time
from plugin.errors import JournalError
from plugin.intake.attachments import Attachments
from plugin.journal.cursors.store import Cursor, cursor_in, instances_with_cursors
from plugin.journal.lag import Lag, measure_lag
from plugin.journal.layout import DataFolder
from plugin.journal.reader import JournalReader, segment_end
from plugin.journal.retention import SegmentUse, measure
from plugin.journal.seeking import segment_points

SUMMARY = "list the containers that have a journal"
DESCRIPTION = """\
List the containers whose logs are kept, running ones first: what they take, when they printed last, and how far behind
each sink is. Stopped and removed containers stay until retention removes them. Needs neither the engine nor the
running plugin.
"""
SETTINGS = ["data"]

_SECOND = 1_000_000_000
_FIRST = 1 << 20
_WIDE = 120


@dataclass(frozen=True, slots=True)
class SinkLag:
    """How far behind a sink is; the age of its oldest undelivered line in seconds, 0 where there is none."""

    sink: str
    lag: Lag
    age: float


@dataclass(frozen=True, slots=True)
class Row:
    """A container; sizes in bytes, times in nanoseconds since 1970 UTC, 0 for an empty journal."""

    journal: Journal
    running: bool
    size: int
    first: int
    last: int
    sinks: list[SinkLag]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    container_arguments.add_arguments(parser)
    parser.add_argument("--running", action="store_true", help="only those that run")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """List them. Raises ``PeaveyError`` if a name means none."""
    data = DataFolder(find_data(arguments, os.environ))
    everything = not (arguments.names or arguments.project or arguments.service or arguments.label)
    chosen = select(known_journals(data), wanted_by(arguments, everything=everything), data)
    running = {attachment.info.container_id for attachment in Attachments(data.streams).load()}
    journals = [*chosen.chosen, *chosen.older]
    rows = [
        look_at(data, one, running=one.id in running) for one in journals if one.id in running or not arguments.running
    ]
    rows.sort(key=lambda row: (not row.running, row.journal.name, -row.last))
    if arguments.json:
        for row in rows:
            print(msgspec.json.encode(as_json(row)).decode())
    else:
        _print(rows)
    return 0


def look_at(data: DataFolder, journal: Journal, *, running: bool) -> Row:
    """Look at one journal; one that cannot be read shows as empty."""
    folder = data.container(journal.id)
    try:
        uses = measure(folder)
        first, last = _first_time(folder), _last_time(folder, uses)
    except OSError:
        uses, first, last = [], 0, 0
    return Row(
        journal=journal,
        running=running,
        size=sum(use.bytes for use in uses),
        first=first,
        last=last,
        sinks=[_lag(folder, journal, instance, uses) for instance in instances_with_cursors(folder)],
    )


def as_json(row: Row) -> dict[str, object]:
    """Return what ``--json`` prints of a container; its fields are described in ``docs/looking.md``."""
    return {
        "container_id": row.journal.id,
        "container_name": row.journal.name,
        "image": row.journal.image,
        "state": "running" if row.running else "stopped",
        "journal_bytes": row.size,
        "first_line": format_time(row.first) if row.first else None,
        "last_line": format_time(row.last) if row.last else None,
        "sinks": [
            {
                "sink": one.sink,
                "lag_bytes": one.lag.bytes,
                "lag_lines": one.lag.lines,
                "lag_seconds": round(one.age, 3),
            }
            for one in row.sinks
        ],
    }


def _lag(folder: Path, journal: Journal, instance: str, uses: list[SegmentUse]) -> SinkLag:
    try:
        cursor = cursor_in(folder, instance, journal.birth) or Cursor(offset=0, resume=0)
        lag = measure_lag(uses, cursor.offset, cursor.resume)
    except (JournalError, OSError):
        lag = Lag()
    return SinkLag(instance, lag, max(0.0, (time.time_ns() - lag.oldest) / _SECOND) if lag.oldest else 0.0)


def _first_time(folder: Path) -> int:
    """Return the time of the journal's first entry, 0 if there is none that can be read."""
    reader = JournalReader(folder)
    try:
        content = reader.peek(_FIRST)
    finally:
        reader.close()
    end = HEADER_SIZE + entry_size(content, 0) if len(content) >= HEADER_SIZE else 0
    fields = Fields()
    return fields.time_nano if HEADER_SIZE < end <= len(content) and fields.locate(content, HEADER_SIZE, end) else 0


def _last_time(folder: Path, uses: list[SegmentUse]) -> int:
    """Return the latest time of the newest segment that has entries."""
    for use in reversed(uses):
        limit = segment_end(use.segment) if use.end is None else use.end
        latest = segment_points(folder, use.segment.base, limit, newest=use.end is None)[-1].latest
        if latest > 0:
            return latest
    return 0


def _print(rows: list[Row]) -> None:
    from rich.text import Text  # noqa: PLC0415 (rich is for those who look at it only)

    from plugin.commands.table import Column, table  # noqa: PLC0415
    from plugin.commands.terminal import print_lines, room  # noqa: PLC0415

    if not rows:
        print("no container has a journal")
        return
    width = room()
    wide = width is None or width >= _WIDE
    columns = [
        Column("container", flexible=True),
        Column("id"),
        *([Column("image", flexible=True)] if wide else []),
        Column("state"),
        Column("size", right=True),
        *([Column("first line", right=True)] if wide else []),
        Column("last line", right=True),
        Column("sinks, behind by", flexible=True),
    ]
    now = time.time_ns()
    lines = []
    for row in rows:
        cells = [printable(row.journal.name) or "?", short_id(row.journal.id)]
        cells += [printable(row.journal.image)] if wide else []
        cells += ["running" if row.running else "stopped", show_bytes(row.size)]
        cells += [show_age(row.first, now)] if wide else []
        cells += [show_age(row.last, now), ", ".join(map(_sink, row.sinks)) or "-"]
        lines.append([Text(cell, "" if row.running else "dim") for cell in cells])
    print_lines(table(columns, lines, width))


def _sink(one: SinkLag) -> str:
    return (
        f"{printable(one.sink)} {show_bytes(one.lag.bytes)}, {show_seconds(one.age)}"
        if one.lag.bytes
        else (f"{printable(one.sink)} 0")
    )

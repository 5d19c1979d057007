"""``peavey logs``: read a journal from the data folder, without the engine and without the plugin."""

import argparse
import os
import sys
import time
from collections.abc import Iterator

from plugin.commands.discovery import find_data
from plugin.commands.timestamps import parse_moment
from plugin.docker.frames import HEADER_SIZE, Entry, decode_entry, entry_size
from plugin.docker.times import format_time
from plugin.errors import JournalError, PeaveyError
from plugin.intake.attachments import Attachments
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata
from plugin.journal.readback import LogQuery, LogReading

SUMMARY = "read a container's journal from the data folder"
DESCRIPTION = """\
Print the log of a container from its journal, like 'docker logs': what it wrote to stdout goes to stdout, what it wrote
to stderr to stderr. Needs neither the engine nor the running plugin, and reads all that retention has kept. The data
folder is found by itself; run as root on the host to find that of a managed plugin.
"""
SETTINGS = ["data"]

_POLL = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``docker logs``."""
    parser.add_argument("container", metavar="CONTAINER", help="its id, the beginning of it, or its name")
    parser.add_argument("-f", "--follow", action="store_true", help="follow the log until the container stops")
    parser.add_argument("-n", "--tail", default="all", metavar="N", help="only the last N lines (default: all)")
    parser.add_argument("-t", "--timestamps", action="store_true", help="print the time in front of each line")
    parser.add_argument(
        "--since", metavar="TIME", help="no lines before it: 2026-01-31T12:00:00Z, a Unix time, or 10m ago"
    )
    parser.add_argument("--until", metavar="TIME", help="no lines after it, in the same forms")


def run(arguments: argparse.Namespace) -> int:
    """Print the log. Raises ``PeaveyError`` if there is no such container, or an argument is invalid."""
    query = _query(arguments)
    data = DataFolder(find_data(arguments, os.environ))
    container_id = find_container(data, arguments.container)
    reading = LogReading(data.container(container_id), query)
    try:
        for entry in _entries(reading, _Lives(data, container_id) if query.follow else None):
            stream = sys.stderr.buffer if entry.source == "stderr" else sys.stdout.buffer
            if arguments.timestamps:
                stream.write(format_time(entry.time_nano).encode() + b" ")
            stream.write(entry.line)
            if query.follow:
                stream.flush()
    finally:
        reading.close()
    sys.stdout.flush()
    return 0


def find_container(data: DataFolder, wanted: str) -> str:
    """Return a container's full id by its id, its name, or the beginning of its id, in this order as the engine does.

    Raises ``JournalError`` if no journal, or more than one, matches.
    """
    ids = data.container_ids()
    if wanted in ids:
        return wanted
    found = [container_id for container_id in ids if _name(data, container_id) == wanted.removeprefix("/")]
    if not found:
        found = [container_id for container_id in ids if wanted and container_id.startswith(wanted)]
    if not found:
        raise JournalError(f"no journal of a container '{wanted}' in {data.path} (--data names another data folder)")
    if len(found) > 1:
        raise JournalError(f"'{wanted}' matches {len(found)} containers: {', '.join(name[:12] for name in found)}")
    return found[0]


def _name(data: DataFolder, container_id: str) -> str | None:
    try:
        metadata = read_metadata(data.container(container_id))
    except JournalError:
        return None
    return None if metadata is None else metadata.info.name


def _query(arguments: argparse.Namespace) -> LogQuery:
    tail = -1
    if arguments.tail != "all":
        try:
            tail = int(arguments.tail)
        except ValueError:
            raise PeaveyError(f"--tail: '{arguments.tail}' is neither a number nor 'all'") from None
    moments = {}
    for flag in ("since", "until"):
        text = getattr(arguments, flag)
        try:
            moments[flag] = parse_moment(text, time.time_ns()) if text else 0
        except ValueError as error:
            raise PeaveyError(f"--{flag}: {error}") from None
    return LogQuery(tail=tail, since=moments["since"], until=moments["until"], follow=arguments.follow)


class _Lives:
    """True while a container has streams, by the attachments in the data folder."""

    def __init__(self, data: DataFolder, container_id: str) -> None:
        self._attachments = Attachments(data.streams)
        self._container_id = container_id

    def __bool__(self) -> bool:
        return any(attachment.info.container_id == self._container_id for attachment in self._attachments.load())


def _entries(reading: LogReading, lives: _Lives | None) -> Iterator[Entry]:
    """Yield the entries of a reading; when following, look again until the container has stopped."""
    ended = False
    while True:
        ended = ended or not lives
        while frames := reading.read():
            yield from _split(frames)
        if ended or reading.done:
            break
        time.sleep(_POLL)
    yield from _split(reading.finish())


def _split(frames: bytes) -> Iterator[Entry]:
    position = 0
    while position < len(frames):
        start = position + HEADER_SIZE
        position = start + entry_size(frames, position)
        yield decode_entry(frames, start, position)

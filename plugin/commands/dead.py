"""``peavey dead``: list, resend or delete what destinations refused for good."""

import argparse
import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.commands.humanize import show_count
from plugin.commands.rules_in_force import RULES_SETTINGS, rules_in_force
from plugin.config.effective import Rules
from plugin.config.options import SinkChoice
from plugin.config.parsing import hint, printable
from plugin.delivery.dead_letter_replay import Outcome, exclusive, forget, instances_with_letters, letters, resend
from plugin.delivery.dead_letters import Letter
from plugin.docker.info import short_id
from plugin.docker.times import format_time
from plugin.errors import JournalError, PeaveyError
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata, read_metadata
from plugin.journal.redirects import read_redirect

SUMMARY = "list dead letters, send them again, or delete them"
DESCRIPTION = """\
List dead letters: lines that a destination refused for good. They are read from the data folder, whether or not the
plugin runs. --again sends them once more, from this process and with the log-opts in force for the container, those of
profiles, redirects and plugin-wide ones included: run it where the files that log-opts name can be read.
"""
SETTINGS = ["data", *RULES_SETTINGS]

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class _Box:
    """The dead letters of one sink of a container."""

    folder: Path
    metadata: JournalMetadata | None
    instance: str

    @property
    def container(self) -> str:
        """The container's name, or the beginning of its id where that is not known."""
        return (self.metadata.info.name if self.metadata else "") or short_id(self.folder.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "--container", metavar="CONTAINER", help="only this container: its id, the beginning of it, or its name"
    )
    parser.add_argument("--sink", metavar="NAME", help="only this sink, by its name at the container")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="list them as JSON, one object a line, with the whole line")
    what.add_argument("--again", action="store_true", help="send them again; acknowledged letters are removed")
    what.add_argument("--forget", action="store_true", help="delete them")


def run(arguments: argparse.Namespace) -> int:
    """List, send or delete; returns 1 if letters that were sent are still dead. Raises ``PeaveyError``."""
    data = DataFolder(find_data(arguments, os.environ))
    boxes = _boxes(data, arguments)
    if arguments.again:
        rules = rules_in_force(data, arguments, os.environ)
        with exclusive(data):
            return asyncio.run(_send_again(boxes, rules))
    if arguments.forget:
        with exclusive(data):
            _forget(boxes)
    elif arguments.json:
        _print_json(boxes)
    else:
        _print_table(boxes)
    return 0


def _boxes(data: DataFolder, arguments: argparse.Namespace) -> list[_Box]:
    ids = [find_container(data, arguments.container)] if arguments.container else data.container_ids()
    found = []
    for folder in map(data.container, ids):
        instances = [name for name in instances_with_letters(folder) if arguments.sink in (None, name)]
        if instances:
            metadata = _metadata(folder)
            found += [_Box(folder, metadata, instance) for instance in instances]
    return found


def _metadata(folder: Path) -> JournalMetadata | None:
    try:
        return read_metadata(folder)
    except JournalError:
        return None


def _all(boxes: list[_Box]) -> Iterator[tuple[_Box, Letter]]:
    for box in boxes:
        for letter in letters(box.folder, box.instance):
            if letter is not None:
                yield box, letter


def _print_json(boxes: list[_Box]) -> None:
    for box, letter in _all(boxes):
        print(msgspec.json.encode(as_json(box, letter)).decode())


def as_json(box: _Box, letter: Letter) -> dict[str, object]:
    """Return what ``--json`` prints of a dead letter; its fields are described in ``docs/json.md``."""
    kept = msgspec.to_builtins(letter)
    rest = {
        name: value for name, value in kept.items() if name not in ("refused", "reason", "source", "time", "offset")
    }
    return {
        "container_id": box.folder.name,
        "container_name": box.metadata.info.name if box.metadata else "",
        "sink": box.instance,
        "refused": format_time(letter.refused),
        "reason": letter.reason,
        "time": format_time(letter.time),
        "stream": letter.source,
        "offset_bytes": letter.offset,
        **rest,
    }


def _print_table(boxes: list[_Box]) -> None:
    from rich.text import Text  # noqa: PLC0415 (rich is for those who look at it only)

    from plugin.commands.table import Column, table  # noqa: PLC0415
    from plugin.commands.terminal import print_lines, room  # noqa: PLC0415

    columns = [
        Column("container", flexible=True),
        Column("sink", flexible=True),
        Column("time"),
        Column("reason", flexible=True, least=16),
        Column("line", flexible=True, least=16),
    ]
    rows = []
    for box, letter in _all(boxes):
        line = letter.content.decode(errors="replace")
        if letter.among:
            line = f"(some of the {letter.among:,} lines from here on)"
        shown = line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
        cells = (box.container, box.instance, format_time(letter.time), letter.reason, shown)
        rows.append([Text(printable(cell)) for cell in cells])
    if rows:
        print_lines(table(columns, rows, room()))
    else:
        print("no dead letters")


def _forget(boxes: list[_Box]) -> None:
    for box in boxes:
        try:
            count = forget(box.folder, box.instance)
        except OSError as error:
            raise JournalError(f"dead letters of {box.container}, sink {box.instance}: {error}") from error
        print(f"{box.container}, sink {box.instance}: {show_count(count)} forgotten")
    if not boxes:
        print("no dead letters")


async def _send_again(boxes: list[_Box], rules: Rules) -> int:
    dead = 0
    for box in boxes:
        try:
            outcome = await _send_box(box, rules)
        except OSError as error:
            raise JournalError(f"dead letters of {box.container}, sink {box.instance}: {error}") from error
        except PeaveyError as error:
            outcome = Outcome(left=len(list(letters(box.folder, box.instance))), fault=str(error))
        dead += outcome.left
        rest = f", {show_count(outcome.left)} still dead: {printable(outcome.fault)}" if outcome.left else ""
        print(f"{box.container}, sink {box.instance}: {show_count(outcome.sent)} sent{rest}", flush=True)
    if not boxes:
        print("no dead letters")
    return 1 if dead else 0


async def _send_box(box: _Box, rules: Rules) -> Outcome:
    if box.metadata is None:
        raise JournalError("its info.json, which the sink needs, is missing or damaged; start the container again")
    return await resend(box.folder, box.metadata, _choice(box.folder, box.metadata, box.instance, rules))


def _choice(folder: Path, metadata: JournalMetadata, instance: str, rules: Rules) -> SinkChoice:
    options, _ = rules.read(metadata.info, read_redirect(folder))
    for choice in options.sinks:
        if choice.instance == instance:
            return choice
    names = [choice.instance for choice in options.sinks]
    raise PeaveyError(
        f"the log-opts in force name no sink '{instance}'{hint(instance, names)}; its dead letters wait until they do"
    )

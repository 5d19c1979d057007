"""``peavey forget``: give up what is kept, or waits to be delivered, on purpose."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plugin.browse.selection import Journal, known_journals
from plugin.commands import container_arguments
from plugin.commands.container_arguments import wanted_by
from plugin.commands.discovery import find_data
from plugin.commands.humanize import show_bytes, show_count
from plugin.commands.rules_in_force import RULES_SETTINGS, rules_in_force
from plugin.config.effective import Rules
from plugin.config.parsing import hint
from plugin.docker.info import short_id
from plugin.errors import JournalError, PeaveyError
from plugin.intake.attachments import Attachments
from plugin.journal.cursors.given_up import give_up
from plugin.journal.cursors.store import cursor_in, instances_with_cursors
from plugin.journal.forgetting import ask_to_forget, is_to_be_forgotten
from plugin.journal.lag import Lag, measure_lag
from plugin.journal.layout import DataFolder, is_gone
from plugin.journal.metadata import JournalMetadata, read_metadata
from plugin.journal.redirects import ask, read_redirect
from plugin.journal.retention import SegmentUse, measure
from plugin.journal.seeking import frames_end

SUMMARY = "give up what is kept, or waits to be delivered"
DESCRIPTION = """\
Remove the journals of containers that have stopped, whether or not all is delivered: 'docker logs' has nothing of them
any more. With --sink, a journal stays, also that of a running container, and the sink alone is not sent what it has not
got by now. Says first what is lost, and asks. It works on the data folder, so as root, whether or not the plugin runs.
"""
SETTINGS = ["data", *RULES_SETTINGS]

_WITHIN = 20.0
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class _Container:
    """A container of which something is to be forgotten; ``metadata`` is None where its info.json is of no use."""

    folder: Path
    journal: Journal
    metadata: JournalMetadata | None
    segments: list[SegmentUse]
    sinks: list[str]

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return f"{self.journal.shown} ({short_id(self.journal.id)})"

    def lag(self, sink: str) -> Lag:
        """Return what a sink has not got."""
        if self.metadata is None:
            return Lag()
        cursor = cursor_in(self.folder, sink, self.metadata.birth)
        return measure_lag(
            self.segments, 0 if cursor is None else cursor.offset, 0 if cursor is None else cursor.resume
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    container_arguments.add_arguments(parser)
    parser.add_argument("--sink", metavar="NAME", help="only what this sink has not got, by its name at the containers")
    parser.add_argument("--force", action="store_true", help="do not ask")
    parser.set_defaults(wrong_usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Forget; returns 1 if that was not confirmed, or a container was started meanwhile. Raises ``PeaveyError``."""
    if not (arguments.names or arguments.project or arguments.service or arguments.label):
        arguments.wrong_usage("name a CONTAINER, or choose with --project, --service or --label")
    data = DataFolder(find_data(arguments, os.environ))
    chosen = container_arguments.choose(known_journals(data), wanted_by(arguments, everything=False), data)
    rules = rules_in_force(data, arguments, os.environ)
    containers = [_look_at(data, rules, one) for one in chosen.chosen]
    if arguments.sink:
        containers = _with_sink(containers, arguments.sink)
    else:
        _refuse_running(data, containers)
    for container in containers:
        for line in _losses(container, arguments.sink):
            print(line)
    if not arguments.force and not _is_confirmed():
        print("nothing is forgotten", file=sys.stderr)
        return 1
    if arguments.sink:
        return _give_up(data, containers, arguments.sink)
    return _remove(data, containers)


def _look_at(data: DataFolder, rules: Rules, journal: Journal) -> _Container:
    folder = data.container(journal.id)
    try:
        metadata = read_metadata(folder)
        redirect = read_redirect(folder)
    except JournalError:
        metadata = redirect = None
    sinks = [] if metadata is None else [one.instance for one in rules.outline(metadata.info, redirect).sinks]
    return _Container(folder, journal, metadata, measure(folder), sinks)


def _with_sink(containers: list[_Container], sink: str) -> list[_Container]:
    """Return the containers that have this sink, or had it. Raises ``PeaveyError`` if none has."""
    known: dict[str, list[str]] = {
        one.journal.id: [*dict.fromkeys([*one.sinks, *instances_with_cursors(one.folder)])] for one in containers
    }
    having = [one for one in containers if sink in known[one.journal.id] and one.metadata is not None]
    if not having:
        names = sorted({name for of in known.values() for name in of})
        raise PeaveyError(f"no sink '{sink}'{hint(sink, names)} (there are: {', '.join(names) or 'none'})")
    return having


def _refuse_running(data: DataFolder, containers: list[_Container]) -> None:
    running = {attachment.info.container_id for attachment in Attachments(data.streams).load()}
    labels = [one.label for one in containers if one.journal.id in running]
    if labels:
        raise PeaveyError(
            f"running: {', '.join(labels)}; stop it first, or name a sink: --sink gives up what that has not got"
        )


def _losses(container: _Container, sink: str | None) -> Iterator[str]:
    """Yield what will be lost of a container."""
    if sink is None:
        size = sum(use.bytes for use in container.segments)
        yield f"{container.label}: its journal of {show_bytes(size)}, which 'docker logs' shows"
    for name in [sink] if sink else container.sinks:
        lag = container.lag(name)
        missing = (
            f"has not got {show_bytes(lag.bytes)}, about {show_count(lag.lines)} lines" if lag.bytes else "has got all"
        )
        yield f"{container.label}: sink {name} {missing}"


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        raise PeaveyError("this cannot be undone: give --force where nobody can be asked")
    try:
        return input("This cannot be undone. Forget it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _give_up(data: DataFolder, containers: list[_Container], sink: str) -> int:
    for container in containers:
        assert container.metadata is not None  # noqa: S101 (those without one were left out)
        give_up(container.folder, sink, container.metadata.birth, frames_end(container.folder))
        print(f"{container.label}: sink {sink} goes on behind that")
    ask(data)
    return 0


def _remove(data: DataFolder, containers: list[_Container]) -> int:
    """Remove journals: the running plugin does, so that none is removed whose container is just being started."""
    try:
        lock = data.lock()
    except JournalError:
        return _have_removed(data, containers)
    try:
        for container in containers:
            data.remove_container(container.journal.id)
            print(f"{container.label}: forgotten")
        data.sweep()
    finally:
        os.close(lock)
    return 0


def _have_removed(data: DataFolder, containers: list[_Container]) -> int:
    for container in containers:
        ask_to_forget(container.folder)
    ask(data)
    deadline = time.monotonic() + _WITHIN
    waiting = list(containers)
    kept = 0
    while waiting and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        for container in list(waiting):
            if is_gone(container.folder):
                print(f"{container.label}: forgotten")
            elif not is_to_be_forgotten(container.folder):
                print(f"{container.label}: not forgotten: it has been started", file=sys.stderr)
                kept += 1
            else:
                continue
            waiting.remove(container)
    for container in waiting:
        print(f"{container.label}: the plugin is asked to, but has not done it yet", file=sys.stderr)
    return 1 if kept or waiting else 0

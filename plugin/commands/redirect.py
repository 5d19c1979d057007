"""``peavey redirect``: other log-opts for containers that exist already, and back."""

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import replace

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.commands.log_opts import given_log_opts
from plugin.config.effective import Rules
from plugin.config.files import restrict
from plugin.config.options import check_start
from plugin.config.profiles import Redirect
from plugin.config.settings import load_settings
from plugin.config.start import parse_start
from plugin.errors import JournalError, OptionError, PeaveyError
from plugin.journal.accepted_profiles import read_accepted
from plugin.journal.cursors.store import instances_with_cursors
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata, read_metadata
from plugin.journal.redirects import ask, read_redirect, remove_redirect, write_redirect
from plugin.sinks.registry import schema

SUMMARY = "send the logs of existing containers elsewhere, or back"
DESCRIPTION = """\
Give containers that exist already other log-opts, which hold instead of their own until --undo: over restarts of the
container, of the plugin and of the engine, and upgrades. Log-opts that choose sinks, or profiles, take the place of
those that the container has; others change what it has. The running plugin follows within seconds; one that does not
run does when it is started.
"""
SETTINGS = ["data", "logging_dir", "log_opts", "file_roots"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("containers", nargs="+", metavar="CONTAINER", help="its id, the beginning of it, or its name")
    parser.add_argument("--log-opt", action="append", default=[], metavar="NAME=VALUE", help="as for docker run")
    parser.add_argument(
        "--start",
        default="now",
        metavar="WHERE",
        help="where new sinks begin: now, beginning, or how far back, such as 1h (default: now)",
    )
    parser.add_argument("--undo", action="store_true", help="let a container's own log-opts hold again")


def run(arguments: argparse.Namespace) -> int:
    """Redirect, or undo it; returns 1 if there was nothing to undo. Raises ``PeaveyError``, before anything is done."""
    if arguments.undo == bool(arguments.log_opt):
        raise PeaveyError("give either --log-opt NAME=VALUE, once or more, or --undo")
    data = DataFolder(find_data(arguments, os.environ))
    found = [_metadata(data, container) for container in arguments.containers]
    if arguments.undo:
        return _undo(data, found)
    options = given_log_opts(arguments.log_opt)
    try:
        start = parse_start(arguments.start)
    except ValueError as error:
        raise PeaveyError(f"--start: {error}") from None
    rules = _rules(data, arguments)
    redirects = [_redirect(data, rules, one, options, start) for one in found]
    for metadata, redirect in zip(found, redirects, strict=True):
        write_redirect(data.container(metadata.info.container_id), redirect)
        sinks = rules.outline(metadata.info, redirect).sinks
        names = ", ".join(choice.instance for choice in sinks) or "none"
        print(f"{metadata.info.label}: redirected; sinks: {names}")
    ask(data)
    return 0


def _redirect(
    data: DataFolder, rules: Rules, metadata: JournalMetadata, options: Mapping[str, str], start: float
) -> Redirect:
    """Return the redirect of a container. Raises ``OptionError`` with all faults of the log-opts."""
    redirect = Redirect(number=_next_number(data, metadata), options=dict(options), since=time.time_ns(), start=start)
    effective, faults = rules.read(metadata.info, redirect)
    if faults:
        raise OptionError([f"{metadata.info.label}: {fault}" for fault in faults])
    check_start(effective, metadata.info)
    return redirect


def _next_number(data: DataFolder, metadata: JournalMetadata) -> int:
    """Return a number that no redirect of a container has had of which a sink has left a cursor."""
    folder = data.container(metadata.info.container_id)
    before = read_redirect(folder)
    numbers = [0 if before is None else before.number]
    for instance in instances_with_cursors(folder):
        prefix, _, number = instance.partition(".")[0].rpartition("-")
        if prefix == "redirect" and number.isdecimal():
            numbers.append(int(number))
    return max(numbers) + 1


def _undo(data: DataFolder, found: list[JournalMetadata]) -> int:
    undone = 0
    for metadata in found:
        if remove_redirect(data.container(metadata.info.container_id)):
            undone += 1
            print(f"{metadata.info.label}: its own log-opts hold again")
        else:
            print(f"{metadata.info.label}: is not redirected")
    ask(data)
    return 0 if undone == len(found) else 1


def _metadata(data: DataFolder, container: str) -> JournalMetadata:
    folder = data.container(find_container(data, container))
    metadata = read_metadata(folder)
    if metadata is None:
        raise JournalError(f"{folder}: its info.json is missing, which has its log-opts")
    return metadata


def _rules(data: DataFolder, arguments: argparse.Namespace) -> Rules:
    settings = load_settings(vars(arguments), os.environ, schema(), ["logging_dir", "log_opts", "file_roots"])
    restrict(replace(settings.file_access, data=str(data.path)))
    accepted = read_accepted(data)
    return Rules(settings.log_opts or accepted.log_opts, schema(), accepted.profiles)

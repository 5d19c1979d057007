"""``peavey redirect``: other log-opts for containers that exist already, and back."""

import argparse
import os
import sys
import time
from collections.abc import Mapping

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.commands.log_opts import given_log_opts
from plugin.commands.rules_in_force import RULES_SETTINGS, rules_in_force
from plugin.config.effective import Rules
from plugin.config.files import ELSEWHERE, FileAccess, restricted
from plugin.config.options import start_faults
from plugin.config.profiles import Redirect
from plugin.config.start import parse_start
from plugin.delivery.report import read_status
from plugin.docker.info import short_id
from plugin.errors import OptionError, PeaveyError
from plugin.journal.cursors.store import instances_with_cursors
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata, require_metadata
from plugin.journal.redirects import ask, read_redirect, remove_redirect, write_redirect

SUMMARY = "send the logs of existing containers elsewhere, or back"
DESCRIPTION = """\
Give containers that exist already other log-opts, which hold instead of their own until --undo: over restarts of the
container, of the plugin and of the engine, and upgrades. Log-opts that choose sinks, or profiles, take the place of
those that the container has; others change what it has. The running plugin follows within seconds; one that does not
run does when it is started. Files that log-opts name are read by the plugin, not by this command.
"""
SETTINGS = ["data", *RULES_SETTINGS]

_TAKEN_UP_WITHIN = 1_000_000_000
_ALL_REPORT_WITHIN = 3_000_000_000
_PATIENCE = 6_000_000_000
"""Nanoseconds, as delivery reports every second."""
_PAUSE = 0.1


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
    rules = rules_in_force(data, arguments, os.environ)
    redirects = [_redirect(data, rules, one, options, start) for one in found]
    judged_later: set[str] = set()
    for metadata, (redirect, is_judged) in zip(found, redirects, strict=True):
        write_redirect(data.container(metadata.info.container_id), redirect)
        sinks = [choice.instance for choice in rules.outline(metadata.info, redirect).sinks]
        print(f"{metadata.info.label}: redirected; sinks: {', '.join(sinks) or 'none'}", flush=True)
        if not is_judged:
            judged_later |= {f"{short_id(metadata.info.container_id)} {instance}: " for instance in sinks}
    asked = time.time_ns()
    ask(data)
    return _verdict(data, asked, tuple(judged_later)) if judged_later else 0


def _redirect(
    data: DataFolder, rules: Rules, metadata: JournalMetadata, options: Mapping[str, str], start: float
) -> tuple[Redirect, bool]:
    """Return the redirect of a container, and whether all of it can be judged here, where files may be others.

    Raises ``OptionError`` with all faults of the log-opts.
    """
    redirect = Redirect(number=_next_number(data, metadata), options=dict(options), since=time.time_ns(), start=start)
    with restricted(FileAccess(elsewhere=True)):
        effective, found = rules.read(metadata.info, redirect)
        all_faults = list(dict.fromkeys(found))
        for choice in effective.sinks:
            if not choice.faults:
                all_faults += start_faults(choice, metadata.info)
    faults = [fault for fault in all_faults if not fault.endswith(ELSEWHERE)]
    if faults:
        raise OptionError([f"{metadata.info.label}: {fault}" for fault in faults])
    return redirect, not all_faults


def _verdict(data: DataFolder, asked: int, sinks: tuple[str, ...]) -> int:
    """Wait for what the running plugin says of sinks whose files it alone can judge; return 1 if it cannot use one.

    ``sinks`` are the beginnings of its faults.
    """
    while True:
        since = time.time_ns() - asked
        reports = [report for report in read_status(data) if report.written > asked + _TAKEN_UP_WITHIN]
        faults = sorted({fault for report in reports for fault in report.faults if fault.startswith(sinks)})
        if faults or since > _PATIENCE or (reports and since > _ALL_REPORT_WITHIN):
            break
        time.sleep(_PAUSE)
    for fault in faults:
        print(f"peavey: {fault} (--undo takes the redirect back)", file=sys.stderr)
    if not reports:
        print("peavey: the plugin does not run; files that log-opts name are looked at when it does", file=sys.stderr)
    return 1 if faults else 0


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
    return require_metadata(data.container(find_container(data, container)))

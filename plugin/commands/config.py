"""``peavey config``: check a file of profiles, or show the log-opts in force for a container."""

import argparse
import os
import sys
from pathlib import Path

import msgspec

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.config.effective import Rules
from plugin.config.settings import load_settings
from plugin.errors import ProfilesError
from plugin.journal.accepted_profiles import read_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import require_metadata
from plugin.journal.redirects import read_redirect
from plugin.sinks.registry import schema

SUMMARY = "check a file of profiles, or show the log-opts in force for a container"
DESCRIPTION = """\
'check FILE' checks a file of profiles and routes as the plugin does before it brings it into force, and names every
fault with its line. 'show CONTAINER' prints each log-opt in force for a container, and where it came from, by what the
running plugin goes by; secrets are masked.
"""
SETTINGS = ["data", "log_opts"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("check", "show"), help="check a file of profiles, or show a container")
    parser.add_argument("what", metavar="FILE|CONTAINER", help="the file; or the container's id, or its name")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check or show; returns 1 for faults. Raises ``PeaveyError``."""
    return _check(arguments) if arguments.action == "check" else _show(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from plugin.config.profiles_file import read_profiles  # noqa: PLC0415 (the other action needs no YAML)

    log_opts = load_settings(vars(arguments), os.environ, schema(), ["log_opts"]).log_opts
    try:
        profiles = read_profiles(Path(arguments.what), schema(), log_opts)
    except ProfilesError as error:
        if arguments.json:
            _print_json({"file": arguments.what, "profiles": [], "routes": 0, "faults": list(error.faults)})
            return 1
        for fault in error.faults:
            print(f"{arguments.what}: {fault}", file=sys.stderr)
        return 1
    if arguments.json:
        shown: dict[str, object] = {
            "file": arguments.what,
            "profiles": [*profiles.profiles],
            "routes": len(profiles.routes),
            "faults": [],
        }
        _print_json(shown)
        return 0
    print(f"{arguments.what}: {len(profiles.profiles)} profiles, {len(profiles.routes)} routes, no faults")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    data = DataFolder(find_data(arguments, os.environ))
    folder = data.container(find_container(data, arguments.what))
    metadata = require_metadata(folder)
    accepted = read_accepted(data)
    given = load_settings(vars(arguments), os.environ, schema(), ["log_opts"]).log_opts
    rules = Rules(given or accepted.log_opts, schema(), accepted.profiles)
    redirect = read_redirect(folder)
    chosen = rules.chosen(metadata.info, redirect)
    _, faults = rules.read(metadata.info, redirect)
    if arguments.json:
        shown: dict[str, object] = {
            "container_id": metadata.info.container_id,
            "container_name": metadata.info.name,
            "redirected": redirect is not None,
            "profiles": None if chosen is None else list(chosen),
            "log_opts": [one._asdict() for one in rules.in_force(metadata.info, redirect)],
            "faults": list(faults),
        }
        _print_json(shown)
        return 1 if faults else 0
    print(f"container {metadata.info.label}")
    if chosen is not None:
        by = "by its log-opts" if "profile" in rules.own_options(metadata.info, redirect) else "by a route"
        print(f"profiles: {', '.join(chosen) or 'none'} ({by})")
    for line in rules.explain(metadata.info, redirect):
        print(line)
    for fault in faults:
        print(f"fault: {fault}")
    return 1 if faults else 0


def _print_json(shown: dict[str, object]) -> None:
    print(msgspec.json.encode(shown).decode())

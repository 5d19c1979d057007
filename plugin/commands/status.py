"""``peavey status``: show a running plugin's status."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from plugin.commands.discovery import find_socket
from plugin.config.parsing import parse_duration
from plugin.errors import PeaveyError
from plugin.status.client import ask_status, read_status
from plugin.status.model import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

SUMMARY = "show what came in, what went out, and what waits or fails"
DESCRIPTION = """\
Show the status of a running plugin: containers and how far each sink has got, destinations and their errors, the
disk. The plugin is found by itself; run as root on the host to find a managed one.
"""
SETTINGS = ["socket"]

_SHORTEST_INTERVAL = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("-w", "--watch", action="store_true", help="refresh until Ctrl-C, with rates")
    parser.add_argument("--interval", default="2s", metavar="TIME", help="how often, with --watch (default: 2s)")
    parser.add_argument("--json", action="store_true", help="print it as JSON, with --watch as one line each time")


def run(arguments: argparse.Namespace) -> int:
    """Show the status. Raises ``PeaveyError`` if no plugin, or more than one, is found."""
    interval = _interval(arguments.interval)
    if not arguments.watch:
        content = ask_status(find_socket(arguments, os.environ))
        if arguments.json:
            print(msgspec.json.format(content, indent=2).decode())
        else:
            _print(read_status(content), None)
        return 0
    path = find_socket(arguments, os.environ)
    if arguments.json:
        _watch_json(path, interval)
    elif sys.stdout.isatty():
        _watch(arguments, path, interval)
    else:
        _watch_plain(path, interval)
    return 0


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as fault:
        raise PeaveyError(f"--interval: {fault}") from None
    return max(_SHORTEST_INTERVAL, seconds)


def _print(status: Status, before: Status | None) -> None:
    from plugin.commands.status_tables import render_status  # noqa: PLC0415 (rich is for those who look at it only)
    from plugin.commands.terminal import console  # noqa: PLC0415

    console().print(render_status(status, before))


def _watch_json(path: Path, interval: float) -> None:
    while True:
        print(ask_status(path).decode(), flush=True)
        time.sleep(interval)


def _watch_plain(path: Path, interval: float) -> None:
    before = None
    while True:
        status = read_status(ask_status(path))
        _print(status, before)
        print(flush=True)
        before = status
        time.sleep(interval)


def _watch(arguments: argparse.Namespace, path: Path, interval: float) -> None:
    """Show it in place; while the plugin is away, say so and look for it again."""
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from plugin.commands.status_tables import render_status  # noqa: PLC0415
    from plugin.commands.terminal import console  # noqa: PLC0415

    before: Status | None = None
    shown: RenderableType = ""
    with Live(console=console(), screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            try:
                status = read_status(ask_status(path))
                shown = render_status(status, before)
                before = status
            except PeaveyError as error:
                shown = Text(f"peavey: {error}", "bold red")
                path = _find_again(arguments, path)
            live.update(shown, refresh=True)
            time.sleep(interval)


def _find_again(arguments: argparse.Namespace, path: Path) -> Path:
    try:
        return find_socket(arguments, os.environ)
    except PeaveyError:
        return path

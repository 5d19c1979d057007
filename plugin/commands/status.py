"""``peavey status``: show a running plugin's status."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from plugin.commands.discovery import find_socket
from plugin.commands.status_selection import Selection, selected
from plugin.config.parsing import parse_duration
from plugin.errors import PeaveyError
from plugin.status.client import ask_status, read_status
from plugin.status.model import Status

if TYPE_CHECKING:
    from rich.text import Text

SUMMARY = "show what came in, what went out, and what waits or fails"
DESCRIPTION = """\
Show the status of a running plugin: what needs attention first, then destinations, and containers with how far each
sink has got, running ones before stopped ones. The plugin is found by itself; run as root on the host to find a
managed one.
"""
SETTINGS = ["socket"]

_SHORTEST_INTERVAL = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "names", metavar="CONTAINER", nargs="*", help="only these: name, pattern such as 'web*', or beginning of the id"
    )
    parser.add_argument("--running", action="store_true", help="only containers that run")
    parser.add_argument("--failing", action="store_true", help="only what is in trouble, or late")
    parser.add_argument("-a", "--all", action="store_true", help="also stopped containers with nothing left to deliver")
    parser.add_argument("-w", "--watch", action="store_true", help="refresh until q, with rates; scrolls")
    parser.add_argument("--interval", default="2s", metavar="TIME", help="how often, with --watch (default: 2s)")
    parser.add_argument("--json", action="store_true", help="print it as JSON, with --watch as one line each time")


def run(arguments: argparse.Namespace) -> int:
    """Show the status. Raises ``PeaveyError`` if no plugin, or more than one, is found, or a name means nothing."""
    interval = _interval(arguments.interval)
    selection = Selection(tuple(arguments.names), arguments.running, arguments.failing, arguments.all)
    path = find_socket(arguments, os.environ)
    if not arguments.watch:
        content = ask_status(path)
        if arguments.json:
            print(msgspec.json.format(_choose(content, selection), indent=2).decode())
        else:
            _print(read_status(content), None, selection)
    elif arguments.json:
        _watch_json(path, interval, selection)
    elif sys.stdout.isatty():
        _watch(arguments, path, interval, selection)
    else:
        _watch_plain(path, interval, selection)
    return 0


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as fault:
        raise PeaveyError(f"--interval: {fault}") from None
    return max(_SHORTEST_INTERVAL, seconds)


def _choose(content: bytes, selection: Selection) -> bytes:
    """Return what is wanted of a status; all of it is passed on as it is, whatever version the plugin has."""
    if selection.is_whole:
        return content
    return msgspec.json.encode(selected(read_status(content), selection))


def _print(status: Status, before: Status | None, selection: Selection) -> None:
    from plugin.commands.status_tables import render_status  # noqa: PLC0415 (rich is for those who look at it only)
    from plugin.commands.terminal import print_lines, room  # noqa: PLC0415

    print_lines(render_status(status, before, room(), selection))


def _watch_json(path: Path, interval: float, selection: Selection) -> None:
    while True:
        print(_choose(ask_status(path), selection).decode(), flush=True)
        time.sleep(interval)


def _watch_plain(path: Path, interval: float, selection: Selection) -> None:
    before = None
    while True:
        status = read_status(ask_status(path))
        _print(status, before, selection)
        print(flush=True)
        before = status
        time.sleep(interval)


def _watch(arguments: argparse.Namespace, path: Path, interval: float, selection: Selection) -> None:
    """Show it in place; while the plugin is away, say so and look for it again."""
    from rich.text import Text  # noqa: PLC0415

    from plugin.commands.pager import watch  # noqa: PLC0415
    from plugin.commands.status_tables import render_status  # noqa: PLC0415
    from plugin.commands.terminal import console  # noqa: PLC0415

    screen = console()
    before: Status | None = None

    def lines() -> "Sequence[Text]":
        nonlocal before, path
        try:
            status = read_status(ask_status(path))
            shown = render_status(status, before, screen.width, selection)
        except PeaveyError as error:
            path = _find_again(arguments, path)
            return [Text(f"peavey: {line}", "bold red") for line in str(error).splitlines()]
        before = status
        return shown

    watch(screen, lines, interval)


def _find_again(arguments: argparse.Namespace, path: Path) -> Path:
    try:
        return find_socket(arguments, os.environ)
    except PeaveyError:
        return path

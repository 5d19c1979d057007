"""``peavey options``: what ``--log-opt`` accepts."""

import argparse
import shutil

from plugin.config.options_page import render_markdown, render_terminal
from plugin.sinks.registry import schema

SUMMARY = "print what --log-opt accepts"
DESCRIPTION = """\
Print the reference of all log-opts: for 'docker run --log-opt NAME=VALUE', the logging block of a Compose file, or
log-opts in the engine's daemon.json.
"""
SETTINGS: list[str] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--markdown", action="store_true", help="print it as the page of the documentation")


def run(arguments: argparse.Namespace) -> int:
    """Print the reference."""
    if arguments.markdown:
        print(render_markdown(schema()), end="")
    else:
        print(render_terminal(schema(), width=min(shutil.get_terminal_size().columns, 120)), end="")
    return 0

"""``peavey options``: what ``--log-opt`` accepts."""

import argparse
import shutil
from collections.abc import Callable
from typing import Any

import msgspec

from plugin.config.options_page import describe, render_markdown, render_terminal
from plugin.sinks.clickhouse.columns import OTEL_COLUMNS, OTEL_TABLE, create_table, parse_columns, parse_table
from plugin.sinks.registry import schema

SUMMARY = "print what --log-opt accepts"
DESCRIPTION = """\
Print the reference of all log-opts: for 'docker run --log-opt NAME=VALUE', the logging block of a Compose file, or
log-opts in the engine's daemon.json.
"""
SETTINGS: list[str] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--json", action="store_true", help="print it as JSON, one log-opt a line")
    parser.add_argument("--markdown", action="store_true", help="print it as the page of the documentation")
    parser.add_argument(
        "--create-table",
        nargs="?",
        const=OTEL_TABLE,
        type=_checked(parse_table),
        metavar="TABLE",
        help=f"print instead the statement that makes a table of ClickHouse for the sink clickhouse ({OTEL_TABLE})",
    )
    parser.add_argument(
        "--columns",
        type=_checked(parse_columns),
        default=OTEL_COLUMNS,
        metavar="COLUMN=FIELD,…",
        help="the table's columns, as in clickhouse-columns (those of ClickStack)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the reference, or the statement."""
    if arguments.create_table:
        print(create_table(arguments.create_table, arguments.columns) + ";")
    elif arguments.json:
        for option in describe(schema()):
            print(msgspec.json.encode(option).decode())
    elif arguments.markdown:
        print(render_markdown(schema()), end="")
    else:
        print(render_terminal(schema(), width=min(shutil.get_terminal_size().columns, 120)), end="")
    return 0


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Have a value's fault told in its own words."""

    def parse_or_tell(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_or_tell

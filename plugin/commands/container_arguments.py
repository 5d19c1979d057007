"""The arguments by which a command is told containers: names, and flags that choose by label."""

import argparse
import sys
from collections.abc import Mapping

from plugin.browse.selection import Journal, Selection, Wanted, describe_older, select
from plugin.journal.layout import DataFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add names and the flags that choose containers."""
    parser.add_argument(
        "names",
        metavar="CONTAINER",
        nargs="*",
        help="its name, a pattern such as 'web*', its id or the beginning of it, or the name of a Swarm service",
    )
    parser.add_argument(
        "--project", action="append", default=[], metavar="NAME", help="containers of this Compose project or stack"
    )
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="containers of this Compose or Swarm service"
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="KEY[=VALUE]", help="containers with this label"
    )


def require_some(arguments: argparse.Namespace) -> None:
    """Exit with the usage if nothing chooses containers; ``wrong_usage`` is the parser's ``error``, ``all`` a flag."""
    if not (arguments.names or arguments.project or arguments.service or arguments.label or arguments.all):
        arguments.wrong_usage("name a CONTAINER, or choose with --project, --service, --label or --all")


def choose(journals: Mapping[str, Journal], wanted: Wanted, data: DataFolder) -> Selection:
    """Return the containers that are wanted, and tell of older ones of the same names. Raises as ``select`` does."""
    chosen = select(journals, wanted, data)
    for message in describe_older(chosen.older):
        print(f"peavey: {message}", file=sys.stderr)
    return chosen


def wanted_by(arguments: argparse.Namespace, *, everything: bool) -> Wanted:
    """Return what the flags ask for."""
    return Wanted(
        names=tuple(arguments.names),
        projects=tuple(arguments.project),
        services=tuple(arguments.service),
        labels=tuple(arguments.label),
        everything=everything,
    )

"""The arguments by which a command is told containers: names, and flags that choose by label."""

import argparse

from plugin.browse.selection import Wanted


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


def wanted_by(arguments: argparse.Namespace, *, everything: bool) -> Wanted:
    """Return what the flags ask for."""
    return Wanted(
        names=tuple(arguments.names),
        projects=tuple(arguments.project),
        services=tuple(arguments.service),
        labels=tuple(arguments.label),
        everything=everything,
    )

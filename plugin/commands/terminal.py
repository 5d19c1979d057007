"""The console on which tables are printed."""

import os
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def console() -> Console:
    """Return a console for stdout: colours only on a terminal, and none where ``NO_COLOR`` is set (no-color.org)."""
    terminal = sys.stdout.isatty()
    return Console(
        force_terminal=terminal,
        no_color=bool(os.environ.get("NO_COLOR")),
        markup=False,
        highlight=False,
        emoji=False,
    )


def room() -> int | None:
    """Return how many characters fit into a line; None for a pipe or a file, where nothing is to be cut.

    ``COLUMNS`` holds there as well: watch(1) sets it.
    """
    return console().width if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal() else None


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines as they are, which are to fit into ``room`` already."""
    out = console()
    for line in lines:
        out.print(line, soft_wrap=True)
    sys.stdout.flush()

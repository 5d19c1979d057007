"""The console on which tables are printed."""

import os
import sys

from rich.console import Console

_WIDTH_ELSEWHERE = 200


def console() -> Console:
    """Make a console for stdout; what does not go to a terminal gets room for whole lines."""
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if narrow else _WIDTH_ELSEWHERE, markup=False, highlight=False, emoji=False)

"""The arguments ``--since`` and ``--until``."""

import argparse
import time

from plugin.browse.timestamps import parse_moment
from plugin.errors import PeaveyError


def read_span(arguments: argparse.Namespace) -> tuple[int, int]:
    """Return ``since`` and ``until`` in nanoseconds since 1970 UTC, 0 where not given. Raises ``PeaveyError``."""
    return _moment(arguments, "since"), _moment(arguments, "until")


def _moment(arguments: argparse.Namespace, flag: str) -> int:
    text = getattr(arguments, flag)
    try:
        return parse_moment(text, time.time_ns()) if text else 0
    except ValueError as error:
        raise PeaveyError(f"--{flag}: {error}") from None

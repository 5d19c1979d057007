"""Levels as they are asked for, and as they are shown."""

from collections.abc import Callable

from plugin.config.parsing import hint, quote
from plugin.config.shaping_kinds import LEVELS
from plugin.errors import PeaveyError
from plugin.journal.lines import Line
from plugin.transforms.levels import level_in


def at_least(level: str) -> Callable[[Line], bool]:
    """Return a check that a line's beginning names a level or a higher one. Raises ``PeaveyError`` for a wrong name."""
    number = LEVELS.get(level.lower())
    if number is None:
        raise PeaveyError(f"level: {quote(level)} is not a level{hint(level, LEVELS)} (expected: {', '.join(LEVELS)})")
    return lambda line: level_in(line.text) >= number


def level_name(line: Line) -> str:
    """Return the name of the level that a line's beginning says, empty if it says none."""
    number = level_in(line.text)
    return max((name for name in LEVELS if LEVELS[name] <= number), key=LEVELS.__getitem__) if number else ""

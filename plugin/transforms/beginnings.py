"""Patterns that say how a line begins, such as that of a date, matched by the standard library.

What it costs to call RE2 is more than what these need.
"""

import math
import re
from collections.abc import Callable

_CHARACTER = (
    r"(?:[A-Za-z0-9 _,:;/=<>@#%&!~'\"-]|\\[d\\.+*?()|\[\]{}^$/-]|\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|[ ,.:;/_+*])++\])"
    r"(?:\{[1-9][0-9]?\})?"
)
_CHOICE = rf"\(\?:(?:{_CHARACTER})++(?:\|(?:{_CHARACTER})++)*+\)"
_SIMPLE = re.compile(rf"\^(?:{_CHARACTER}|{_CHOICE})++", re.ASCII)
_CHOICES = re.compile(_CHOICE, re.ASCII)
_MOST_WAYS = 1_000


def match_beginning(pattern: str) -> Callable[[bytes], object] | None:
    """Return what says as a pattern does whether a line begins so; None if the pattern is not simple enough.

    It is if it means the same to RE2 and to ``re``, and can be tried in few ways only: ``^``, and behind it ASCII
    characters and classes of these, each a fixed number of times, and choices between such texts.
    """
    if not _SIMPLE.fullmatch(pattern):
        return None
    if math.prod(choice.count("|") + 1 for choice in _CHOICES.findall(pattern)) > _MOST_WAYS:
        return None
    return re.compile(pattern.encode()).match

"""RE2 patterns over the bytes of lines: linear in the line's length, whatever pattern and line are."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol, cast

import re2

Finds = Callable[[bytes], bool]
"""Returns whether a pattern is found in a line."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_WITHOUT_GROUPS = re2.Options()
_WITHOUT_GROUPS.log_errors = False
_WITHOUT_GROUPS.never_capture = True
_ANYWHERE = re2._re2.RE2.Anchor.UNANCHORED


class Match(Protocol):
    """Where a pattern was found."""

    def span(self, group: int = 0) -> tuple[int, int]:
        """Return begin and end of a group; -1 for one that took no part."""

    def group(self, group: int | str = 0) -> bytes | None:
        """Return the text of a group; None for one that took no part."""

    def groups(self) -> Sequence[bytes | None]:
        """Return the texts of all groups."""


class Pattern(Protocol):
    """A compiled pattern; it may be searched in bytes that are not UTF-8."""

    groups: int
    groupindex: dict[str, int]

    def search(self, text: bytes) -> Match | None:
        """Find the pattern anywhere."""

    def match(self, text: bytes) -> Match | None:
        """Find the pattern at the beginning."""

    def finditer(self, text: bytes) -> Iterator[Match]:
        """Find the pattern again and again, from left to right."""


@lru_cache(maxsize=1024)
def compile_bytes(text: str) -> Pattern:
    """Compile a pattern, once for all that use it. Raises ``re2.error``, which options were checked for before."""
    return cast("Pattern", re2.compile(text, _OPTIONS))


_LONGEST_SEARCH = 1 << 31


def most_matches(text: bytes) -> int:
    """Return how many matches of a pattern may be looked for in a text, so that the time is linear in its length.

    Each search is linear, but there are patterns, such as ``a.*b|a``, that have to look at all the rest of the text
    for each match.
    """
    return _LONGEST_SEARCH // max(1, len(text))


@lru_cache(maxsize=1024)
def finder(text: str) -> Finds:
    """Return what looks for a pattern: in half of the time, since it does not make an object of what it finds."""
    find = re2.compile(text, _WITHOUT_GROUPS)._regexp.Match

    def finds(line: bytes) -> bool:
        return bool(find(_ANYWHERE, line, 0, len(line))[0][0] >= 0)

    return finds


def any_of(texts: Sequence[str]) -> Finds:
    """Return the search for several patterns at once.

    It is one alternation and not an ``re2.Set``: a set whose automaton outgrows its memory reports that nothing
    matches, where a pattern goes on slower.
    """
    return finder("|".join(f"(?:{text})" for text in texts))

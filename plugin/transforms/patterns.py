"""RE2 patterns over the bytes of lines: linear in the line's length, whatever pattern and line are."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

import re2

from plugin.transforms.beginnings import match_beginning

Finds = Callable[[bytes], bool]
"""Returns whether a pattern is found in a line."""

Spans = Sequence[tuple[int, int]]
"""Begin and end of a match and of each of its groups; -1 for a group that took no part, and where nothing matches."""

RawMatch = Callable[[Any, bytes, int, int], Spans]
"""Looks for a pattern from `ANYWHERE` on in a text, between two positions."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_WITHOUT_GROUPS = re2.Options()
_WITHOUT_GROUPS.log_errors = False
_WITHOUT_GROUPS.never_capture = True
_IN_LINES = re2.Options()
_IN_LINES.log_errors = False
_IN_LINES.never_capture = True
_IN_LINES.never_nl = True

_NOWHERE = ((-1, -1),)


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


def raw_match(pattern: Any) -> RawMatch:
    """Return the search for a compiled pattern that does not make an object of what it finds, in half of the time.

    The library does not document it: should it lack it one day, its public search does the same, more slowly.
    """
    try:
        return cast("RawMatch", pattern._regexp.Match)
    except AttributeError:
        return _public_match(pattern)


class Groups:
    """A pattern whose named groups are to be known, again and again."""

    __slots__ = ("_match", "names")

    def __init__(self, text: str) -> None:
        compiled = compile_bytes(text)
        self._match = raw_match(compiled)
        self.names: tuple[tuple[str, int], ...] = tuple(compiled.groupindex.items())
        """The names, and the numbers of the groups that have them."""

    def search(self, text: bytes) -> Spans | None:
        """Find the pattern anywhere in a text; return where it and its groups are, None if it is not found."""
        spans = self._match(ANYWHERE, text, 0, len(text))
        return spans if spans[0][0] >= 0 else None


def _public_match(pattern: Any) -> RawMatch:
    groups = range(pattern.groups + 1)

    def match(_anchor: Any, text: bytes, start: int, end: int) -> Spans:
        found = pattern.search(text, start, end)
        return _NOWHERE if found is None else [found.span(group) for group in groups]

    return match


def _anywhere() -> Any:
    try:
        return re2._re2.RE2.Anchor.UNANCHORED
    except AttributeError:
        return None


ANYWHERE: Any = _anywhere()
"""What a `RawMatch` is to be given first."""


@lru_cache(maxsize=1024)
def finder(text: str) -> Finds:
    """Return what looks for a pattern in a line."""
    if (begins := match_beginning(text)) is not None:
        return _truth_of(begins)
    find, anywhere = raw_match(re2.compile(text, _WITHOUT_GROUPS)), ANYWHERE

    def finds(line: bytes) -> bool:
        return bool(find(anywhere, line, 0, len(line))[0][0] >= 0)

    return finds


def _truth_of(match: Callable[[bytes], object]) -> Finds:
    def finds(line: bytes) -> bool:
        return match(line) is not None

    return finds


def any_of(texts: Sequence[str]) -> Finds:
    """Return the search for several patterns at once.

    It is one alternation and not an ``re2.Set``: a set whose automaton outgrows its memory reports that nothing
    matches, where a pattern goes on slower.
    """
    return finder(alternation(texts))


def alternation(texts: Sequence[str]) -> str:
    """Return the pattern that matches what one of several does."""
    return "|".join(f"(?:{text})" for text in texts)


@lru_cache(maxsize=1024)
def match_in_lines(text: str) -> RawMatch:
    """Return the search for a pattern in lines with newlines between them; it finds it as in each of them alone.

    Not for patterns that tell the beginning or the end of a text from those of a line.
    """
    return raw_match(re2.compile(f"(?m){text}", _IN_LINES))

"""What a request asks for, read from its query: which containers, and which lines."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from plugin.browse.levels import at_least
from plugin.browse.selection import Wanted
from plugin.browse.timestamps import parse_moment
from plugin.config.parsing import hint, parse_int, quote
from plugin.errors import PeaveyError
from plugin.journal.search import SearchQuery
from plugin.journal.search_pattern import SearchPattern

MOST_LINES = 5_000
_STREAMS = ("stdout", "stderr")
_CONTAINERS = ("container", "project", "service", "label")
_LINES = ("q", "invert", "level", "stream", "since", "until")
_LONGEST_PATTERN = 4096


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a query. Raises ``PeaveyError`` for one that is unknown, or is not what it must be."""

    given: QueryParams

    def expect(self, *further: str) -> None:
        """Refuse parameters besides those that choose containers and lines, and ``further`` ones."""
        known = (*_CONTAINERS, *_LINES, *further)
        for name in self.given:
            if name not in known:
                raise PeaveyError(f"{quote(name)} is not a parameter{hint(name, known)} (expected: {', '.join(known)})")

    def wanted(self) -> Wanted:
        """Return which containers are meant; all without any condition."""
        names, projects, services, labels = (tuple(self.given.getlist(name)) for name in _CONTAINERS)
        return Wanted(names, projects, services, labels, everything=not (names or projects or services or labels))

    def lines(
        self, *, limit: int = -1, newest_first: bool = False, cancelled: Callable[[], bool] | None = None
    ) -> SearchQuery:
        """Return which lines are wanted."""
        pattern = self.given.get("q", "")
        if len(pattern) > _LONGEST_PATTERN:
            raise PeaveyError(f"q: the pattern has {len(pattern)} characters (at most {_LONGEST_PATTERN})")
        level = self.given.get("level", "")
        stream = self.given.get("stream", "")
        if stream and stream not in _STREAMS:
            raise PeaveyError(f"stream: {quote(stream)} is neither stdout nor stderr")
        return SearchQuery(
            pattern=SearchPattern(pattern) if pattern else None,
            invert=bool(pattern) and self.flag("invert"),
            since=self.moment("since"),
            until=self.moment("until"),
            source=stream,
            accepts=at_least(level) if level else None,
            limit=limit,
            newest_first=newest_first,
            context=self.number("context", 0, 0, 100),
            cancelled=cancelled,
        )

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        text = self.given.get(name, "")
        try:
            return parse_int(text, least, most) if text else default
        except ValueError as error:
            raise PeaveyError(f"{name}: {error}") from None

    def flag(self, name: str) -> bool:
        """Return whether a parameter is ``true``."""
        text = self.given.get(name, "false")
        if text not in ("true", "false"):
            raise PeaveyError(f"{name}: {quote(text)} is neither true nor false")
        return text == "true"

    def moment(self, name: str) -> int:
        """Return a time in nanoseconds since 1970 UTC, 0 if it is not given."""
        text = self.given.get(name, "")
        try:
            return parse_moment(text, time.time_ns()) if text else 0
        except ValueError as error:
            raise PeaveyError(f"{name}: {error}") from None

    def choice(self, name: str, *choices: str) -> str:
        """Return one of some words, the first if it is not given."""
        text = self.given.get(name, choices[0])
        if text not in choices:
            raise PeaveyError(
                f"{name}: {quote(text)} is not known{hint(text, choices)} (expected: {', '.join(choices)})"
            )
        return text

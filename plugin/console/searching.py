"""Answers about the past: lines that match, their histogram, and downloads. They run in threads and can be ended."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import orjson

from plugin.browse.levels import level_name
from plugin.browse.line_object import line_object
from plugin.browse.selection import Journal, Wanted, known_journals, select
from plugin.docker.times import format_time
from plugin.journal.layout import DataFolder
from plugin.journal.lines import Line
from plugin.journal.search import SearchCancelledError, SearchQuery, search_all

_LARGEST_ANSWER = 8 * 1024 * 1024
LONGEST = 30.0
"""Seconds after which a search returns what it has found."""


class Deadline:
    """Ends a search after some seconds, or when nobody waits for it any more."""

    def __init__(self, seconds: float = LONGEST) -> None:
        self._end = time.monotonic() + seconds
        self.left = False
        self.passed = False

    def __call__(self) -> bool:
        """Return whether the search is to end."""
        self.passed = self.passed or time.monotonic() > self._end
        return self.left or self.passed


class Search:
    """Searches in the containers that are wanted. Raises ``PeaveyError`` if none fits."""

    def __init__(self, data: DataFolder, wanted: Wanted) -> None:
        chosen = select(known_journals(data), wanted, data)
        self._data = data
        self._journals = {one.id: one for one in [*chosen.chosen, *(chosen.older if wanted.everything else ())]}

    def lines(self, query: SearchQuery) -> bytes:
        """Return the matches as JSON, in order of time: the oldest ones or, with ``newest_first``, the newest.

        ``more`` says whether there are more, since the limit, or what an answer may hold, was reached; ``timed_out``
        whether the search was ended before it had seen all.
        """
        found: list[dict[str, object]] = []
        size, more, timed_out = 0, False, False
        asked = replace(query, limit=query.limit + 1)
        try:
            for journal, line, before, after in self._matches(asked):
                if len(found) >= query.limit or size > _LARGEST_ANSWER:
                    more = True
                    break
                size += sum(len(one.text) for one in (line, *before, *after))
                shown = _shown(journal, line)
                if query.context:
                    shown["before"] = [_shown(journal, one) for one in before]
                    shown["after"] = [_shown(journal, one) for one in after]
                found.append(shown)
        except SearchCancelledError:
            timed_out = True
        if query.newest_first:
            found.reverse()
        return orjson.dumps({"lines": found, "more": more, "timed_out": timed_out})

    def histogram(self, query: SearchQuery, buckets: int) -> bytes:
        """Return how many lines match in each of so many equal spans of time, by level, as JSON."""
        counts: Counter[tuple[int, str]] = Counter()
        timed_out = False
        try:
            for _, line, _, _ in self._matches(query):
                counts[line.time_nano // 1_000_000_000, level_name(line)] += 1
        except SearchCancelledError:
            timed_out = True
        seconds = [second for second, _ in counts]
        first = query.since // 1_000_000_000 if query.since else min(seconds, default=0)
        last = query.until // 1_000_000_000 if query.until else max(seconds, default=0)
        width = max(1, -(-(last + 1 - first) // buckets))
        spans: list[dict[str, int]] = [{} for _ in range(-(-(last + 1 - first) // width))] if counts else []
        for (second, level), count in counts.items():
            place = (second - first) // width
            if 0 <= place < len(spans):
                spans[place][level or "none"] = spans[place].get(level or "none", 0) + count
        return orjson.dumps(
            {
                "begin": format_time(first * 1_000_000_000) if counts else None,
                "seconds": width,
                "spans": spans,
                "timed_out": timed_out,
            }
        )

    def download(self, query: SearchQuery, *, as_json: bool) -> Iterator[bytes]:
        """Yield the matches, oldest first, as text or NDJSON, some at a time; an ended search ends it."""
        several = len(self._journals) > 1
        piece: list[bytes] = []
        size = 0
        for journal, line, _, _ in self._matches(query):
            if as_json:
                piece += (orjson.dumps(line_object(journal, line)), b"\n")
            else:
                prefix = f"{journal.shown} | ".encode() if several else b""
                piece += (prefix, line.text, b"\n")
            size += len(piece[-2])
            if size > 65_536:
                yield b"".join(piece)
                piece, size = [], 0
        yield b"".join(piece)

    def _matches(self, query: SearchQuery) -> Iterator[tuple[Journal, Line, tuple[Line, ...], tuple[Line, ...]]]:
        folders = {name: self._data.container(name) for name in self._journals}
        for one in search_all(folders, query):
            yield self._journals[one.key], one.match.line, one.match.before, one.match.after


def _shown(journal: Journal, line: Line) -> dict[str, object]:
    return {**line_object(journal, line), "offset": line.offset}

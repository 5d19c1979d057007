"""Searching journals at the speed of the disk: raw segments are scanned, and only frames with a hit are decoded.

A journal is walked window by window. A window lies between two points of the index at which no line is incomplete, so
each can be searched by itself, in either direction. Within it, bytes that may be a match are found first (see
``SearchPattern.candidates``); the index leads from there to the frame. Where lines come in parts, or the bytes are not
the frames that the index promises, all lines are decoded and looked at.
"""

import bisect
import heapq
import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from plugin.docker.frames import HEADER_SIZE, MAX_FRAME_SIZE, Fields, entry_size
from plugin.docker.partials import source_index
from plugin.journal.corruption import damage_at
from plugin.journal.layout import list_segments
from plugin.journal.lines import Line, LineDecoder
from plugin.journal.reader import JournalReader
from plugin.journal.search_pattern import SearchPattern
from plugin.journal.seeking import journal_end, segment_points

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20
_PARTIAL = b"\x20\x01"
"""The field of a LogEntry that says that it is a part, as the engine writes it."""
_FEW = 64
_SOURCES = ("stdout", "stderr")
_KEPT_WINDOWS = 4

Key = TypeVar("Key")


class SearchCancelledError(Exception):
    """Raised by a search whose ``cancelled`` returned true."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Which lines are wanted.

    ``pattern``
        what a line must contain, None for any; with ``invert``, what it must not contain
    ``since``, ``until``
        the first and the last time that a line may have, nanoseconds since 1970 UTC, 0 for no bound
    ``source``
        ``stdout`` or ``stderr``, empty for both
    ``accepts``
        a further condition, such as one on the line's level; None for none
    ``limit``
        return so many matches at most, below 0 for all
    ``newest_first``
        begin at the journal's end
    ``context``
        how many lines to return before and behind each match
    ``cancelled``
        asked about once a mebibyte; the search ends with ``SearchCancelledError`` once it returns true
    """

    pattern: SearchPattern | None = None
    invert: bool = False
    since: int = 0
    until: int = 0
    source: str = ""
    accepts: Callable[[Line], bool] | None = None
    limit: int = -1
    newest_first: bool = False
    context: int = 0
    cancelled: Callable[[], bool] | None = None

    def wants(self, line: Line) -> bool:
        """Return whether a line is a match."""
        if self.source and line.source != self.source:
            return False
        if line.time_nano < self.since or (self.until and line.time_nano > self.until):
            return False
        if self.pattern is not None and self.pattern.matches(line.text) is self.invert:
            return False
        return self.accepts is None or self.accepts(line)


class Match(NamedTuple):
    """A line that was found, and the lines around it, oldest first; several matches may share such lines."""

    line: Line
    before: tuple[Line, ...] = ()
    after: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerMatch(Generic[Key]):
    """A match, and the key of the journal that it was found in."""

    key: Key
    match: Match


class _Window(NamedTuple):
    """A stretch of a journal: ``cuts`` are offsets of frames, the first its beginning and the last its end.

    ``latest`` is the largest time that a line in it may have.
    """

    cuts: tuple[int, ...]
    latest: float


def search(folder: Path, query: SearchQuery) -> Iterator[Match]:
    """Yield the matches in a journal as it is now, in its order or, with ``newest_first``, in the opposite one.

    A line that is incomplete at the end counts as it is. What retention removes meanwhile is not found. Raises
    ``OSError`` if the journal cannot be read, ``SearchCancelledError`` if the query says so.
    """
    if query.limit == 0:
        return
    journal = _Journal(folder, query)
    found = 0
    try:
        order = range(len(journal.windows))
        for number in reversed(order) if query.newest_first else order:
            if journal.windows[number].latest < query.since:
                continue
            hits: Iterator[Line] = journal.hits(number)
            if query.newest_first:
                hits = reversed(deque(hits, None if query.limit < 0 else query.limit - found))
            for line in hits:
                yield journal.with_context(number, line) if query.context else Match(line)
                found += 1
                if found == query.limit:
                    return
    finally:
        journal.close()


def search_all(folders: Mapping[Key, Path], query: SearchQuery) -> Iterator[ContainerMatch[Key]]:
    """Yield the matches in several journals, merged by time; the query's limit holds for all of them together.

    Raises as ``search`` does; a journal that is removed meanwhile ends early.
    """
    each = [_keyed(key, search(folder, query)) for key, folder in folders.items()]
    sign = -1 if query.newest_first else 1
    merged = heapq.merge(*each, key=lambda found: sign * found.match.line.time_nano)
    try:
        for number, found in enumerate(merged, 1):
            yield found
            if number == query.limit:
                return
    finally:
        for one in each:
            one.close()


def _keyed(key: Key, matches: Iterator[Match]) -> "_Keyed[Key]":
    return _Keyed(key, matches)


class _Keyed(Generic[Key]):
    """An iterator over the matches of one journal, with its key, that can be closed."""

    def __init__(self, key: Key, matches: Iterator[Match]) -> None:
        self._key = key
        self._matches = matches

    def __iter__(self) -> Iterator[ContainerMatch[Key]]:
        return self

    def __next__(self) -> ContainerMatch[Key]:
        return ContainerMatch(self._key, next(self._matches))

    def close(self) -> None:
        close = getattr(self._matches, "close", None)
        if close is not None:
            close()


class _Journal:
    """One journal during a search: its windows, oldest first, and what they contain."""

    def __init__(self, folder: Path, query: SearchQuery) -> None:
        self._folder = folder
        self._query = query
        self._end = journal_end(folder)
        self._reader: JournalReader | None = None
        self._decoded: dict[int, list[Line]] = {}
        pattern = query.pattern
        self._candidates = None if pattern is None or query.invert else pattern.candidates
        self.windows = self._list_windows()

    def close(self) -> None:
        """Close the journal's files."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def hits(self, number: int) -> Iterator[Line]:
        """Yield the lines of a window that are matches, in the journal's order."""
        wants = self._query.wants
        return (line for line in self._lines(number, self._candidates) if wants(line))

    def with_context(self, number: int, line: Line) -> Match:
        """Return a match in a window with the lines around it."""
        wanted = self._query.context
        lines = self._decode(number)
        place = next(place for place, other in enumerate(lines) if other == line)
        before, after = lines[max(0, place - wanted) : place], lines[place + 1 : place + 1 + wanted]
        earlier, later = number, number
        while len(before) < wanted and earlier > 0:
            earlier -= 1
            before = [*self._decode(earlier)[-(wanted - len(before)) :], *before]
        while len(after) < wanted and later + 1 < len(self.windows):
            later += 1
            after = [*after, *self._decode(later)[: wanted - len(after)]]
        return Match(line, tuple(before), tuple(after))

    def _decode(self, number: int) -> list[Line]:
        """Return all lines of a window; those of the last few are kept."""
        if number not in self._decoded:
            while len(self._decoded) >= _KEPT_WINDOWS:
                del self._decoded[next(iter(self._decoded))]
            self._decoded[number] = list(self._lines(number, None))
        return self._decoded[number]

    def _list_windows(self) -> list[_Window]:
        """Cut the journal at points where no line is incomplete, about a mebibyte apart.

        A compressed segment is one window, since it can only be decompressed from its beginning on.
        """
        segments = [segment for segment in list_segments(self._folder) if segment.base < self._end]
        windows: list[_Window] = []
        cuts: list[int] = []
        latest = -math.inf
        for number, segment in enumerate(segments):
            newest = number == len(segments) - 1
            limit = self._end if newest else segments[number + 1].base
            points = segment_points(self._folder, segment.base, limit, newest=newest)
            for point in points:
                clean = point.resume == point.offset
                far = bool(cuts) and point.offset - cuts[0] >= _CHUNK and not segment.compressed
                if clean and cuts and (far or point is points[0]):
                    windows.append(_Window((*cuts, point.offset), latest))
                    cuts, latest = [], -math.inf
                cuts.append(point.offset)
                latest = max(latest, point.latest)
            latest = math.inf if newest else latest
        if cuts and cuts[-1] < self._end:
            cuts.append(self._end)
        if len(cuts) > 1:
            windows.append(_Window(tuple(cuts), math.inf))
        return windows

    def _lines(self, number: int, candidates: Callable[[bytes, int], int] | None) -> Iterator[Line]:
        """Yield the lines of a window; those without candidates for a match may be left out."""
        cuts = self.windows[number].cuts
        end = cuts[-1]
        decoder = LineDecoder()
        reader = self._reader_at(cuts[0])
        while reader.offset < end:
            if self._query.cancelled is not None and self._query.cancelled():
                raise SearchCancelledError
            stop = self._stop(cuts, reader.offset)
            chunk = reader.peek(stop - reader.offset)
            offset = reader.offset
            if not chunk or offset >= end:
                break
            whole = offset + len(chunk) == stop
            if candidates is not None and whole and not decoder.holds and not _may_have_parts(chunk):
                lines = _scan(chunk, offset, cuts, candidates)
                if lines is not None:
                    reader.advance(len(chunk))
                    yield from lines
                    continue
            yield from self._decode_chunk(reader, decoder, chunk, end)
        if end == self._end:
            decoder.flush(reader.offset)
            yield from decoder.take()

    def _stop(self, cuts: tuple[int, ...], offset: int) -> int:
        """Return where to cut next: at the last cut within reach, or the first behind it."""
        place = bisect.bisect_right(cuts, offset + _CHUNK) - 1
        return cuts[place] if cuts[place] > offset else min(cuts[place + 1], offset + MAX_FRAME_SIZE)

    def _decode_chunk(self, reader: JournalReader, decoder: LineDecoder, chunk: bytes, end: int) -> Iterator[Line]:
        """Yield the lines of a chunk, over what is damaged; what is missing at the end ends the window."""
        used = decoder.feed(chunk, reader.offset)
        if not used:
            used = decoder.feed(reader.peek(min(MAX_FRAME_SIZE, end - reader.offset)), reader.offset)
        reader.advance(used)
        yield from decoder.take()
        if used:
            return
        skipped = damage_at(reader, ended=True)
        if skipped and reader.offset + skipped < end:
            reader.advance(skipped)
        elif not reader.next_segment():
            reader.advance(end - reader.offset)

    def _reader_at(self, offset: int) -> JournalReader:
        """Return the reader at an offset: the one that has read up to it, or a new one."""
        if self._reader is None or self._reader.offset != offset:
            self.close()
            self._reader = JournalReader(self._folder, offset)
        return self._reader


def _may_have_parts(chunk: bytes) -> bool:
    """Return whether there may be parts of lines in a chunk.

    The last byte of what tells them is rare, and looked for at the speed of memory; blanks are not.
    """
    position = -1
    for _ in range(_FEW):
        position = chunk.find(_PARTIAL[1], position + 1)
        if position < 0:
            return False
        if position > 0 and chunk[position - 1] == _PARTIAL[0]:
            return True
    return chunk.find(_PARTIAL, position) >= 0


def _scan(
    chunk: bytes, offset: int, cuts: tuple[int, ...], candidates: Callable[[bytes, int], int]
) -> list[Line] | None:
    """Return the lines of a chunk with candidates; None if it does not consist of frames as far as that was seen."""
    hit = candidates(chunk, 0)
    if hit < 0:
        return []
    lines: list[Line] = []
    fields = Fields()
    size = len(chunk)
    position = 0
    while hit >= 0:
        cut = cuts[bisect.bisect_right(cuts, offset + hit) - 1] - offset
        position = max(position, cut)
        end = position
        while end <= hit:
            position = end
            if size - position < HEADER_SIZE:
                return None
            end = position + HEADER_SIZE + entry_size(chunk, position)
            if end > size or end == position + HEADER_SIZE:
                return None
        if not fields.locate(chunk, position + HEADER_SIZE, end):
            return None
        text = chunk[fields.line_start : fields.line_end]
        lines.append(Line(fields.time_nano, _SOURCES[source_index(fields, chunk)], text, offset + position))
        position = end
        hit = candidates(chunk, position) if position < size else -1
    return lines

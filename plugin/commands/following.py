"""Following the journals of many containers, through restarts, and of those that start meanwhile."""

import time
from collections.abc import Callable, Iterator

from plugin.browse.newcomers import Newcomers
from plugin.browse.selection import Journal, Wanted
from plugin.docker.frames import HEADER_SIZE, decode_entry, entry_size
from plugin.intake.attachments import Attachments
from plugin.journal.change_counters import GrowthListener, counter_of
from plugin.journal.layout import DataFolder
from plugin.journal.lines import Line
from plugin.journal.readback import LogQuery, LogReading

POLL = 0.2
"""Seconds between two looks at what has grown."""
_SWEEP = 10.0
"""Seconds between two looks at all journals, for hints that were lost."""

Found = tuple[Journal, Line]


def lines_of(reading: LogReading) -> Iterator[Line]:
    """Yield the lines that a reading has now."""
    while frames := reading.read():
        yield from split_lines(frames)


def split_lines(frames: bytes) -> Iterator[Line]:
    """Yield the lines of frames that a reading gave: each a whole line, with its newline if it has come to an end."""
    position = 0
    while position < len(frames):
        start = position + HEADER_SIZE
        position = start + entry_size(frames, position)
        entry = decode_entry(frames, start, position)
        complete = entry.line.endswith(b"\n")
        yield Line(entry.time_nano, entry.source, entry.line[:-1] if complete else entry.line, 0, complete)


class Follower:
    """Follows the containers that are chosen; ``announce`` is called for each that joins them later.

    Between two lines nothing is open but ``DATA/grown``, which tells which journals have grown.
    """

    def __init__(
        self,
        data: DataFolder,
        wanted: Wanted,
        query: LogQuery,
        announce: Callable[[Journal], None],
        *,
        until_stop: bool,
    ) -> None:
        self._data = data
        self._wanted = wanted
        self._query = query
        self._announce = announce
        self._until_stop = until_stop
        self._growth = GrowthListener(data)
        self._attachments = Attachments(data.streams)
        self._followed: dict[str, tuple[Journal, LogReading]] = {}
        self._newcomers: Newcomers | None = None
        self._swept = 0.0

    def begin(self, journals: dict[str, Journal], chosen: list[Journal]) -> dict[str, tuple[Journal, LogReading]]:
        """Open readings of the containers that are there; read each to its end before ``rounds``."""
        self._growth.listen()
        self._newcomers = Newcomers(self._data, self._wanted, journals)
        for journal in chosen:
            self._followed[journal.id] = (journal, LogReading(self._data.container(journal.id), self._query))
        return self._followed

    def rounds(self) -> Iterator[list[Found]]:
        """Yield, round after round, the lines that have come, in order of time; none in most rounds.

        With ``until_stop`` it ends with what the containers printed last.
        """
        for _, reading in self._followed.values():
            reading.rest()
        while True:
            ended = self._is_past() or (self._until_stop and not self._runs())
            yield self._round(sweep=ended)
            if ended:
                yield sorted(self._rests(), key=_time)
                return
            time.sleep(POLL)

    def close(self) -> None:
        """Close all files."""
        for _, reading in self._followed.values():
            reading.close()

    def _is_past(self) -> bool:
        """Return whether no line can come any more that is wanted, as the time is over that was asked for."""
        return self._query.until > 0 and all(reading.done for _, reading in self._followed.values())

    def _rests(self) -> Iterator[Found]:
        for journal, reading in self._followed.values():
            for line in split_lines(reading.finish()):
                yield journal, line

    def _round(self, *, sweep: bool) -> list[Found]:
        grown = self._growth.listen()
        if sweep or grown is None or time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            self._join_new()
            due = list(self._followed.values())
        else:
            self._join_new()
            due = [both for name, both in self._followed.items() if counter_of(name) in grown] if grown else []
        found: list[Found] = []
        for journal, reading in due:
            found += [(journal, line) for line in lines_of(reading)]
            reading.rest()
        return sorted(found, key=_time)

    def _join_new(self) -> None:
        """Follow the containers that have begun to print since, where they fit, from their first line on."""
        for journal in self._newcomers.look() if self._newcomers else ():
            if journal.id not in self._followed:
                query = LogQuery(since=self._query.since, until=self._query.until, follow=True)
                self._followed[journal.id] = (journal, LogReading(self._data.container(journal.id), query))
                self._announce(journal)

    def _runs(self) -> bool:
        return any(attachment.info.container_id in self._followed for attachment in self._attachments.load())


def _time(found: Found) -> int:
    return found[1].time_nano

"""A live tail of many containers, step by step, that can be left and gone on with without a gap."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.browse.line_reader import LineReader, Place
from plugin.browse.newcomers import Newcomers
from plugin.browse.selection import Journal, Wanted, select
from plugin.docker.info import short_id
from plugin.errors import PeaveyError
from plugin.journal.change_counters import GrowthListener, counter_of
from plugin.journal.layout import DataFolder
from plugin.journal.lines import Line

MOST_CONTAINERS = 500
"""How many containers one tail follows at most: their places must fit into a request's header."""
FARTHEST_BEHIND = 4 * 1024 * 1024
"""Bytes of journal that a container may be ahead of its reader before the reader is taken to the end."""
_STEP_LINES = 2_000
_STEP_BYTES = 1024 * 1024
_KEPT = 200  # lines that are shown behind what was passed over
_SWEEP = 10.0  # seconds between two looks at all journals, for hints that were lost
_PLACES = re.compile(r"(?:[0-9a-f]{12}:[0-9a-f]+(?:-[0-9a-f]+)?,?)*")


@dataclass(slots=True)
class Step:
    """What has come since the last step: lines in order of time.

    ``missed``
        bytes of containers' journals that were passed over, because the reader was too slow, or they are gone
    ``more``
        whether there is more already
    """

    lines: list[tuple[Journal, Line]] = field(default_factory=list)
    missed: list[tuple[Journal, int]] = field(default_factory=list)
    more: bool = False


class LiveTail:
    """Follows the containers that are wanted, and those that start later and fit.

    ``tail``
        how many of the last lines to begin with, of all containers together
    ``wants``
        which lines are wanted
    ``places``
        what ``places`` of an earlier tail returned, to go on there; containers that it does not have are read from
        their first line on

    Raises ``PeaveyError`` if no container fits, too many do, or the places cannot be read.
    """

    def __init__(
        self, data: DataFolder, wanted: Wanted, *, tail: int, wants: Callable[[Line], bool], places: str = ""
    ) -> None:
        self._data = data
        self._wants = wants
        self._growth = GrowthListener(data)
        self._growth.listen()
        self._newcomers = Newcomers(data, wanted)
        self._swept = time.monotonic()
        self._followed: dict[str, tuple[Journal, LineReader]] = {}
        self._due: dict[str, None] = {}
        self._first = 0 if places else tail
        known = parse_places(places)
        chosen = select(self._newcomers.journals, wanted, data).chosen
        if len(chosen) > MOST_CONTAINERS:
            raise PeaveyError(f"{len(chosen)} containers fit; at most {MOST_CONTAINERS} can be followed at once")
        for journal in chosen:
            place = known.get(short_id(journal.id))
            self._follow(journal, tail=-1 if places and place is None else tail, place=place)

    def places(self) -> str:
        """Return where each container's reader is, to go on there with another tail."""
        return ",".join(f"{short_id(name)}:{reader.place}" for name, (_, reader) in self._followed.items())

    def step(self) -> Step:
        """Return what has come, at most 2,000 lines or 1 MiB and what one container's next piece adds to it."""
        self._look()
        step = Step()
        size = 0
        most = max(_STEP_LINES, self._first)
        for name in list(self._due):
            if (len(step.lines) >= most or size >= _STEP_BYTES) and not self._first:
                step.more = True
                break
            journal, reader = self._followed[name]
            try:
                ended, taken = self._read(journal, reader, step, _STEP_BYTES - size)
            except OSError:  # retention has removed the journal
                self._forget(name)
                continue
            size += taken
            if ended:
                del self._due[name]
                reader.rest()
            else:
                step.more = True
        step.lines.sort(key=lambda found: found[1].time_nano)
        if self._first:
            step.lines = step.lines[-self._first :]
            self._first = 0
        return step

    def close(self) -> None:
        """Close all files."""
        for _, reader in self._followed.values():
            reader.close()

    def _read(self, journal: Journal, reader: LineReader, step: Step, room: int) -> tuple[bool, int]:
        """Read on in one journal; returns whether that was all, and how many bytes of lines there were."""
        if reader.behind() > FARTHEST_BEHIND:
            reader.skip_to_tail(_KEPT)
        taken = 0
        ended = False
        while taken < max(1, room):
            lines = reader.read()
            if not lines:
                ended = True
                break
            wanted = [line for line in lines if self._wants(line)]
            step.lines += [(journal, line) for line in wanted]
            taken += sum(len(line.text) for line in wanted)
            if len(step.lines) >= _STEP_LINES and not self._first:
                break
        if reader.missing:
            step.missed.append((journal, reader.missing))
            reader.missing = 0
        return ended, taken

    def _look(self) -> None:
        """See which journals have grown, and which are new."""
        grown = self._growth.listen()
        self._join_new()
        if grown is None or time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            self._due |= dict.fromkeys(self._followed)
        elif grown:
            self._due |= {name: None for name in self._followed if counter_of(name) in grown}

    def _join_new(self) -> None:
        for journal in self._newcomers.look():
            if journal.id not in self._followed and len(self._followed) < MOST_CONTAINERS:
                self._follow(journal, tail=-1, place=None)

    def _follow(self, journal: Journal, *, tail: int, place: Place | None) -> None:
        try:
            reader = LineReader(self._data.container(journal.id), tail=tail, place=place)
        except OSError:
            return
        self._followed[journal.id] = (journal, reader)
        self._due[journal.id] = None

    def _forget(self, name: str) -> None:
        self._followed.pop(name)[1].close()
        self._due.pop(name, None)


def parse_places(text: str) -> dict[str, Place]:
    """Return the places of containers by short id. Raises ``PeaveyError`` for what no tail has written."""
    if not _PLACES.fullmatch(text):
        raise PeaveyError("the place to go on from (Last-Event-ID) is not one that this server has given")
    try:
        pairs = (one.partition(":") for one in text.split(",") if one)
        return {name: Place.parse(place) for name, _, place in pairs}
    except ValueError as error:
        raise PeaveyError(str(error)) from None

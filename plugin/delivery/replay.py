"""Replays: a part of a journal once more to a sink, beside live delivery and by a cursor of its own.

The cursor is called ``replay-<digits>``, by what is replayed and where to; ``replays/<digits>.json`` beside the journal
says how far it goes, and is locked meanwhile. Both stay if the replay is interrupted, so that it can be resumed.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugin.config.options import SinkChoice
from plugin.delivery.batch_notes import BatchNotes
from plugin.delivery.destination import Destination
from plugin.delivery.destination_ids import DestinationNames
from plugin.delivery.destination_key import Key
from plugin.delivery.destination_pool import Destinations
from plugin.delivery.identities import Identities
from plugin.delivery.origin import make_origin
from plugin.delivery.sharding import Share
from plugin.delivery.tail import Tail
from plugin.delivery.timing import Timing
from plugin.docker.info import Info
from plugin.errors import JournalError
from plugin.journal.cursors.store import REPLAY_PREFIX, Cursor, cursor_path, read_cursor, write_cursor
from plugin.journal.layout import DataFolder, is_gone
from plugin.journal.metadata import JournalMetadata
from plugin.journal.regular_files import open_regular
from plugin.journal.seeking import find_since, frames_end, oldest_offset
from plugin.sinks.base import MisconfiguredError
from plugin.transforms.base import Transform

_ID_SIZE = 8
_NOTE_SIZE = 16
_LOOK = 0.1
_END_WITHIN = 3.0
_LARGEST = 4_096
_LEAD = 5_000_000_000
"""Nanoseconds before the first line from which on stages are fed, so that an event that has begun there is whole."""

MakeStages = Callable[[SinkChoice, Info], Sequence[Transform]]
ReadAgain = Callable[[], tuple[SinkChoice, ...]]


@dataclass(frozen=True, slots=True)
class Span:
    """Which lines: nanoseconds since 1970 UTC, 0 for no bound; ``text`` is how that was asked for."""

    since: int = 0
    until: int = 0
    text: str = ""


class _Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The offsets between which records are replayed, of the journal that was born at ``birth``."""

    birth: int
    start: int
    limit: int


class Replay:
    """What of a container's journal goes to one sink once more, and how far that has come.

    ``resumed`` is whether an earlier one that was interrupted goes on, ``fault`` why this one cannot go on. Sizes are
    bytes of journal.
    """

    def __init__(
        self,
        folder: Path,
        metadata: JournalMetadata,
        choice: SinkChoice,
        span: Span,
        names: DestinationNames,
        *,
        anew: bool = False,
    ) -> None:
        """Prepare a replay, or go on with one that was interrupted, unless ``anew``; it must be closed.

        Raises ``JournalError`` if another process is at the same, or the journal cannot be read, ``OSError`` likewise.
        """
        if choice.faults:
            raise MisconfiguredError("; ".join(choice.faults))
        self.folder = folder
        self.metadata = metadata
        self.choice = choice
        self.fault = ""
        self._tail: Tail | None = None
        self._bounds = _Bounds(birth=metadata.birth, start=0, limit=0)
        # Secrets are masked in it: what was interrupted for a wrong token goes on with the right one.
        shaped = choice.records, choice.transforms
        digits = names.name((choice.instance, choice.sink, sorted(choice.raw.items()), shaped, span.text), _ID_SIZE)
        self.instance = REPLAY_PREFIX + digits
        self._path = folder / "replays" / f"{digits}.json"
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._lock = _lock(self._path, f"{metadata.info.label} is being replayed to {choice.instance} already")
        try:
            self.resumed = not anew and self._resume()
            if not self.resumed:
                self._begin(span)
        except BaseException:
            os.close(self._lock)
            raise
        self._before = self._cursor

    def _resume(self) -> bool:
        """Take up what was interrupted; false if there is no such thing, or it was of an earlier journal."""
        try:
            bounds = msgspec.json.decode(os.pread(self._lock, _LARGEST, 0), type=_Bounds)
            cursor = read_cursor(self.folder, self.instance)
        except (msgspec.DecodeError, JournalError):
            return False
        if cursor is None or not bounds.birth == cursor.birth == self.metadata.birth:
            return False
        self._bounds, self._cursor = bounds, cursor
        return True

    def _begin(self, span: Span) -> None:
        """Find the offsets that are meant, and note them."""
        limit = frames_end(self.folder)
        if span.until:
            limit = min(limit, find_since(self.folder, span.until + 1)[0])
        start = resume = oldest_offset(self.folder)
        if span.since:
            start, resume = find_since(self.folder, span.since)
            if resume == start:
                resume = min(start, find_since(self.folder, span.since - _LEAD)[0])
        birth = self.metadata.birth
        self._bounds = _Bounds(birth=birth, start=start, limit=limit)
        self._cursor = Cursor(offset=start, resume=resume, birth=birth)
        write_cursor(self.folder, self.instance, self._cursor)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, msgspec.json.encode(self._bounds), 0)

    @property
    def _now(self) -> Cursor:
        return self._cursor if self._tail is None else self._tail.cursor

    @property
    def records(self) -> int:
        """How many records were acknowledged, since it began or was resumed."""
        return self._now.records - self._before.records

    @property
    def refused(self) -> int:
        """How many the destination has refused for good, likewise."""
        return self._now.dead - self._before.dead

    @property
    def total_bytes(self) -> int:
        """How much is to be replayed, what was done before it was resumed included."""
        return max(0, self._bounds.limit - self._bounds.start)

    @property
    def done_bytes(self) -> int:
        """How much of that is done with."""
        return max(0, min(self._now.offset, self._bounds.limit) - self._bounds.start)

    @property
    def is_done(self) -> bool:
        """Whether each record is acknowledged, or refused for good."""
        if not self.total_bytes:
            return True
        tail = self._tail
        return tail is not None and tail.is_finished and (tail.cursor.offset, tail.cursor.resume) >= tail.upto

    def begin(self, destination: Destination, stages: Sequence[Transform]) -> None:
        """Begin to deliver."""
        info, birth = self.metadata.info, self.metadata.birth
        identities = Identities(
            self.folder,
            self.metadata,
            lambda known: destination.sink.prepare(make_origin(known, self.choice, birth)),
        )
        # Of a batch that was noted before a kill the cursor may have come further meanwhile.
        self._cursor = read_cursor(self.folder, self.instance) or self._cursor
        self._tail = Tail(
            self.folder,
            self.instance,
            destination.sink,
            identities.at(self._cursor.offset)[0],
            self._cursor,
            stages,
            Timing.patience,
            info.label,
            identities,
            limit=self._bounds.limit,
        )
        self._tail.hold()
        destination.add(self._tail)

    def look(self, destination: Destination) -> bool:
        """Have it read on; return whether there is more to do."""
        if self.is_done or self.fault:
            return False
        if is_gone(self.folder):
            self.fault = "its journal has been removed"
        elif destination.state.misconfigured:
            self.fault = destination.state.last_error
        if self.fault:
            return False
        if self._tail is not None and not self._tail.is_finished:
            destination.announce(self._tail)
        return True

    def leave(self, destination: Destination) -> None:
        """Read nothing more; what is under way still counts once it is acknowledged."""
        if self._tail is not None:
            self._tail.save()
            destination.release(self._tail)

    def close(self) -> None:
        """Let others replay the same. Once it is done, nothing of it stays."""
        if self._lock < 0:
            return
        if self.is_done:
            cursor_path(self.folder, self.instance).unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # there may be others
                self._path.parent.rmdir()
        os.close(self._lock)
        self._lock = -1


async def run(
    data: DataFolder,
    replays: Sequence[Replay],
    stages: MakeStages,
    read_again: Callable[[Replay], ReadAgain],
    stop: asyncio.Event,
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Run replays side by side until all are done or at fault, or ``stop`` is set; ``tell`` is called now and then.

    ``stages`` makes what records go through, ``read_again`` what reads the log-opts of a replay's sinks once more.
    Raises ``PeaveyError`` if a sink cannot be made.
    """
    names = DestinationNames(data)
    mine = sorted(replay.instance for replay in replays)

    def notes(key: Key, label: str) -> BatchNotes:
        return BatchNotes(data, Share(0, 1), REPLAY_PREFIX + names.name((key, mine), _NOTE_SIZE), label)

    destinations = Destinations(notes)
    begun: dict[Replay, Destination] = {}
    try:
        for replay in replays:
            begun[replay] = destinations.begin(replay.choice, read_again(replay))
        waiting = set(replays)
        while not stop.is_set():
            for replay in [one for one in waiting if not begun[one].is_replaying]:
                info = replay.metadata.info
                replay.begin(begun[replay], stages(replay.choice, info))
                waiting.remove(replay)
            more = [replay.look(destination) for replay, destination in begun.items()]
            tell()
            if not any(more):
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK)
    finally:
        for replay, destination in begun.items():
            replay.leave(destination)
        await destinations.end(_END_WITHIN)


def _lock(path: Path, fault: str) -> int:
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalError(fault) from None
    return descriptor

"""Tidying up one journal: its container's options say what goes, what is compressed, and what waits to be delivered."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import zstandard

from plugin.engine.info import Info
from plugin.engine.options import ContainerOptions, SinkChoice
from plugin.errors import JournalError
from plugin.intake.pump import Pump
from plugin.journal.compression import compress_closed
from plugin.journal.cursors import floor, floor_of_any
from plugin.journal.folder import DataFolder
from plugin.journal.gap import noted_gap
from plugin.journal.lag import journal_size
from plugin.journal.note import JournalNote, read_note
from plugin.journal.retention import (
    SegmentUse,
    aged,
    begun,
    measure,
    remove_corrupt,
    remove_segment,
    surplus,
    undelivered,
)

logger = logging.getLogger(__name__)

_SECOND = 1_000_000_000
_KEPT_CORRUPT = 5
_LOOK_AGAIN = 3600 * _SECOND
_SURELY_NOTED = 60 * _SECOND
"""A container that has just begun may have a segment, and no note yet."""


@dataclass(frozen=True, slots=True)
class KeptJournal:
    """A journal as it was when it was last tidied up.

    ``needed_from``
        the offset from which on some sink still needs it, or has to be told that it is gone; ``None`` if none does
    ``set_aside``
        bytes that files of what was no log entries take
    ``options``
        those of its container, ``None`` where its note is damaged or missing
    ``quiet_until``
        when it has to be looked at again although nothing happens to it, nanoseconds since 1970 UTC
    ``birth``
        as in its note; 0 where that is damaged or missing
    """

    segments: list[SegmentUse]
    needed_from: int | None = None
    set_aside: int = 0
    options: ContainerOptions | None = None
    quiet_until: int = 0
    birth: int = 0

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(use.bytes for use in self.segments) + self.set_aside

    @property
    def undelivered(self) -> int:
        """Bytes that some sink still needs and that are still there."""
        return undelivered(self.segments, self.needed_from)

    @property
    def sinks(self) -> tuple[SinkChoice, ...]:
        """The sinks that its container's log-opts name."""
        return () if self.options is None else self.options.sinks

    @property
    def throttles(self) -> bool:
        """Whether its container is to be slowed down rather than that undelivered lines are lost."""
        return self.options is not None and self.options.overflow == "throttle"


class Tidier:
    """Keeps journals within their containers' options.

    ``options_of`` gives the options of a container by its ``Info``; ``keep_stopped`` is how long, in seconds, what a
    stopped container's sinks have passed is kept, ``None`` for ever.
    """

    def __init__(
        self, data: DataFolder, pump: Pump, options_of: Callable[[Info], ContainerOptions], keep_stopped: float | None
    ) -> None:
        self._data = data
        self._pump = pump
        self._options_of = options_of
        self._keep_stopped = keep_stopped
        self._settled: set[str] = set()
        self._unknown: set[str] = set()

    def tidy(self, container_id: str, *, attached: bool) -> KeptJournal | None:
        """Tidy up one journal; ``None`` if there is none, or none any more. Raises ``OSError``."""
        folder = self._data.container(container_id)
        if noted_gap(folder):
            self._pump.call(self._pump.containers.settle, container_id).result()
        note = self._read_note(container_id)
        segments = measure(folder)
        if note is None:
            silent = not segments and folder.exists() and not (folder / "info.json").exists()
            if not attached and silent:
                self.remove(container_id, segments, "its container never printed")
            elif not attached and segments and segments[-1].modified < time.time_ns() - _SURELY_NOTED:
                self._tell_unknown(container_id, f"{folder / 'info.json'} is missing")
            return KeptJournal(segments, _ahead(floor_of_any(folder), segments)) if segments else None
        options = self._options_of(note.info)
        needed_from = self._needed_from(container_id, segments, note.birth, options, attached=attached)
        if attached:
            self._settled.discard(container_id)
        elif self._stopped_long_ago(note, segments):
            if needed_from is not None:
                self._settle_once(container_id)
            elif self.remove(container_id, segments, "it stopped long ago (PEAVEY_KEEP_STOPPED)"):
                return None
        if options.max_age is not None:
            if self._remove_aged(container_id, segments, options, needed_from):
                return None
            if attached:
                self._close_in_time(container_id, segments, options)
        for use in _surplus(segments, options, needed_from):
            remove_segment(use)
        if options.overflow == "drop-oldest":
            _drop_oldest(container_id, segments, needed_from, options.buffer_limit)
        set_aside = remove_corrupt(folder, _KEPT_CORRUPT)
        if options.compress:
            self._compress(container_id, needed_from)
        if not folder.exists():
            return None
        segments = measure(folder)
        is_done = needed_from is None and not (options.compress and _has_plain(segments[:-1]))
        quiet_until = self._next_look(note, segments, attached) if is_done else 0
        return KeptJournal(segments, needed_from, set_aside, options, quiet_until, note.birth)

    def remove(self, container_id: str, seen: Sequence[SegmentUse], reason: str, *, at_once: bool = False) -> bool:
        """Remove the journal of a container without streams; false if it has some, or has printed since it was seen.

        ``at_once`` as for ``sweep``.
        """
        if not self._pump.call(self._pump.containers.remove, container_id, seen).result():
            return False
        logger.info("container %s: journal removed, %s", container_id, reason)
        self._settled.discard(container_id)
        self._unknown.discard(container_id)
        self._data.sweep(at_once=at_once)
        return True

    def _read_note(self, container_id: str) -> JournalNote | None:
        try:
            note = read_note(self._data.container(container_id))
        except JournalError as error:
            self._tell_unknown(container_id, str(error))
            return None
        if note is not None:
            self._unknown.discard(container_id)
        return note

    def _tell_unknown(self, container_id: str, why: str) -> None:
        if container_id not in self._unknown:
            self._unknown.add(container_id)
            logger.warning("container %s: its log-opts are not known, its journal is kept: %s", container_id, why)

    def _needed_from(
        self, container_id: str, segments: list[SegmentUse], birth: int, options: ContainerOptions, *, attached: bool
    ) -> int | None:
        """Tell from where on a sink needs the journal: also of what is gone already it has to be told."""
        return _ahead(floor(self._data.container(container_id), options.sinks, birth, running=attached), segments)

    def _settle_once(self, container_id: str) -> None:
        """Cut off an entry that was never completed, since it would never be delivered."""
        if container_id not in self._settled:
            self._settled.add(container_id)
            self._pump.call(self._pump.containers.settle, container_id).result()

    def _stopped_long_ago(self, note: JournalNote, segments: list[SegmentUse]) -> bool:
        if self._keep_stopped is None:
            return False
        return _last_seen(note, segments) < time.time_ns() - self._keep_stopped * _SECOND

    def _next_look(self, note: JournalNote, segments: list[SegmentUse], attached: bool) -> int:
        """Tell when a journal that is delivered is to be looked at again, if it does not grow."""
        soon = time.time_ns() + _LOOK_AGAIN
        if attached or self._keep_stopped is None:
            return soon
        return min(soon, _last_seen(note, segments) + int(self._keep_stopped * _SECOND))

    def _remove_aged(
        self, container_id: str, segments: list[SegmentUse], options: ContainerOptions, needed_from: int | None
    ) -> bool:
        """Remove what is older than ``max-age``; true if that is the journal of a container that has stopped."""
        oldest_kept = time.time_ns() - int((options.max_age or 0) * _SECOND)
        for use in aged(segments, oldest_kept, needed_from):
            remove_segment(use)
        if needed_from is not None or not segments or segments[-1].modified >= oldest_kept:
            return False
        return self.remove(container_id, segments, "all of it is older than max-age")

    def _close_in_time(self, container_id: str, segments: list[SegmentUse], options: ContainerOptions) -> None:
        """Close the newest segment when it is older than a share of ``max-age``: so much is kept too long at most."""
        share = int((options.max_age or 0) * _SECOND) // options.max_file
        newest = segments[-1] if segments else None
        if newest is None or not newest.bytes or newest.segment.compressed:
            return
        if begun(newest) < time.time_ns() - share:
            self._pump.call(self._pump.containers.rotate, container_id).result()

    def _compress(self, container_id: str, needed_from: int | None) -> None:
        try:
            compress_closed(self._data.container(container_id), needed_from)
        except (OSError, zstandard.ZstdError) as error:
            logger.debug("container %s: segments stay uncompressed: %s", container_id, error)


def _ahead(needed_from: int | None, segments: list[SegmentUse]) -> int | None:
    """Give an offset that is before the journal's end; ``None`` for any other: all of the journal is passed."""
    return needed_from if needed_from is not None and needed_from < journal_size(segments) else None


def _last_seen(note: JournalNote, segments: list[SegmentUse]) -> int:
    return max([note.last_seen, *(use.modified for use in segments)])


def _has_plain(segments: list[SegmentUse]) -> bool:
    return not all(use.segment.compressed for use in segments)


def _surplus(segments: list[SegmentUse], options: ContainerOptions, needed_from: int | None) -> list[SegmentUse]:
    """Choose what is beyond max-size × max-file: by files, or by bytes where max-age closes these early."""
    if options.max_age is None:
        return surplus(segments, options.max_file, needed_from)
    room, kept = options.max_size * options.max_file, 0
    for use in reversed(segments):
        kept += 1
        room -= (use.end or use.segment.base + use.bytes) - use.segment.base
        if room <= 0:
            break
    return surplus(segments, kept, needed_from)


def _drop_oldest(container_id: str, segments: list[SegmentUse], needed_from: int | None, buffer_limit: int) -> None:
    """Remove the oldest of what is not delivered, beyond ``buffer-limit``."""
    excess = undelivered(segments, needed_from) - buffer_limit
    if needed_from is None or excess <= 0:
        return
    dropped = 0
    for use in segments[:-1]:
        if dropped >= excess:
            break
        if use.end is not None and use.end > needed_from:
            remove_segment(use)
            dropped += use.end - max(use.segment.base, needed_from)
    if dropped:
        logger.warning(
            "container %s: the oldest %d bytes were dropped before they could be delivered (buffer-limit)",
            container_id,
            dropped,
        )

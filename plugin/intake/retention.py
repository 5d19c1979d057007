"""Tidy up one journal: remove and compress segments by its container's options, keep what is not delivered yet."""

import logging
import time
from collections.abc import Callable, Sequence

import zstandard

from plugin.config.options import ContainerOptions
from plugin.docker.info import Info, short_id
from plugin.errors import JournalError
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.journal_state import KeptJournal
from plugin.intake.pump import Pump
from plugin.journal.compression import compress_closed
from plugin.journal.cursors.given_up import give_up
from plugin.journal.cursors.store import floor, floor_of_any, times_written
from plugin.journal.forgetting import is_to_be_forgotten, keep_after_all
from plugin.journal.gap_marker import noted_gap
from plugin.journal.lag import journal_size
from plugin.journal.layout import DataFolder
from plugin.journal.losses import Cause
from plugin.journal.metadata import JournalMetadata, container_label, read_metadata
from plugin.journal.redirects import ask
from plugin.journal.retention import (
    SegmentUse,
    aged,
    begun,
    measure,
    passed,
    remove_corrupt,
    remove_segments,
    surplus,
    undelivered,
)

logger = logging.getLogger(__name__)

_SECOND = 1_000_000_000
_KEPT_CORRUPT = 5
_LOOK_AGAIN = 3600 * _SECOND
_TRY_AGAIN = 30 * _SECOND
_SURELY_NOTED = 60 * _SECOND
"""A container that has just begun may have a segment, and no note yet."""


class Tidier:
    """Retention of journals by their containers' options.

    ``options_of`` returns the options of a container by its ``Info``; of ``bounds`` it keeps those for how long what
    stopped containers left is kept: once their sinks have passed it, and until then.
    """

    def __init__(
        self, data: DataFolder, pump: Pump, options_of: Callable[[Info], ContainerOptions], bounds: DiskBounds
    ) -> None:
        self.given_up_bytes = 0
        self._data = data
        self._pump = pump
        self._options_of = options_of
        self._keep_stopped = bounds.keep_stopped
        self._keep_undelivered = bounds.keep_undelivered
        self._settled: set[str] = set()
        self._unknown: set[str] = set()

    def tidy(self, container_id: str, *, attached: bool) -> KeptJournal | None:
        """Tidy up one journal; ``None`` if there is none, or none any more. Raises ``OSError``."""
        folder = self._data.container(container_id)
        if not folder.exists():
            return None
        if is_to_be_forgotten(folder) and self._forget(container_id, attached=attached):
            return None
        has_gap = self._has_gap(container_id)
        metadata = self._read_metadata(container_id)
        segments = measure(folder)
        if metadata is None:
            return self._tidy_unknown(container_id, segments, attached=attached)
        options = self._options_of(metadata.info)
        cursors = times_written(folder, options.sinks)
        needed_from = self._needed_from(container_id, segments, metadata.birth, options, attached=attached)
        if attached:
            self._settled.discard(container_id)
        elif needed_from is not None and _is_older(metadata, segments, self._keep_undelivered):
            self._settle_once(container_id)
            segments = measure(folder)
            self._give_up(metadata, segments, options)
            needed_from = self._needed_from(container_id, segments, metadata.birth, options, attached=attached)
        if not attached and _is_older(metadata, segments, self._keep_stopped):
            if needed_from is not None:
                self._settle_once(container_id)
            elif self.remove(container_id, segments, "stopped longer ago than PEAVEY_KEEP_STOPPED"):
                return None
        if options.max_age is not None:
            if self._remove_aged(container_id, segments, options, needed_from):
                return None
            if attached:
                self._close_in_time(container_id, segments, options)
        aging = options.max_age is not None
        beyond = surplus(segments, options.max_size, options.max_file, needed_from, aging=aging)
        remove_segments(beyond, Cause.RETENTION)
        if options.overflow == "drop-oldest":
            _drop_oldest(metadata.info.label, segments, needed_from, options.buffer_limit)
        set_aside = remove_corrupt(folder, _KEPT_CORRUPT)
        if options.compress:
            self._compress(container_id, needed_from)
        segments = measure(folder)
        is_done = not has_gap and not (options.compress and _has_plain(passed(segments, needed_from)))
        look_again = self._next_look(metadata, segments, options, attached=attached, is_done=is_done)
        waits_for = {} if needed_from is None else cursors
        return KeptJournal(segments, needed_from, look_again, set_aside, options, metadata.birth, waits_for)

    def _tidy_unknown(self, container_id: str, segments: list[SegmentUse], *, attached: bool) -> KeptJournal | None:
        """Keep a journal without a note that can be read; it goes if its container never printed, and has ended."""
        folder = self._data.container(container_id)
        silent = not segments and not (folder / "info.json").exists()
        if silent and not attached and self.remove(container_id, segments, "nothing was ever printed"):
            return None
        now = time.time_ns()
        if not attached and segments and segments[-1].modified < now - _SURELY_NOTED:
            self._tell_unknown(container_id, f"{folder / 'info.json'} is missing")
        look_again = now + (_LOOK_AGAIN if silent else _TRY_AGAIN)
        return KeptJournal(segments, _ahead(floor_of_any(folder), segments), look_again)

    def remove(self, container_id: str, seen: Sequence[SegmentUse], reason: str, *, at_once: bool = False) -> bool:
        """Remove the journal of a container without streams; false if it has some, or has printed since it was seen.

        ``at_once`` as for ``sweep``.
        """
        label = container_label(self._data.container(container_id))
        if not self._pump.call(self._pump.remove, container_id, seen).result():
            return False
        logger.info("container %s: journal removed: %s", label, reason)
        self._settled.discard(container_id)
        self._unknown.discard(container_id)
        self._data.sweep(at_once=at_once)
        return True

    def _read_metadata(self, container_id: str) -> JournalMetadata | None:
        try:
            metadata = read_metadata(self._data.container(container_id))
        except JournalError as error:
            self._tell_unknown(container_id, str(error))
            return None
        if metadata is not None:
            self._unknown.discard(container_id)
        return metadata

    def _tell_unknown(self, container_id: str, why: str) -> None:
        if container_id not in self._unknown:
            self._unknown.add(container_id)
            logger.warning("container %s: log-opts unknown, keeping the journal: %s", short_id(container_id), why)

    def _needed_from(
        self, container_id: str, segments: list[SegmentUse], birth: int, options: ContainerOptions, *, attached: bool
    ) -> int | None:
        """Return from where on a sink needs the journal: also of what is gone already it has to be told."""
        return _ahead(floor(self._data.container(container_id), options.sinks, birth, running=attached), segments)

    def _has_gap(self, container_id: str) -> bool:
        """Make the gap that an earlier process recorded; true if that still has to be done, for lack of space."""
        folder = self._data.container(container_id)
        if not noted_gap(folder):
            return False
        self._pump.call(self._pump.settle, container_id).result()
        return bool(noted_gap(folder))

    def _settle_once(self, container_id: str) -> None:
        """Cut off an entry that was never completed, since it would never be delivered."""
        if container_id not in self._settled:
            self._settled.add(container_id)
            self._pump.call(self._pump.settle, container_id).result()

    def _forget(self, container_id: str, *, attached: bool) -> bool:
        """Remove a journal that somebody has asked to be removed; false if its container runs."""
        folder = self._data.container(container_id)
        if not attached and self.remove(container_id, measure(folder), "forgotten (peavey forget)"):
            return True
        logger.warning("container %s: not forgotten: it runs", container_label(folder))
        keep_after_all(folder)
        return False

    def _give_up(self, metadata: JournalMetadata, segments: list[SegmentUse], options: ContainerOptions) -> None:
        """Send sinks nothing more of what a stopped container left, and log what each has not got."""
        folder = self._data.container(metadata.info.container_id)
        end = journal_size(segments)
        lost = 0
        for choice in options.sinks:
            needed_from = floor(folder, [choice], metadata.birth, running=False)
            if needed_from is None or needed_from >= end:
                continue
            give_up(folder, choice.instance, metadata.birth, end)
            missed = undelivered(segments, needed_from)
            lost = max(lost, missed)
            logger.warning(
                "container %s, sink %s: gave up %d bytes that its destination has not taken for longer than"
                " PEAVEY_KEEP_UNDELIVERED after the container stopped",
                metadata.info.label,
                choice.instance,
                missed,
            )
        self.given_up_bytes += lost
        ask(self._data)

    def _next_look(
        self,
        metadata: JournalMetadata,
        segments: list[SegmentUse],
        options: ContainerOptions,
        *,
        attached: bool,
        is_done: bool,
    ) -> int:
        """Return when something of a journal will be old enough, unless it grows; what is already waits for sinks."""
        now = time.time_ns()
        moments = [now + (_LOOK_AGAIN if is_done else _TRY_AGAIN)]
        if not attached:
            kept = [seconds for seconds in (self._keep_stopped, self._keep_undelivered) if seconds is not None]
            moments += [_last_seen(metadata, segments) + int(seconds * _SECOND) for seconds in kept]
        if options.max_age is not None:
            moments += [use.modified + int(options.max_age * _SECOND) for use in segments]
            if attached:
                moments.append(_closing_time(segments, options))
        return min(moment for moment in moments if moment >= now)

    def _remove_aged(
        self, container_id: str, segments: list[SegmentUse], options: ContainerOptions, needed_from: int | None
    ) -> bool:
        """Remove what is older than ``max-age``; true if that is the journal of a container that has stopped."""
        oldest_kept = time.time_ns() - int((options.max_age or 0) * _SECOND)
        remove_segments(aged(segments, oldest_kept, needed_from), Cause.MAX_AGE)
        if needed_from is not None or not segments or segments[-1].modified >= oldest_kept:
            return False
        return self.remove(container_id, segments, "older than max-age")

    def _close_in_time(self, container_id: str, segments: list[SegmentUse], options: ContainerOptions) -> None:
        """Close the newest segment when it is older than a share of ``max-age``: so much is kept too long at most."""
        if 0 < _closing_time(segments, options) < time.time_ns():
            self._pump.call(self._pump.rotate, container_id).result()

    def _compress(self, container_id: str, needed_from: int | None) -> None:
        try:
            compress_closed(self._data.container(container_id), needed_from)
        except (OSError, zstandard.ZstdError) as error:
            logger.debug("container %s: compression failed: %s", short_id(container_id), error)


def _ahead(needed_from: int | None, segments: list[SegmentUse]) -> int | None:
    """Return an offset that is before the journal's end; ``None`` for any other: all of the journal is passed."""
    return needed_from if needed_from is not None and needed_from < journal_size(segments) else None


def _last_seen(metadata: JournalMetadata, segments: list[SegmentUse]) -> int:
    return max([metadata.last_seen, *(use.modified for use in segments)])


def _is_older(metadata: JournalMetadata, segments: list[SegmentUse], seconds: float | None) -> bool:
    """Return whether a container was last seen longer ago than so many seconds; never where there is no bound."""
    return seconds is not None and _last_seen(metadata, segments) < time.time_ns() - seconds * _SECOND


def _closing_time(segments: list[SegmentUse], options: ContainerOptions) -> int:
    """Return when the newest segment will be older than a share of ``max-age``, 0 if there is nothing in it."""
    newest = segments[-1] if segments else None
    if newest is None or not newest.bytes or newest.segment.compressed:
        return 0
    return begun(newest) + int((options.max_age or 0) * _SECOND) // options.max_file


def _has_plain(segments: list[SegmentUse]) -> bool:
    return not all(use.segment.compressed for use in segments)


def _drop_oldest(label: str, segments: list[SegmentUse], needed_from: int | None, buffer_limit: int) -> None:
    """Remove the oldest of what is not delivered, beyond ``buffer-limit``."""
    excess = undelivered(segments, needed_from) - buffer_limit
    if needed_from is None or excess <= 0:
        return
    dropped = 0
    going = []
    for use in segments[:-1]:
        if dropped >= excess:
            break
        if use.end is not None and use.end > needed_from:
            going.append(use)
            dropped += use.end - max(use.segment.base, needed_from)
    remove_segments(going, Cause.BUFFER_LIMIT)
    if dropped:
        logger.warning(
            "container %s: buffer-limit reached: dropped the oldest %d bytes before they were delivered", label, dropped
        )

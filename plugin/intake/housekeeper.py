"""The housekeeper: a thread for all that takes long — retention, compression, fsync, bounds on disk use.

It never touches the segment that is being written. What has to be done there (closing it so that it can go), or must
not meet the beginning of a new stream (removing a journal), it asks the pump for.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from plugin.engine.info import Info
from plugin.engine.options import ContainerOptions
from plugin.errors import JournalError
from plugin.intake.pump import Pump
from plugin.journal.compression import compress_closed
from plugin.journal.cursors import floor
from plugin.journal.folder import DataFolder
from plugin.journal.note import read_note
from plugin.journal.retention import (
    SegmentUse,
    aged,
    begun,
    measure,
    remove_old_corrupt,
    remove_segment,
    surplus,
    undelivered,
)

logger = logging.getLogger(__name__)

_TICK = 1.0
_MEASURE_CHANGED = 5.0
_VISIT_ALL = 30.0
_NICE = 10
_FREE_SHARE = 10
_FREED_WHEN_FULL = 100
_WORTH_LOSING = 1 << 20
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DiskBounds:
    """Bounds for all journals together; ``None`` for none. Bytes, and seconds for ``keep_stopped``."""

    limit: int | None
    free: int | None
    keep_stopped: float | None


class Housekeeper(threading.Thread):
    """Keeps every journal within its container's options and all of them within the disk's bounds.

    ``options_of`` gives the options of a container by its ``Info``; they were accepted once and must not be refused.
    """

    def __init__(
        self, data: DataFolder, pump: Pump, bounds: DiskBounds, options_of: Callable[[Info], ContainerOptions]
    ) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._data = data
        self._pump = pump
        self._bounds = bounds
        self._options_of = options_of
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._rotated: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._use: dict[str, list[SegmentUse]] = {}
        self._aging: set[str] = set()
        self._needed_from: dict[str, int] = {}
        self._fsync_intervals: dict[str, float] = {}
        self._synced: dict[str, float] = {}
        self._next_measure = self._next_visit = 0.0

    def note_change(self, container_id: str) -> None:
        """Remember that a journal has grown. May be called from any thread."""
        with self._lock:
            self._changed.add(container_id)

    def note_rotation(self, container_id: str) -> None:
        """Have a journal tidied up soon. May be called from any thread."""
        with self._lock:
            self._rotated.add(container_id)
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the journal it is at."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Keep house until ``stop`` was called; a failure concerns one round only."""
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, max(_NICE, os.getpriority(os.PRIO_PROCESS, own)))
        self._data.sweep()
        while not self._stopping:
            try:
                self.round()
            except Exception:
                logger.exception("housekeeping failed; it is tried again")
            self._wake.wait(_TICK)
            self._wake.clear()

    def round(self) -> None:
        """Do what is due now."""
        now = time.monotonic()
        attached = self._pump.call(self._pump.attached).result()
        for container_id in self._due(now):
            if self._stopping:
                return
            try:
                self._tidy(container_id, container_id in attached)
            except OSError as error:
                logger.warning("container %s: its journal cannot be tidied up: %s", container_id, error)
        self._sync(attached, now)
        self._enforce_bounds(attached)

    def _due(self, now: float) -> list[str]:
        """List the journals to look at: those that rotated; now and then those that changed; and all."""
        with self._lock:
            due, self._rotated = self._rotated, set()
            if now >= self._next_measure:
                self._next_measure = now + _MEASURE_CHANGED
                due |= self._changed | self._aging | self._needed_from.keys()
                self._changed = set()
        if now >= self._next_visit:
            self._next_visit = now + _VISIT_ALL
            due |= self._use.keys() | set(self._data.container_ids())
        return sorted(due)

    def _tidy(self, container_id: str, attached: bool) -> None:
        folder = self._data.container(container_id)
        try:
            note = read_note(folder)
        except JournalError as error:
            logger.warning("container %s: %s", container_id, error)
            note = None
        segments = measure(folder)
        if not attached and not segments and folder.exists() and not (folder / "info.json").exists():
            self._remove(container_id, "its container never printed")
            return
        if note is not None:
            last_seen = max([note.last_seen, *(use.modified for use in segments)])
            keep = self._bounds.keep_stopped
            options = self._options_of(note.info)
            needed_from = floor(folder, [choice.instance for choice in options.sinks])
            delivered = undelivered(segments, needed_from) == 0
            if needed_from is not None and not delivered:
                self._needed_from[container_id] = needed_from
            else:
                self._needed_from.pop(container_id, None)
            if not attached and delivered and keep is not None and last_seen < time.time_ns() - keep * _SECOND:
                self._remove(container_id, "it stopped long ago (PEAVEY_KEEP_STOPPED)")
                return
            if options.fsync_interval is not None:
                self._fsync_intervals[container_id] = options.fsync_interval
            else:
                self._fsync_intervals.pop(container_id, None)
            self._aging.discard(container_id)
            if options.max_age is not None:
                self._aging.add(container_id)
                self._remove_aged(container_id, segments, options, needed_from)
            for use in self._surplus(segments, options, needed_from):
                remove_segment(use)
            self._hold_back(container_id, segments, needed_from, options)
            remove_old_corrupt(folder)
            if options.compress:
                self._compress(container_id, needed_from)
            segments = measure(folder)
        if segments:
            self._use[container_id] = segments
            return
        self._use.pop(container_id, None)
        if not folder.exists():
            self._forget(container_id)

    def _surplus(
        self, segments: list[SegmentUse], options: ContainerOptions, needed_from: int | None
    ) -> list[SegmentUse]:
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

    def _remove_aged(
        self, container_id: str, segments: list[SegmentUse], options: ContainerOptions, needed_from: int | None
    ) -> None:
        """Remove what is older than ``max-age``; the newest segment is closed in time for that.

        A segment is closed when it is older than a share of ``max-age``, so that at most that share is kept too long.
        """
        age = int((options.max_age or 0) * _SECOND)
        now = time.time_ns()
        for use in aged(segments, now - age, needed_from):
            remove_segment(use)
        newest = segments[-1] if segments else None
        if newest is None or not newest.bytes or newest.segment.compressed:
            return
        delivered = undelivered(segments, needed_from) == 0
        if delivered and newest.modified < now - age and self._remove(container_id, "all of it is older than max-age"):
            return
        if begun(newest) < now - age // options.max_file:
            self._pump.call(self._pump.rotate, container_id).result()

    def _hold_back(
        self, container_id: str, segments: list[SegmentUse], needed_from: int | None, options: ContainerOptions
    ) -> None:
        """Keep what is not delivered within ``buffer-limit``, by the policy that ``overflow`` names."""
        excess = undelivered(segments, needed_from) - options.buffer_limit
        throttle = options.overflow == "throttle"
        if throttle:
            self._pump.call(self._pump.throttle, container_id, on=excess > 0).result()
        if throttle or excess <= 0:
            return
        dropped = 0
        for use in segments[:-1]:
            if dropped >= excess:
                break
            if use.end is not None and needed_from is not None and use.end > needed_from:
                remove_segment(use)
                dropped += use.end - max(use.segment.base, needed_from)
        if dropped:
            logger.warning(
                "container %s: the oldest %d bytes were dropped before they could be delivered (buffer-limit)",
                container_id,
                dropped,
            )

    def _compress(self, container_id: str, needed_from: int | None) -> None:
        try:
            compress_closed(self._data.container(container_id), needed_from)
        except (OSError, zstandard.ZstdError) as error:
            logger.debug("container %s: segments stay uncompressed: %s", container_id, error)

    def _remove(self, container_id: str, reason: str) -> bool:
        """Remove the journal of a container without streams; false if it has some."""
        if not self._pump.call(self._pump.remove, container_id).result():
            return False
        logger.info("container %s: journal removed, %s", container_id, reason)
        self._use.pop(container_id, None)
        self._forget(container_id)
        self._data.sweep()
        return True

    def _sync(self, attached: set[str], now: float) -> None:
        for container_id in attached & self._use.keys() & self._fsync_intervals.keys():
            if now - self._synced.get(container_id, 0.0) >= self._fsync_intervals[container_id]:
                self._synced[container_id] = now
                try:
                    _fsync(self._use[container_id][-1].segment.path)
                except OSError as error:
                    logger.warning("container %s: its journal cannot be synced: %s", container_id, error)

    def _forget(self, container_id: str) -> None:
        self._aging.discard(container_id)
        for kept in (self._fsync_intervals, self._synced, self._needed_from):
            kept.pop(container_id, None)

    def _enforce_bounds(self, attached: set[str]) -> None:
        excess = self._excess()
        if excess <= 0:
            return
        removed = freed = 0
        for container_id, use in self._victims(attached):
            if freed >= excess:
                break
            try:
                if not self._give_up(container_id, use, container_id in attached):
                    continue
            except OSError as error:
                logger.warning("container %s: its journal cannot make room: %s", container_id, error)
                continue
            freed += use.bytes
            removed += 1
            self.note_rotation(container_id)
        if removed:
            logger.warning(
                "room on the disk is short: removed the oldest %d segments of stopped, then of running containers "
                "(%d bytes; PEAVEY_DISK_LIMIT, PEAVEY_DISK_FREE)",
                removed,
                freed,
            )

    def _give_up(self, container_id: str, use: SegmentUse, attached: bool) -> bool:
        """Remove a segment for want of room; false if it cannot go or is not worth it."""
        if use.end is None and not attached:
            return self._remove(container_id, "for want of room")
        if use.end is None and (
            use.bytes < _WORTH_LOSING or not self._pump.call(self._pump.rotate, container_id).result()
        ):
            return False
        remove_segment(use)
        return True

    def _excess(self) -> int:
        """Count the bytes that are too many: beyond the limit, where others need them, or where the disk is full."""
        excess = 0
        if self._bounds.limit is not None:
            excess = sum(use.bytes for segments in self._use.values() for use in segments) - self._bounds.limit
        status = os.statvfs(self._data.path)
        disk = status.f_blocks * status.f_frsize
        if self._bounds.free is not None:
            wanted = min(self._bounds.free, disk // _FREE_SHARE)
            excess = max(excess, wanted - status.f_bavail * status.f_frsize)
        if self._pump.call(self._pump.dropping).result():
            excess = max(excess, disk // _FREED_WHEN_FULL)
        return excess

    def _victims(self, attached: set[str]) -> list[tuple[str, SegmentUse]]:
        """List all segments in the order in which they go.

        What is delivered goes before what is not, stopped containers' before running ones', closed segments before the
        one that is written, and among equals the oldest first.
        """
        everything = [(container_id, use) for container_id, segments in self._use.items() for use in segments]

        def rank(item: tuple[str, SegmentUse]) -> tuple[bool, bool, bool, int]:
            container_id, use = item
            runs = container_id in attached
            needed_from = self._needed_from.get(container_id)
            needed = needed_from is not None and (use.end is None or use.end > needed_from)
            return needed, runs, runs and use.end is None, use.modified

        return sorted((item for item in everything if item[1].bytes), key=rank)


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

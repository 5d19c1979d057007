"""The disk quota: all journals together stay within its bounds, by giving up what is missed the least."""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from plugin.intake.journal_state import KeptJournal
from plugin.intake.pump import Pump
from plugin.journal.cursors.store import floor
from plugin.journal.drop_mode import ROOM_TO_RESUME, require_room
from plugin.journal.layout import DataFolder
from plugin.journal.losses import Cause
from plugin.journal.metadata import container_label
from plugin.journal.retention import SegmentUse, measure, passed, remove_corrupt, remove_segment

logger = logging.getLogger(__name__)

_FREE_SHARE = 10
_VITAL_SHARE = 10
_FREED_WHEN_FULL = 100
_FREED_FOR_A_QUOTA = 1 << 20
_WORTH_LOSING = 1 << 20
_EMPTIED_AT_MOST = 1_000
_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class DiskBounds:
    """Bounds for all journals together; ``None`` for none. Bytes, and seconds for ``keep_…``."""

    limit: int | None
    free: int | None
    keep_stopped: float | None
    keep_undelivered: float | None = None

    def kept_free(self, disk: int) -> int | None:
        """Return how much is left free of a disk of this size: never more than a part of it."""
        return None if self.free is None else min(self.free, disk // _FREE_SHARE)


@dataclass(frozen=True, slots=True)
class _Shortage:
    """Bytes that are too many: ``wanted`` by the bounds, ``vital`` lest lines be dropped that come now.

    Of those that are wanted, ``beyond_limit`` are for the limit, the others for lack of space on the disk.
    """

    wanted: int
    vital: int
    beyond_limit: int


@dataclass(frozen=True, slots=True)
class _Victim:
    """A segment that may go: to a sink that needs it a loss, before which a ``throttled`` container is slowed down."""

    container_id: str
    use: SegmentUse
    needed: bool
    throttled: bool
    runs: bool
    journal: KeptJournal

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, int]:
        """Its place in the order in which segments go."""
        written = self.runs and self.use.end is None
        return self.throttled, self.needed, self.runs, written, self.use.modified


class DiskQuota:
    """Frees disk space when it runs short.

    ``short`` is whether it still was when all had gone that others can spare: then containers with
    ``overflow=throttle`` are to be slowed down. ``remove`` removes the journal of a stopped container that
    has not grown since its segments were seen, for a reason.
    """

    def __init__(
        self, data: DataFolder, pump: Pump, bounds: DiskBounds, remove: Callable[[str, Sequence[SegmentUse], str], bool]
    ) -> None:
        self._data = data
        self._pump = pump
        self._bounds = bounds
        self._remove = remove
        self.short = False
        self._untold = False

    def make_room(self, journals: Mapping[str, KeptJournal], attached: set[str]) -> set[str]:
        """Remove what has to go; returns the containers whose journals have changed."""
        shortage = self._shortage(journals)
        if shortage.wanted <= 0 and not self.short:
            return set()
        by_a_margin = self._shortage(journals, _MARGIN).wanted
        victims = _victims(journals, attached)
        changed: set[str] = set()
        spared = False
        if shortage.wanted > 0:
            changed |= self._forget_emptied(journals, attached)
            freed = self._remove_set_aside(journals, changed)
            spared = self._give_up_in_turn(victims, shortage, freed, changed)
        to_spare = sum(victim.use.bytes for victim in victims if not victim.throttled)
        self.short = spared or (self.short and by_a_margin > to_spare)
        return changed

    def _give_up_in_turn(self, victims: list[_Victim], shortage: _Shortage, freed: int, changed: set[str]) -> bool:
        """Remove segments until enough is free; true if there is not enough that can be spared."""
        lost = 0
        spared = False
        for victim in victims:
            if freed >= shortage.wanted:
                break
            spared = spared or victim.throttled
            if spared and freed >= shortage.vital:
                break
            cause = Cause.DISK_LIMIT if freed < shortage.beyond_limit else Cause.DISK_FREE
            gained = self._give_up_safely(victim, cause)
            if gained is not None:
                changed.add(victim.container_id)
                freed += gained
                lost += gained if victim.needed else 0
        if freed:
            logger.warning(
                "disk space is short (PEAVEY_DISK_LIMIT, PEAVEY_DISK_FREE): removed the oldest segments, %d bytes%s",
                freed,
                f" ({lost} not delivered yet)" if lost else "",
            )
        return spared or freed < shortage.wanted

    def _shortage(self, journals: Mapping[str, KeptJournal], margin: float = 0) -> _Shortage:
        """Count what is beyond the limit, what others need, and what is missing where the disk is full.

        With a ``margin`` the bounds are that share narrower.
        """
        used = sum(journal.bytes for journal in journals.values())
        beyond_limit = wanted = vital = 0
        if self._bounds.limit is not None:
            beyond_limit = wanted = used - int(self._bounds.limit * (1 - margin))
        status = self._disk()
        if status is None:
            return _Shortage(wanted=wanted, vital=vital, beyond_limit=beyond_limit)
        disk, available = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        if self._bounds.free is not None:
            free = self._bounds.kept_free(disk) or 0
            wanted = max(wanted, int(free * (1 + margin)) - available)
            vital = free // _VITAL_SHARE - available
        errors = self._pump.call(self._pump.room_errors).result()
        if errno.EDQUOT in errors and not _meets_quota(self._data):
            errors = errors - {errno.EDQUOT}
        if errors:
            vital = max(vital, _lacking(errors, status))
        return _Shortage(wanted=max(wanted, vital), vital=vital, beyond_limit=beyond_limit)

    def _disk(self) -> os.statvfs_result | None:
        """Ask how full the disk is; ``None`` if that cannot be told: then no room is made on it."""
        try:
            status = os.statvfs(self._data.path)
        except OSError as error:
            level = logging.DEBUG if self._untold else logging.WARNING
            logger.log(level, "cannot tell how full the disk is, no room is made on it: %s", error)
            self._untold = True
            return None
        self._untold = False
        return status

    def _give_up_safely(self, victim: _Victim, cause: Cause) -> int | None:
        try:
            return self._give_up(victim, cause)
        except OSError as error:
            logger.warning("container %s: cannot remove a segment: %s", self._label(victim.container_id), error)
            return None

    def _give_up(self, victim: _Victim, cause: Cause) -> int | None:
        """Remove a segment for lack of space; return the bytes that are free now, ``None`` if nothing can go.

        A journal of which sinks have to be told that it is gone keeps an empty segment at its end: all before that
        is a gap to them, which each is told of in its place.
        """
        use = victim.use
        if use.end is not None:
            remove_segment(use, cause, at_once=True)
            return use.bytes
        if not victim.runs and not victim.needed:
            return use.bytes if self._remove(victim.container_id, [use], "disk space is short") else None
        if victim.runs and use.bytes < _WORTH_LOSING:
            return None
        if not self._pump.call(self._pump.rotate, victim.container_id).result():
            return None
        folder = self._data.container(victim.container_id)
        going = [segment for segment in measure(folder) if segment.end is not None]
        if not victim.needed:  # when it was looked at last; it may have grown
            going = passed(going, floor(folder, victim.journal.sinks, victim.journal.birth, running=victim.runs))
        for segment in going:
            remove_segment(segment, cause, at_once=True)
        return sum(segment.bytes for segment in going)

    def _remove_set_aside(self, journals: Mapping[str, KeptJournal], changed: set[str]) -> int:
        """Remove what was no log entries: nothing needs it."""
        freed = 0
        for container_id, journal in journals.items():
            if not journal.set_aside:
                continue
            try:
                freed += journal.set_aside - remove_corrupt(self._data.container(container_id), 0)
            except OSError as error:
                logger.warning("container %s: cannot remove .corrupt files: %s", self._label(container_id), error)
                continue
            changed.add(container_id)
        return freed

    def _forget_emptied(self, journals: Mapping[str, KeptJournal], attached: set[str]) -> set[str]:
        """Remove the oldest of very many empty journals that only wait for their sinks to be told of the loss."""
        waiting = [
            (journal.segments[-1].modified, container_id)
            for container_id, journal in journals.items()
            if journal.needed_from is not None and journal.segments and not journal.bytes
            if container_id not in attached
        ]
        surplus = sorted(waiting)[: max(0, len(waiting) - _EMPTIED_AT_MOST)]
        reason = "disk space is short; its sinks are not told"
        return {
            container_id
            for _, container_id in surplus
            if self._remove_safely(container_id, journals[container_id].segments, reason)
        }

    def _remove_safely(self, container_id: str, seen: Sequence[SegmentUse], reason: str) -> bool:
        try:
            return self._remove(container_id, seen, reason)
        except OSError as error:
            logger.warning("container %s: cannot remove the journal: %s", self._label(container_id), error)
            return False

    def _label(self, container_id: str) -> str:
        return container_label(self._data.container(container_id))


def _meets_quota(data: DataFolder) -> bool:
    """Return whether a quota refuses room beside the journals, too: else it is one journal's trouble alone."""
    try:
        require_room(data.path)
    except OSError as error:
        return error.errno == errno.EDQUOT
    return False


def _lacking(errors: set[int], status: os.statvfs_result) -> int:
    """Count the bytes that are short where lines are dropped for lack of space; none where the disk has enough.

    For a quota, of which the disk does not tell, some room is made each time until it is enough.
    """
    disk, available = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    lacking = max(disk // _FREED_WHEN_FULL, 2 * ROOM_TO_RESUME) - available
    if errno.EDQUOT in errors:
        lacking = max(lacking, _FREED_FOR_A_QUOTA)
    if status.f_files and not status.f_favail:
        lacking = max(lacking, 1)
    return max(lacking, 0)


def _victims(journals: Mapping[str, KeptJournal], attached: set[str]) -> list[_Victim]:
    """List all segments in the order in which they go.

    What is delivered goes before what is not, stopped containers' before running ones', closed segments before the
    one that is written, and among equals the oldest first. What a container with ``overflow=throttle`` has not
    delivered goes last of all.
    """
    return sorted(_candidates(journals, attached), key=lambda victim: victim.rank)


def _candidates(journals: Mapping[str, KeptJournal], attached: set[str]) -> Iterator[_Victim]:
    for container_id, journal in journals.items():
        runs = container_id in attached
        needed_from = journal.needed_from
        for use in journal.segments:
            needed = needed_from is not None and (use.end is None or use.end > needed_from)
            whole_journal = use.end is None and not runs and not needed
            if use.bytes or whole_journal:
                yield _Victim(container_id, use, needed, needed and journal.throttles, runs, journal)

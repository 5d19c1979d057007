"""The housekeeper: a thread for all that takes long — retention, compression, fsync, bounds on disk use.

It never touches the segment that is being written. What has to be done there (closing it so that it can go), or must
not meet the beginning of a new stream (removing a journal), it asks the pump for.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from plugin.config.options import ContainerOptions
from plugin.docker.info import Info
from plugin.errors import StoppedError
from plugin.intake.disk_quota import DiskBounds, DiskQuota
from plugin.intake.fsync import Syncer
from plugin.intake.journal_state import KeptJournal
from plugin.intake.pump import Pump
from plugin.intake.retention import Tidier
from plugin.intake.throttle import to_slow_down
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import container_label
from plugin.memory import give_memory_back

logger = logging.getLogger(__name__)

_TICK = 1.0
_MEASURE_CHANGED = 5.0
_VISIT_ALL = 30.0
_GIVE_BACK = 30.0
_NICE = 10

_BREATHER = 0.05
"""Seconds to let pass when a journal is due for retention: the engine is waiting for an answer just then."""


class Housekeeper(threading.Thread):
    """The thread that keeps each journal within its container's options and all of them within the disk's bounds.

    ``options_of`` returns the options of a container by its ``Info``; they were accepted before, so it refuses none.
    ``replenish`` is called now and then, to make the reserve for a full disk whole again.
    """

    def __init__(
        self,
        data: DataFolder,
        pump: Pump,
        bounds: DiskBounds,
        options_of: Callable[[Info], ContainerOptions],
        replenish: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._data = data
        self._replenish = replenish
        self._pump = pump
        self._tidier = Tidier(data, pump, options_of, bounds)
        self._quota = DiskQuota(data, pump, bounds, partial(self._tidier.remove, at_once=True))
        self._syncer = Syncer()
        self._journals: dict[str, KeptJournal] = {}
        self._slowed: set[str] = set()
        self._failing: set[str] = set()
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._rotated: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._next_measure = self._next_visit = self._next_giving_back = 0.0

    def note_change(self, container_id: str) -> None:
        """Remember that a journal has grown. May be called from any thread."""
        with self._lock:
            self._changed.add(container_id)

    @property
    def given_up_bytes(self) -> int:
        """How much was given up of stopped containers, since the plugin's start, as no destination took it in time."""
        return self._tidier.given_up_bytes

    def note_changes(self, *, urgent: bool = False) -> None:
        """Remember that options may have changed, so that all journals are to be looked at. May be called as above.

        If it is ``urgent``, as somebody waits for it, that is done at once.
        """
        known = list(self._journals)
        with self._lock:
            (self._rotated if urgent else self._changed).update(known)
        if urgent:
            self._wake.set()

    def note_rotation(self, container_id: str) -> None:
        """Run retention on a journal soon. May be called from any thread."""
        with self._lock:
            self._rotated.add(container_id)
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the journal it is at."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Make rounds until ``stop`` is called; a failure concerns one round only."""
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, max(_NICE, os.getpriority(os.PRIO_PROCESS, own)))
        self._sweep()
        while not self._stopping:
            try:
                self.round()
            except StoppedError:
                return
            except OSError as error:
                logger.warning("housekeeping failed; it is tried again: %s", error)
            except Exception:
                logger.exception("housekeeping failed; retrying")
            if self._wake.wait(_TICK) and not self._stopping:
                time.sleep(_BREATHER)
            self._wake.clear()

    def round(self) -> None:
        """Do what is due now."""
        now = time.monotonic()
        due = self._due(now)
        attached = self._pump.call(self._pump.attached).result()  # after: whose end made it due is not in it
        for container_id in due:
            if self._stopping:
                return
            try:
                journal = self._tidier.tidy(container_id, attached=container_id in attached)
            except StoppedError:
                raise
            except Exception as error:  # noqa: BLE001 (one odd journal must not end the round for all others)
                level = logging.DEBUG if container_id in self._failing else logging.WARNING
                label = container_label(self._data.container(container_id))
                logger.log(level, "retention failed for container %s: %s", label, error)
                self._failing.add(container_id)
                continue
            self._failing.discard(container_id)
            if journal is None:
                self._journals.pop(container_id, None)
            else:
                self._journals[container_id] = journal
        self._syncer.sync(self._journals, attached, now)
        for container_id in self._quota.make_room(self._journals, attached):
            self.note_rotation(container_id)
        if self._quota.short:
            self._next_measure = now
        self._throttle(attached)
        if now >= self._next_giving_back:
            self._next_giving_back = now + _GIVE_BACK
            give_memory_back()

    def _due(self, now: float) -> list[str]:
        """List the journals to look at: those that rotated; now and then those that grew, are due, came or went."""
        measure = now >= self._next_measure
        with self._lock:  # for a moment only: the pump waits for it
            due, self._rotated = self._rotated, set()
            if measure:
                changed, self._changed = self._changed, set()
        if measure:
            self._next_measure = now + _MEASURE_CHANGED
            moment = time.time_ns()
            due |= changed | {container_id for container_id, kept in self._journals.items() if kept.is_due(moment)}
        if now >= self._next_visit:
            self._next_visit = now + _VISIT_ALL
            self._replenish()
            due |= self._came_or_went()
        return sorted(due)

    def _came_or_went(self) -> set[str]:
        try:
            present = set(self._data.container_ids())
        except OSError as error:
            logger.warning("the journals cannot be listed now, those that are known are kept in bounds: %s", error)
            return set()
        return present ^ self._journals.keys()

    def _sweep(self) -> None:
        try:
            self._data.sweep()
        except OSError as error:
            logger.warning("what an earlier process removed cannot be swept up now: %s", error)

    def _throttle(self, attached: set[str]) -> None:
        slowed = to_slow_down(self._journals, attached, self._slowed, short=self._quota.short)
        if slowed or self._slowed:
            self._pump.call(self._pump.throttle, slowed).result()
        self._slowed = slowed

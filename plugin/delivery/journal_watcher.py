"""Which containers are to be looked at: what it costs to know does not grow with those that do nothing."""

import logging
import os
import time
from collections.abc import Callable

from plugin.delivery.timing import Timing
from plugin.journal.change_counters import GrowthListener, counter_of
from plugin.journal.layout import CLOCK_TICK, DataFolder

logger = logging.getLogger(__name__)


class Watch:
    """Watches the containers for which ``is_ours`` says so."""

    def __init__(self, data: DataFolder, is_ours: Callable[[str], bool], timing: Timing | None = None) -> None:
        self._data = data
        self._is_ours = is_ours
        self._timing = timing or Timing()
        self._growth = GrowthListener(data)
        self._ids: set[str] = set()
        self._by_counter: dict[int, set[str]] = {}
        self._listed = -1
        self._next_list = self._next_survey = 0.0

    def look(self, *, survey: bool = False) -> tuple[set[str], set[str]]:
        """Return the containers whose journals are gone since the last call, and those to look at.

        These are new, or intake says that they have grown; now and then it is all of them, for what it could not say,
        and always in a ``survey``.
        """
        now = time.monotonic()
        gone: set[str] = set()
        stirred: set[str] = set()
        if now >= self._next_list:
            self._next_list = now + self._timing.list
            gone, stirred = self._list()
        grown = self._growth.listen()
        for counter in grown or ():
            stirred |= self._by_counter.get(counter, set())
        if survey or now >= self._next_survey:
            self._next_survey = now + (self._timing.list if grown is None else self._timing.survey)
            stirred = set(self._ids)
        return gone, stirred

    def _list(self) -> tuple[set[str], set[str]]:
        """List the journals, unless their folder is as it was; returns those that are gone, and those that are new."""
        try:
            changed = os.stat(self._data.containers).st_mtime_ns
            if changed == self._listed:
                return set(), set()
            present = self._data.container_ids()
        except FileNotFoundError:
            changed, present = 0, []
        except OSError as error:
            logger.warning("journals cannot be listed now, those that are known are delivered: %s", error)
            return set(), set()
        self._listed = changed if time.time_ns() - changed > CLOCK_TICK else -1
        ids = {container_id for container_id in present if self._is_ours(container_id)}
        gone, new = self._ids - ids, ids - self._ids
        for container_id in gone:
            self._by_counter[counter_of(container_id)].discard(container_id)
        for container_id in new:
            self._by_counter.setdefault(counter_of(container_id), set()).add(container_id)
        self._ids = ids
        return gone, new

"""Force journals to the disk as often as their containers' ``fsync-interval`` asks for."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plugin.intake.journal_state import KeptJournal
from plugin.journal.layout import CLOCK_TICK
from plugin.journal.metadata import container_label
from plugin.journal.regular_files import open_regular

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Synced:
    """When a journal was synced: in seconds of the monotonic clock, and in nanoseconds since 1970 UTC."""

    now: float
    moment: int


class Syncer:
    """Remembers when each journal was last synced, and so what of it has been written since."""

    def __init__(self) -> None:
        self._synced: dict[str, _Synced] = {}
        self._begin = _Synced(0.0, time.time_ns())

    def sync(self, journals: Mapping[str, KeptJournal], attached: set[str], now: float) -> None:
        """Sync the newest segments that are due; ``now`` is in seconds of the monotonic clock.

        With them go those that were closed since the last time, and once more what a container that has ended wrote.
        """
        for gone in self._synced.keys() - journals.keys():
            del self._synced[gone]
        for container_id, journal in journals.items():
            interval = None if journal.options is None else journal.options.fsync_interval
            if interval is None or not journal.segments:
                continue
            last = self._synced.get(container_id, self._begin)
            runs = container_id in attached
            if runs and now - last.now < interval:
                continue
            paths = [
                use.segment.path
                for use in journal.segments
                if (runs and use.end is None) or use.modified > last.moment - CLOCK_TICK
            ]
            if paths:
                self._synced[container_id] = _Synced(now, time.time_ns())
                _sync_all(Path(paths[0]).parent, paths)


def _sync_all(folder: Path, paths: list[str]) -> None:
    for path in paths:
        try:
            _fsync(path)
        except OSError as error:
            logger.warning("container %s: fsync failed: %s", container_label(folder), error)


def _fsync(path: str) -> None:
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:  # compressed meanwhile, and synced for that, or removed
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Syncing: journals are forced to the disk as often as their containers' ``fsync-interval`` asks for."""

import logging
import os
from collections.abc import Mapping

from plugin.intake.tidying import KeptJournal

logger = logging.getLogger(__name__)


class Syncer:
    """Remembers when each journal was last synced."""

    def __init__(self) -> None:
        self._synced: dict[str, float] = {}

    def sync(self, journals: Mapping[str, KeptJournal], attached: set[str], now: float) -> None:
        """Sync the newest segments that are due; ``now`` is in seconds of the monotonic clock."""
        for gone in self._synced.keys() - journals.keys():
            del self._synced[gone]
        for container_id in attached & journals.keys():
            journal = journals[container_id]
            interval = None if journal.options is None else journal.options.fsync_interval
            if interval is None or not journal.segments or now - self._synced.get(container_id, 0.0) < interval:
                continue
            self._synced[container_id] = now
            try:
                _fsync(journal.segments[-1].segment.path)
            except OSError as error:
                logger.warning("container %s: its journal cannot be synced: %s", container_id, error)


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

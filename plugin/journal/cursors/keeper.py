"""The cursors that intake writes: first ones at StartLogging, and those that a power cut left where they do not fit."""

import logging
from collections.abc import Iterable
from pathlib import Path

from plugin.config.options import SinkChoice
from plugin.errors import HeldError
from plugin.journal.cursors.placement import CursorChange, first_cursors, make_change, misplaced_cursors
from plugin.journal.metadata import container_label
from plugin.journal.write_errors import WriteFault, classify

logger = logging.getLogger(__name__)


class CursorKeeper:
    """Sees to it that every sink has a cursor that fits its journal, before the journal grows.

    What a full disk refuses is kept here and tried again with ``save``, also when the stream has ended meanwhile: each
    cursor stays at the place that was right when it was asked for. Used by the pump's thread.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[Path, str], CursorChange] = {}
        self._unbegun: dict[Path, tuple[SinkChoice, ...]] = {}

    def begin(self, folder: Path, sinks: Iterable[SinkChoice]) -> None:
        """Write the first cursor of each sink that has none; an unreadable journal does not hold up its stream."""
        wanted = tuple(sinks)
        try:
            changes = first_cursors(folder, wanted)
        except OSError as error:
            if folder not in self._unbegun:
                logger.warning("container %s: cannot determine start offsets yet: %s", container_label(folder), error)
            self._unbegun[folder] = wanted
            return
        self._unbegun.pop(folder, None)
        self._make(changes)

    def place(self, folder: Path, end: int, birth: int) -> None:
        """Bring cursors in line with a journal that was found to end with a frame at ``end``, see ``placing``.

        Raises ``HeldError`` if that cannot be done for want of a resource: the journal must not grow before.
        """
        if folder in self._unbegun:
            self.begin(folder, self._unbegun[folder])
        try:
            changes = misplaced_cursors(folder, end, birth)
        except OSError as error:
            if classify(error) is WriteFault.PASSING:
                raise HeldError(f"cannot read its cursors now: {error}") from error
            logger.warning("container %s: cannot read cursors: %s", container_label(folder), error)
            return
        for change in changes:
            logger.warning(
                "container %s, sink %s: cursor at offset %d does not fit the journal, as after a power cut; "
                "moved to %d",
                container_label(folder),
                change.instance,
                0 if change.seen is None else change.seen.offset,
                change.cursor.offset,
            )
        self._make(changes)

    def save(self) -> None:
        """Try again what could not be looked up or written."""
        for folder, sinks in list(self._unbegun.items()):
            self.begin(folder, sinks)
        for change in list(self._waiting.values()):
            if not self._make([change]):
                return

    def forget(self, folder: Path) -> None:
        """Try nothing more for a journal that is removed."""
        self._unbegun.pop(folder, None)
        for key in [key for key in self._waiting if key[0] == folder]:
            del self._waiting[key]

    def _make(self, changes: Iterable[CursorChange]) -> bool:
        """Write cursors, and keep those that cannot be written; false if there are some."""
        done = True
        for change in changes:
            key = (change.folder, change.instance)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.seen == change.seen:
                change = waiting  # noqa: PLW2901 (it is at the earlier place)
            try:
                make_change(change)
            except OSError as error:
                done = False
                if key not in self._waiting:
                    logger.warning(
                        "container %s, sink %s: cannot write cursor yet: %s",
                        container_label(change.folder),
                        change.instance,
                        error,
                    )
                self._waiting[key] = change
            else:
                self._waiting.pop(key, None)
        return done

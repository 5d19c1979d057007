"""The gap that grows at a journal's end while lines are dropped, noted on the disk so that a kill does not forget it.

The note is an empty file, ``<20 digits>.gap``, named by the offset at which the journal will go on. A name needs no
room: even a disk without any lets the note be made, and moved, which is to rename it. No reader looks at it.
"""

import logging
import os
import re
from pathlib import Path

from plugin.docker.info import short_id
from plugin.journal.layout import MAX_OFFSET, gap_path

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{20})\.gap", re.ASCII)


class GapMarker:
    """The note in the folder of one journal; used by its one writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None

    def write(self, offset: int) -> None:
        """Note that the journal will go on at an offset; where the disk refuses even that, only this process knows."""
        path = gap_path(self._folder, offset)
        if path == self._path:
            return
        try:
            if self._path is None:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            else:
                os.replace(self._path, path)
        except OSError as error:
            logger.debug("container %s: cannot note gap: %s", short_id(self._folder.name), error)
            self._path = None
        else:
            self._path = path

    def clear(self) -> None:
        """Remove the note, and what an earlier process left of it: the gap is in the journal.

        One that stays, because the disk refuses, does no harm: the journal's end is not before it.
        """
        self._path = None
        try:
            for path in self._folder.glob("*.gap"):
                path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("container %s: cannot remove gap note: %s", short_id(self._folder.name), error)


def noted_gap(folder: Path) -> int:
    """Return at which offset a journal is to go on by its note, 0 if it has none."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    found = (int(match[1]) for name in names if (match := _NAME.fullmatch(name)))
    return max((offset for offset in found if offset < MAX_OFFSET), default=0)

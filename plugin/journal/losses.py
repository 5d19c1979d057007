"""Record what was given up of a journal, and why, beside it: sinks that did not get it are told the cause.

A record is an empty file, ``<start>-<end>.<cause>.lost``, with offsets of 20 digits. A name needs no space, so it can
be recorded on a full disk as well; a loss that adjoins one of the same cause extends it by a rename. Versions that
do not know these files leave them alone.
"""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from plugin.docker.info import short_id
from plugin.journal.layout import MAX_OFFSET

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{20})-(\d{20})\.([a-z-]+)\.lost", re.ASCII)
_KEPT = 32


class Cause(StrEnum):
    """Why bytes are missing; the values are part of file names."""

    RETENTION = "retention"
    MAX_AGE = "max-age"
    BUFFER_LIMIT = "buffer-limit"
    DISK_LIMIT = "disk-limit"
    DISK_FREE = "disk-free"
    DISK_FULL = "disk-full"
    UNWRITABLE = "unwritable"
    DROPPED = "dropped"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """The bytes from ``start`` to ``end`` of a journal, which were given up."""

    start: int
    end: int
    cause: Cause

    def path(self, folder: Path) -> Path:
        """Return the file that records the loss in a journal's folder."""
        return folder / f"{self.start:020}-{self.end:020}.{self.cause}.lost"


def record_loss(folder: Path, start: int, end: int, cause: Cause) -> None:
    """Record that the bytes from ``start`` to ``end`` are given up; only the newest few losses are kept.

    Where the disk refuses, nothing is recorded, and the cause will not be known.
    """
    if start >= end:
        return
    losses = read_losses(folder)
    extended = next((loss for loss in losses if loss.cause is cause and loss.start <= start <= loss.end), None)
    try:
        if extended is None:
            os.close(os.open(Loss(start, end, cause).path(folder), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        elif end > extended.end:
            os.replace(extended.path(folder), Loss(extended.start, end, cause).path(folder))
        for loss in losses[: max(0, len(losses) - _KEPT)]:
            loss.path(folder).unlink(missing_ok=True)
    except OSError as error:
        logger.debug("container %s: cause of a gap (%s) not recorded: %s", short_id(folder.name), cause, error)


def read_losses(folder: Path) -> list[Loss]:
    """Return the losses that are recorded in a journal's folder, by offset; those of unknown causes are left out."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    causes = {cause.value: cause for cause in Cause}
    found = (match for name in names if (match := _NAME.fullmatch(name)))
    losses = (Loss(int(match[1]), int(match[2]), causes[match[3]]) for match in found if match[3] in causes)
    return sorted(loss for loss in losses if loss.start < loss.end < MAX_OFFSET)


def cover(losses: Sequence[Loss], start: int, end: int) -> bool:
    """Return whether losses, which are in order, make up all from ``start`` to ``end``."""
    for loss in losses:
        if start >= end or loss.start > start:
            break
        start = max(start, loss.end)
    return start >= end

"""Bytes that are not frames: how many of them to skip, and where they are kept."""

import logging
from pathlib import Path

from plugin.journal.layout import corrupt_path, write_atomically
from plugin.journal.losses import Cause, record_loss
from plugin.journal.metadata import container_label
from plugin.journal.scanner import frame_behind

logger = logging.getLogger(__name__)

UNCLEAR = 1 << 20
"""Bytes that are kept while it is not clear where frames go on in them."""


def bytes_to_skip(buffer: bytes) -> int:
    """Count the bytes to skip at a buffer's beginning, which are not frames; 0 while more have to come first.

    Where no frame is found in more than ``UNCLEAR`` bytes, all are skipped but a rest, in which one may begin.
    """
    behind = frame_behind(buffer)
    if behind >= 0:
        return behind
    return len(buffer) - UNCLEAR // 16 if len(buffer) > UNCLEAR else 0


def set_aside(folder: Path, offset: int, content: bytes) -> None:
    """Keep the bytes that are not frames at an offset of a journal in a file of their own. Raises ``OSError``."""
    path = corrupt_path(folder, offset)
    logger.warning(
        "container %s: %d bytes at offset %d are not log entries (%s …): set aside in %s",
        container_label(folder),
        len(content),
        offset,
        content[:16].hex(" "),
        path.name,
    )
    write_atomically(path, content)
    record_loss(folder, offset, offset + len(content), Cause.CORRUPT)

"""Bytes that are not frames: how many of them to skip, and where they are kept."""

import logging
from pathlib import Path

from plugin.docker.frames import HEADER_SIZE, MAX_FRAME_SIZE, entry_size
from plugin.journal.layout import corrupt_path, write_atomically
from plugin.journal.losses import Cause, record_loss
from plugin.journal.metadata import container_label
from plugin.journal.reader import JournalReader
from plugin.journal.scanner import Walker, frame_behind, is_frame, may_be_entry, resynchronise

logger = logging.getLogger(__name__)

LOOK_AHEAD = 2 << 20
"""Bytes in which frames are looked for behind damage: more than the largest frame."""

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


def damage_at(reader: JournalReader, *, ended: bool = False) -> int:
    """Count the bytes to skip where a reader is, as they are not a frame; 0 if they are one, or may become one.

    A frame that is incomplete is one that is still being written, unless its content is not what the engine begins
    with, or nothing will complete it: another segment follows, or it has ``ended`` for another reason. Then frames that
    lie behind its beginning count.
    """
    ended = ended or reader.is_closed()
    buffer = reader.peek(LOOK_AHEAD)
    if len(buffer) < HEADER_SIZE or is_frame(buffer):
        return 0
    if len(buffer) < HEADER_SIZE + entry_size(buffer, 0) <= MAX_FRAME_SIZE:
        return max(0, resynchronise(buffer, 1)) if ended or not may_be_entry(buffer) else 0
    return bytes_to_skip(buffer)


def walk_to(reader: JournalReader, walker: Walker, limit: int) -> None:
    """Walk a segment up to an offset from where both are, over what is damaged; bytes that are missing end it."""
    while reader.offset < limit:
        chunk = reader.peek(min(MAX_FRAME_SIZE, limit - reader.offset))
        if reader.offset != walker.offset:
            return
        walked = walker.walk(chunk)
        reader.advance(walked)
        if walked:
            continue
        skipped = damage_at(reader, ended=True) if chunk else 0
        if not skipped or reader.offset + skipped > limit:
            return
        reader.advance(skipped)
        walker.restart(reader.offset, walker.lines, walker.latest)


def keep_copy(folder: Path, offset: int, content: bytes) -> None:
    """Keep a copy of what is cut off a journal's end at an offset, where the disk takes it."""
    try:
        write_atomically(corrupt_path(folder, offset), content)
    except OSError as error:
        logger.debug("container %s: cannot keep what is cut off: %s", container_label(folder), error)


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

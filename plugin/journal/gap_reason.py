"""Why bytes of a journal are missing: by what was recorded when they were given up, else by what is left of it."""

from pathlib import Path

from plugin.journal.layout import corrupt_path, list_segments
from plugin.journal.losses import Cause, cover, read_losses
from plugin.journal.reader import segment_end

NO_ENTRIES = "they are not log entries"
DAMAGED = "the journal is damaged there"

_REASONS = {
    Cause.RETENTION: "max-size and max-file do not keep them",
    Cause.MAX_AGE: "they were older than max-age",
    Cause.BUFFER_LIMIT: "they had to make room before they could be delivered (buffer-limit)",
    Cause.DISK_LIMIT: "they had to make room before they could be delivered (PEAVEY_DISK_LIMIT)",
    Cause.DISK_FREE: "they had to make room on the disk before they could be delivered (PEAVEY_DISK_FREE)",
    Cause.DISK_FULL: "the disk was full when they came",
    Cause.UNWRITABLE: "the journal could not be written when they came",
    Cause.DROPPED: "the disk was full when they came, or refused to take them",
    Cause.CORRUPT: NO_ENTRIES,
}


def why_missing(folder: Path, start: int, end: int) -> str:
    """Return, as the end of a sentence about them, why the bytes from ``start`` to ``end`` cannot be read.

    What an older version gave up has no record: then it says what may be the cause.
    """
    aside = corrupt_path(folder, start)
    before = [segment for segment in list_segments(folder) if segment.base <= start]
    try:
        if aside.exists() and aside.stat().st_size == end - start:
            return f"{NO_ENTRIES}, and are set aside in {aside.name}"
        if before and segment_end(before[-1]) > start:
            return DAMAGED
    except FileNotFoundError:  # removed meanwhile
        before = []
    losses = [loss for loss in read_losses(folder) if loss.start < end and loss.end > start]
    reasons = list(dict.fromkeys(_REASONS[loss.cause] for loss in losses))
    if not cover(losses, start, end):
        reasons.append(_guess(may_have_been_full=bool(before)))
    return ", or ".join(reasons)


def _guess(*, may_have_been_full: bool) -> str:
    """Return what can be said where no cause is recorded: the disk was full only if there is something before."""
    guess = "they had to make room before they could be delivered (buffer-limit, or a bound on the disk)"
    if may_have_been_full:
        guess += ", or the disk was full when they came"
    return f"{guess}; the cause is not recorded"

"""Why bytes of a journal are missing, as far as what is left of it tells."""

from pathlib import Path

from plugin.journal.layout import corrupt_path, list_segments
from plugin.journal.reader import segment_end

NO_ENTRIES = "they are no log entries"


def why_missing(folder: Path, start: int, end: int) -> str:
    """Say, as the end of a sentence about them, why the bytes from ``start`` to ``end`` cannot be read."""
    aside = corrupt_path(folder, start)
    before = [segment for segment in list_segments(folder) if segment.base <= start]
    try:
        if aside.exists() and aside.stat().st_size == end - start:
            return f"{NO_ENTRIES}, and are set aside in {aside.name}"
        if before and segment_end(before[-1]) > start:
            return "the journal is damaged there"
    except FileNotFoundError:  # removed meanwhile
        before = []
    reason = "they had to make room before they could be delivered (buffer-limit, or a bound on the disk)"
    if before:  # delivered history, or what was written before the disk was full
        reason += ", or the disk was full when they came"
    return reason

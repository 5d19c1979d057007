"""Placing cursors: first ones for sinks that are new to a journal, others for those that do not fit it any more.

A power cut can leave a cursor ahead of what the disk has of its journal, or leave cursors of a journal that is gone and
starts over. What is written then would lie before the cursor, and be taken for delivered. Hence intake places the
cursors when it opens a journal, before it writes behind its end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugin.config.options import SinkChoice
from plugin.errors import DamagedCursorError, JournalError
from plugin.journal.cursors.store import (
    Cursor,
    create_cursor,
    cursor_path,
    instances_with_cursors,
    is_of,
    read_cursor,
    starting_at,
    write_cursor,
)
from plugin.journal.metadata import read_metadata
from plugin.journal.seeking import find_since, frames_end, oldest_offset


@dataclass(frozen=True, slots=True)
class CursorChange:
    """A cursor that a sink is to have instead of the one that was ``seen``, which is ``None`` where it has none yet."""

    folder: Path
    instance: str
    seen: Cursor | None
    cursor: Cursor


def first_cursors(folder: Path, sinks: Iterable[SinkChoice]) -> list[CursorChange]:
    """Return where the sinks that have no cursor begin.

    One that the container's own log-opts choose has been wanted since its first line: its cursor was lost, or refused
    by a full disk, if there is more than that in the journal. One that the plugin-wide log-opts choose may be newer
    than the container, and is sent what comes from now on. One that a profile chooses begins where this says.
    """
    missing = [choice for choice in sinks if not cursor_path(folder, choice.instance).exists()]
    if not missing:
        return []
    try:
        metadata = read_metadata(folder)
    except JournalError:
        metadata = None
    changes = []
    for choice in missing:
        if choice.since:
            offset, resume = find_since(folder, choice.since)
        else:
            offset = resume = oldest_offset(folder) if choice.needs_all else frames_end(folder)
        birth = metadata.birth if metadata is not None and offset else 0
        changes.append(CursorChange(folder, choice.instance, None, Cursor(offset=offset, resume=resume, birth=birth)))
    return changes


def make_first_cursors(folder: Path, sinks: Iterable[SinkChoice]) -> None:
    """Write the first cursors of the sinks that have none. Raises ``OSError``."""
    for change in first_cursors(folder, sinks):
        make_change(change)


def at_oldest(folder: Path, birth: int) -> Cursor:
    """Return the cursor with which all that a journal still has is sent."""
    return starting_at(oldest_offset(folder), birth)


def misplaced_cursors(folder: Path, end: int, birth: int) -> list[CursorChange]:
    """Return what must become of cursors that do not fit the journal that was born at ``birth``.

    ``end`` is the offset behind its last complete frame: a cursor cannot be ahead of it. One of another journal goes to
    the oldest entry kept. Damaged ones are left to delivery, which begins there as well. Raises ``OSError`` where a
    cursor cannot be read now: it may be one that does not fit.
    """
    changes = []
    for instance in instances_with_cursors(folder):
        seen = _read_unless_damaged(folder, instance)
        if seen is None:
            continue
        if not is_of(seen, birth):
            oldest = min(end, oldest_offset(folder))
            changes.append(CursorChange(folder, instance, seen, starting_at(oldest, birth)))
        elif seen.offset > end:
            changes.append(CursorChange(folder, instance, seen, taken_back(seen, end, birth)))
    return changes


def taken_back(cursor: Cursor, end: int, birth: int) -> Cursor:
    """Return a cursor that is ahead of its journal taken back to ``end``."""
    return msgspec.structs.replace(cursor, offset=end, resume=min(cursor.resume, end), birth=birth)


def birth_by_cursors(folder: Path, end: int) -> int:
    """Return by the cursors when a journal was born whose metadata is lost, 0 if they do not know.

    They are believed only if none is ahead of ``end``, the offset behind its last complete frame: else they may be of a
    journal that was here before. Raises ``OSError`` where one cannot be read now.
    """
    births = [0]
    for instance in instances_with_cursors(folder):
        cursor = _read_unless_damaged(folder, instance)
        if cursor is not None and cursor.offset > end:
            return 0
        if cursor is not None:
            births.append(cursor.birth)
    return max(births)


def _read_unless_damaged(folder: Path, instance: str) -> Cursor | None:
    """Read a cursor; ``None`` if there is none, or a damaged one. Raises ``OSError``."""
    try:
        return read_cursor(folder, instance)
    except DamagedCursorError:
        return None
    except JournalError as error:
        raise error.__cause__ if isinstance(error.__cause__, OSError) else OSError(str(error)) from error


def make_change(change: CursorChange) -> None:
    """Write the cursor, unless delivery has moved it since it was seen; make the journal's folder where it is missing.

    Raises ``OSError``.
    """
    try:
        now = read_cursor(change.folder, change.instance)
    except DamagedCursorError:
        return
    except JournalError as error:
        raise OSError(str(error)) from error
    if now != change.seen:
        return
    change.folder.mkdir(mode=0o700, exist_ok=True)
    if now is None:
        create_cursor(change.folder, change.instance, change.cursor)
    else:
        write_cursor(change.folder, change.instance, change.cursor)

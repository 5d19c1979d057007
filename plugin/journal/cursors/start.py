"""Beginnings: from where on a sink is sent a container's journal.

As a rule that is what its cursor says. But cursors are not forced to the disk, and a power cut can lose one, damage
one, or leave one ahead of its journal: then some lines are sent twice rather than any passed over.
"""

import logging
from pathlib import Path

from plugin.config.options import SinkChoice
from plugin.errors import DamagedCursorError
from plugin.journal.cursors.given_up import has_given_up, remove_given_up
from plugin.journal.cursors.placement import at_oldest, make_first_cursors, taken_back
from plugin.journal.cursors.store import Cursor, cursor_in, keep_damaged, write_cursor
from plugin.journal.metadata import container_label
from plugin.journal.seeking import frames_end, journal_end

logger = logging.getLogger(__name__)


def find_beginning(folder: Path, choice: SinkChoice, birth: int) -> Cursor | None:
    """Return the cursor with which to begin in the journal that was born at ``birth``.

    ``None`` for a sink without a cursor that only the plugin-wide log-opts choose: it is newer than the container,
    whose next start gives it one. A damaged cursor is copied aside and replaced. Raises ``JournalError`` if the cursor
    cannot be read now, ``OSError`` if the journal cannot be read, or the new cursor cannot be written.

    A sink that a profile chooses gets its first cursor here, if it has none yet.
    """
    try:
        cursor = _read_within(folder, choice.instance, birth)
    except DamagedCursorError as error:
        return _begin_anew(folder, choice.instance, birth, error)
    if cursor is not None and has_given_up(folder, choice.instance):
        write_cursor(folder, choice.instance, cursor)
        remove_given_up(folder, choice.instance)
    if cursor is None and choice.since is not None:
        make_first_cursors(folder, [choice])
        return _read_within(folder, choice.instance, birth)
    if cursor is None and choice.own:
        return at_oldest(folder, birth)
    return cursor


def _read_within(folder: Path, instance: str, birth: int) -> Cursor | None:
    """Read a cursor, and take one that is ahead back to where the journal's frames end.

    Intake takes it back as well before it writes on. So the end is looked up before the cursor is read: what is written
    in between can then not hide that the cursor was ahead. And both are looked up again, in case both have moved on.
    One that is not ahead of the last byte lies between two frames, as when it was written: a power cut only takes ends.
    """
    end, cursor = journal_end(folder), cursor_in(folder, instance, birth)
    if cursor is not None and cursor.offset > end:
        end, cursor = frames_end(folder), cursor_in(folder, instance, birth)
    if cursor is None or cursor.offset <= end:
        return cursor
    logger.warning(
        "container %s, sink %s: cursor %d bytes ahead of the journal, as after a power cut; taken back",
        container_label(folder),
        instance,
        cursor.offset - end,
    )
    return taken_back(cursor, end, birth)


def _begin_anew(folder: Path, instance: str, birth: int, error: DamagedCursorError) -> Cursor:
    cursor = at_oldest(folder, birth)
    copy = keep_damaged(folder, instance)
    write_cursor(folder, instance, cursor)
    logger.error(
        "container %s, sink %s: %s; kept as %s; sending all of the journal, from offset %d on",
        container_label(folder),
        instance,
        error,
        copy.name,
        cursor.offset,
    )
    return cursor

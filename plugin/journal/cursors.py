"""Cursors: how far each sink of a container has come in its journal. One file per sink: ``cursors/<instance>.msgpack``.

StartLogging writes the first one, so that retention knows of the sink even while delivery is down; delivery writes
those after it.
"""

from pathlib import Path

import msgspec

from plugin.errors import JournalError
from plugin.journal.folder import write_atomically

_SUFFIX = ".msgpack"


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sink has come, and what it has done; times in nanoseconds since 1970 UTC, 0 for never.

    ``offset``
        records that end at or before it are delivered (or were given up, see ``dead`` and ``gap_bytes``)
    ``resume``
        where to begin to read, at or before the offset: the beginning of a line that ends behind it
    """

    offset: int
    resume: int
    records: int = 0
    dead: int = 0
    gap_bytes: int = 0
    last_success: int = 0


def cursor_path(folder: Path, instance: str) -> Path:
    """Name the cursor of a sink instance in a journal's folder."""
    return folder / "cursors" / f"{instance}{_SUFFIX}"


def read_cursor(folder: Path, instance: str) -> Cursor | None:
    """Read a cursor; ``None`` if there is none. Raises ``JournalError`` if it is damaged."""
    path = cursor_path(folder, instance)
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise JournalError(f"cannot use {path}: {error}") from error


def write_cursor(folder: Path, instance: str, cursor: Cursor) -> None:
    """Write a cursor, atomically. Raises ``OSError``."""
    write_atomically(cursor_path(folder, instance), msgspec.msgpack.encode(cursor))


def create_cursor(folder: Path, instance: str, offset: int) -> None:
    """Write a sink's first cursor, at an offset, unless it has one."""
    path = cursor_path(folder, instance)
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_cursor(folder, instance, Cursor(offset=offset, resume=offset))


def floor(folder: Path, instances: list[str]) -> int | None:
    """Tell the offset from which on some sink still needs the journal; ``None`` if no sink needs any of it.

    A cursor that is missing or damaged needs all.
    """
    needed = []
    for instance in instances:
        try:
            cursor = read_cursor(folder, instance)
        except JournalError:
            cursor = None
        needed.append(0 if cursor is None else cursor.resume)
    return min(needed, default=None)

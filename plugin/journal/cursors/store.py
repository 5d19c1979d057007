"""Cursors: how far each sink of a container has come in its journal. One file per sink: ``cursors/<instance>.msgpack``.

StartLogging writes the first one, so that retention knows of the sink even while delivery is down; delivery moves it.
They are not forced to the disk: what a power cut makes of them is repaired by ``plugin.journal.cursors.placement`` and
``plugin.journal.cursors.start``.

A cursor file has always the same size, well below that of a disk's sector, and begins with a checksum, so that delivery
can write over it where it lies: for each batch, and each container that has lines in it, a file and a rename would cost
more than all else. A kill falls before or after such a write; who reads at the very moment of one reads again.
"""

import errno
import os
import secrets
import struct
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from plugin.config.options import SinkChoice
from plugin.errors import DamagedCursorError, JournalError
from plugin.journal.cursors.given_up import given_up_before
from plugin.journal.layout import MAX_OFFSET, write_atomically
from plugin.journal.regular_files import NotRegularError, open_regular, read_regular

REPLAY_PREFIX = "replay-"
"""How the cursors of replays begin, which are no sink's of the container (``plugin.delivery.replay``)."""
_SUFFIX = ".msgpack"
_DAMAGED_SUFFIX = ".damaged"
_SIZE = 256
_HEADER = struct.Struct(">IH")
"""The CRC-32 of all that follows it, and the length of the MessagePack behind this header; zeros fill up the file."""
_READINGS = 3
_TICK = 100_000_000  # nanoseconds; file systems tell times by a clock that stands still for some milliseconds


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sink has come, and what it has done; times in nanoseconds since 1970 UTC, 0 for never.

    ``offset``
        records that end at or before it are delivered (or were given up, see ``dead`` and ``gap_bytes``)
    ``resume``
        where to begin to read, at or before the offset: the beginning of a line that ends behind it
    ``birth``
        of the journal that it is in, see ``JournalMetadata``; 0 where that was not known, as before its first byte
    """

    offset: int
    resume: int
    records: int = 0
    dead: int = 0
    gap_bytes: int = 0
    last_success: int = 0
    birth: int = 0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for offsets that no journal has, which makes a file with them a damaged one."""
        if not 0 <= self.resume <= self.offset < MAX_OFFSET:
            raise ValueError(f"offset {self.offset} and resume {self.resume} make no sense")


def starting_at(offset: int, birth: int) -> Cursor:
    """Return the cursor of a sink that begins at an offset of the journal that was born at ``birth``."""
    return Cursor(offset=offset, resume=offset, birth=birth)


def cursor_path(folder: Path, instance: str) -> Path:
    """Return the path of the cursor of a sink instance in a journal's folder."""
    return folder / "cursors" / f"{instance}{_SUFFIX}"


def instances_with_cursors(folder: Path) -> list[str]:
    """List the sink instances that have a cursor in a journal's folder, also those that its log-opts no longer name."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in (folder / "cursors").glob(f"[!.]*{_SUFFIX}"))


def read_cursor(folder: Path, instance: str) -> Cursor | None:
    """Read a cursor as it lies there; ``None`` if there is none.

    Raises ``DamagedCursorError`` if it is damaged, another ``JournalError`` if it cannot be read now.
    """
    path = cursor_path(folder, instance)
    for _ in range(_READINGS):
        try:
            content = read_regular(path)
        except FileNotFoundError:
            return None
        except NotRegularError as error:
            raise DamagedCursorError(f"{path} is damaged: {error.strerror}") from error
        except OSError as error:
            raise JournalError(f"cannot use {path}: {error}") from error
        try:
            return _unpack(content)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:  # it may just be being written
            fault = error
    raise DamagedCursorError(f"{path} is damaged: {fault}") from fault


def cursor_in(folder: Path, instance: str, birth: int) -> Cursor | None:
    """Read the cursor of a sink in the journal that was born at ``birth``; ``None`` if it has none.

    One that an older journal left in the same folder says nothing of this one: the sink is at its beginning. One before
    what was given up is behind that, which counts as a gap. Raises as ``read_cursor`` does.
    """
    cursor = read_cursor(folder, instance)
    if cursor is not None and not is_of(cursor, birth):
        cursor = starting_at(0, birth)
    upto = given_up_before(folder, instance, birth)
    if not upto:
        return cursor
    cursor = cursor or starting_at(0, birth)
    if cursor.offset >= upto:
        return cursor
    gap_bytes = cursor.gap_bytes + upto - cursor.offset
    return msgspec.structs.replace(cursor, offset=upto, resume=upto, gap_bytes=gap_bytes, birth=birth)


def is_of(cursor: Cursor, birth: int) -> bool:
    """Return whether a cursor is in the journal that was born at ``birth``, as far as it knows."""
    return cursor.birth in (0, birth)


def times_written(folder: Path, sinks: Iterable[SinkChoice]) -> dict[str, int]:
    """Return by its path when the cursor of each sink was written last, for ``any_written_since``."""
    paths = [str(cursor_path(folder, choice.instance)) for choice in sinks]
    recent = time.time_ns() - _TICK  # another writing may follow at what is the same time to the file system
    return {path: -1 if (written := _time_written(path)) > recent else written for path in paths}


def any_written_since(times: Mapping[str, int]) -> bool:
    """Return whether a cursor was written since these times were taken; where that is not sure, it may have been."""
    return any(_time_written(path) != written for path, written in times.items())


def _time_written(path: str) -> int:
    """Return when a file was written last, nanoseconds since 1970 UTC; 0 if there is none that can be looked at."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def write_cursor(folder: Path, instance: str, cursor: Cursor) -> None:
    """Write a cursor, atomically, if the journal's folder is there. Raises ``OSError``."""
    path = cursor_path(folder, instance)
    content = _pack(cursor)
    try:
        write_atomically(path, content)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, content)


def create_cursor(folder: Path, instance: str, cursor: Cursor) -> bool:
    """Write the first cursor of a sink, unless there is one by now, whoever made it: false. Raises ``OSError``.

    Intake and delivery can both come to it, and delivery may have moved its own already.
    """
    path = cursor_path(folder, instance)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            content = _pack(cursor)
            if os.write(descriptor, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def move_cursor(folder: int, instance: str, cursor: Cursor) -> None:
    """Write a cursor over the one that is there, if there is one; ``folder`` is a descriptor. Raises ``OSError``.

    No room is needed for it, on file systems that write where a file lies.
    """
    try:
        file = open_regular(f"cursors/{instance}{_SUFFIX}", os.O_WRONLY, dir_fd=folder)
    except FileNotFoundError:
        write_cursor(Path(f"/proc/self/fd/{folder}"), instance, cursor)
        return
    try:
        if os.pwrite(file, _pack(cursor), 0) != _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def _pack(cursor: Cursor) -> bytes:
    content = msgspec.msgpack.encode(cursor)
    rest = struct.pack(f">H{_SIZE - _HEADER.size}s", len(content), content)
    return struct.pack(">I", zlib.crc32(rest)) + rest


def _unpack(content: bytes) -> Cursor:
    """Raise ``ValueError``, or what else msgspec raises, for what is not a cursor."""
    if len(content) != _SIZE:
        raise ValueError(f"it has {len(content)} bytes instead of {_SIZE}")
    checksum, length = _HEADER.unpack_from(content)
    if checksum != zlib.crc32(content[4:]):
        raise ValueError("its checksum does not fit")
    return msgspec.msgpack.decode(content[_HEADER.size : _HEADER.size + length], type=Cursor)


def keep_damaged(folder: Path, instance: str) -> Path:
    """Copy a damaged cursor beside itself, for whoever wants to know; returns the copy's path. Raises ``OSError``.

    The damaged one stays until it is replaced: without any, a sink could be taken for a new one.
    """
    path = cursor_path(folder, instance)
    copy = path.with_suffix(_DAMAGED_SUFFIX)
    try:
        write_atomically(copy, read_regular(path))
    except NotRegularError:
        path.replace(copy)
    return copy


def floor(folder: Path, sinks: Iterable[SinkChoice], birth: int, *, running: bool) -> int | None:
    """Return the offset from which on some sink still needs the journal; ``None`` if no sink needs any of it.

    A sink whose cursor is damaged needs all. One without a cursor needs all if the container's own log-opts choose it,
    or if the container is ``running``, so that it is about to get one; else it is newer than the container and needs
    nothing, see ``plugin.journal.cursors.start``. One that a profile chooses needs nothing before it has a cursor,
    unless it is to be sent all that there is.
    """
    needed = []
    for choice in sinks:
        resume = _needed_from(folder, choice.instance, birth)
        if resume is not None:
            needed.append(resume)
        elif choice.needs_all or (running and choice.since is None):
            needed.append(0)
    return min(needed, default=None)


def floor_of_any(folder: Path) -> int | None:
    """Return what ``floor`` does where a container's sinks are not known: each that has a cursor counts."""
    needed = (_needed_from(folder, instance, None) for instance in instances_with_cursors(folder))
    return min((resume for resume in needed if resume is not None), default=None)


def _needed_from(folder: Path, instance: str, birth: int | None) -> int | None:
    """Return by its cursor from where on a sink needs the journal; ``None`` without one. ``birth`` may be unknown."""
    try:
        cursor = read_cursor(folder, instance) if birth is None else cursor_in(folder, instance, birth)
    except JournalError:
        return 0
    return None if cursor is None else cursor.resume

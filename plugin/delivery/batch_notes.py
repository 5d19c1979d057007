"""Batch notes: for sinks that ask for it, a batch is noted on disk before it is sent, and removed once it is done with.

DATA/delivery/notes/<destination>-<share>-<shares>.note

A delivery that is killed between the destination's answer and the cursors' moves would read those records again, and
cut them into other batches: a destination that knows batches, but no records, would have them twice. So the next one
first sends what was noted, byte for byte the same. The encoded batch itself is noted, not where it was read: the
journal may have lost its beginning by then, stages may depend on the clock, and another version may encode otherwise.

A note is not forced to the disk, as cursors are not: it outlives a kill, not always a power cut.
"""

import fcntl
import logging
import os
import struct
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from plugin.delivery.batch import Batch, extents
from plugin.delivery.sharding import Share
from plugin.errors import JournalError
from plugin.journal.cursors.store import Cursor, cursor_in, move_cursor
from plugin.journal.layout import DataFolder, is_gone, write_atomically
from plugin.journal.metadata import read_metadata
from plugin.journal.regular_files import open_regular
from plugin.journal.seeking import journal_end

logger = logging.getLogger(__name__)

_SUFFIX = ".note"
_FORMAT = 1
_HEADER = struct.Struct(">II")
"""The CRC-32 of all that follows it, and the length of the MessagePack behind this header; then comes the payload."""
_KEPT = 7 * 24 * 3600.0  # seconds


class NotedTail(msgspec.Struct, frozen=True):
    """A sink of a container in a noted batch: how many records of it there are, and how far its cursor goes then."""

    container_id: str
    instance: str
    birth: int
    offset: int
    resume: int
    records: int


class _Head(msgspec.Struct, frozen=True):
    format: int
    tails: tuple[NotedTail, ...]


class NotedBatch(msgspec.Struct, frozen=True):
    """A batch as it was noted: ``payload`` is what the sink made of it."""

    tails: tuple[NotedTail, ...]
    payload: bytes

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(tail.records for tail in self.tails)


class BatchNotes:
    """The note of one destination, which has one batch under way at most.

    ``name`` is the destination's, the same whenever it is begun; ``label`` is what the log calls it.
    """

    def __init__(self, data: DataFolder, share: Share, name: str, label: str) -> None:
        self._data = data
        self._folder = notes_folder(data)
        self._name = name
        self._path = self._folder / f"{name}-{share.number}-{share.count}{_SUFFIX}"
        self._shares = f"-{share.count}{_SUFFIX}"
        self._label = label
        self._taken: BinaryIO | None = None

    def write(self, batch: Batch, payload: bytes) -> None:
        """Note a batch that is about to be sent, in place of an earlier one. Raises ``OSError``."""
        content = _pack(noted_tails(batch), payload)
        try:
            write_atomically(self._path, content)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path, content)

    def remove(self) -> None:
        """Forget the batch, which is done with; if that fails, the cursors will tell."""
        _remove(self._path if self._taken is None else Path(self._taken.name))
        self.let_go()

    def let_go(self) -> None:
        """Leave a note that was taken to whoever takes it next, unless it is removed."""
        if self._taken is not None:
            self._taken.close()
            self._taken = None

    def claim(self, container_id: str, instance: str) -> bool:
        """Return whether records of a container's sink are in a batch that is under way, or waits to be sent again.

        Removes notes by which they went to other destinations: once they are sent from the cursor on to this one, none
        of those must move it.
        """
        is_noted = False
        for path in _paths(self._folder):
            if (container_id, instance) not in _named(path):
                continue
            if path.name.startswith(f"{self._name}-"):
                is_noted = True
                continue
            logger.warning(
                "container %s, sink %s: options have changed since a batch was sent that was not acknowledged;"
                " its records are sent to where they go now",
                container_id[:12],
                instance,
            )
            _remove(path)
        return is_noted

    def is_pending(self) -> bool:
        """Return whether a batch waits to be sent again."""
        return bool(self._waiting())

    def take(self) -> NotedBatch | None:
        """Return the next batch that is to be sent again, None if there is none; `remove` or `let_go` follows.

        One that was noted when containers were shared out to another number of processes is sent by the first to come.
        """
        for path in self._waiting():
            try:
                self._taken = _lock(path)
                if self._taken is None:
                    continue
                noted = _unpack(self._taken.read())
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                logger.warning(
                    "destination %s: cannot use the note of a batch; its records are read and sent again: %s: %s",
                    self._label,
                    path.name,
                    error,
                )
                _remove(path)
                self.let_go()
                continue
            if any(self._is_open(tail) for tail in noted.tails):
                return noted
            self.remove()
        return None

    def settle(self, tails: Iterable[NotedTail]) -> None:
        """Move the cursors behind a batch that was delivered, where that is not done. Raises ``OSError``."""
        for tail in tails:
            cursor = self._cursor_before(tail)
            folder = self._data.container(tail.container_id)
            if cursor is None or journal_end(folder) < tail.offset:
                continue
            moved = msgspec.structs.replace(
                cursor,
                offset=tail.offset,
                resume=tail.resume,
                records=cursor.records + tail.records,
                last_success=time.time_ns(),
                birth=tail.birth,
            )
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                move_cursor(descriptor, tail.instance, moved)
            finally:
                os.close(descriptor)

    def _waiting(self) -> list[Path]:
        """List the notes of this destination that no process is at which was there before; its own comes first."""
        paths = _paths(self._folder, self._name)
        own = [path for path in paths if path == self._path]
        return own + [path for path in paths if not path.name.endswith(self._shares)]

    def _is_open(self, tail: NotedTail) -> bool:
        """Return whether a cursor is in front of what was noted; where its journal is gone, it may have been."""
        return is_gone(self._data.container(tail.container_id)) or self._cursor_before(tail) is not None

    def _cursor_before(self, tail: NotedTail) -> Cursor | None:
        """Return the cursor of a tail that is still in front of what was noted, None if there is no such thing."""
        folder = self._data.container(tail.container_id)
        try:
            metadata = read_metadata(folder)
            if metadata is None or metadata.birth != tail.birth:
                return None
            cursor = cursor_in(folder, tail.instance, tail.birth)
        except JournalError as error:
            logger.warning("destination %s: cannot tell how far it has come: %s", self._label, error)
            return None
        return cursor if cursor is not None and cursor.offset < tail.offset else None


def notes_folder(data: DataFolder) -> Path:
    """Return the folder of all notes."""
    return data.path / "delivery" / "notes"


def remove_stale(data: DataFolder) -> None:
    """Remove notes that are a week old and whose containers are all gone: nobody knows where they went."""
    for path in _paths(notes_folder(data)):
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            continue
        if age > _KEPT and all(is_gone(data.container(container_id)) for container_id, _ in _named(path)):
            logger.warning("the note of a batch, %s, is dropped: its containers and their journals are gone", path.name)
            _remove(path)


def _paths(folder: Path, name: str = "") -> list[Path]:
    return sorted(folder.glob(f"{name}-*{_SUFFIX}" if name else f"[!.]*{_SUFFIX}"))


def noted_tails(batch: Batch) -> tuple[NotedTail, ...]:
    """Return how far a batch goes in each of its journals."""
    return tuple(
        NotedTail(tail.container_id, tail.instance, tail.cursor.birth, *upto, count)
        for tail, (count, upto) in extents(batch).items()
    )


def _pack(tails: tuple[NotedTail, ...], payload: bytes) -> bytes:
    head = msgspec.msgpack.encode(_Head(_FORMAT, tails))
    length = struct.pack(">I", len(head))
    checksum = zlib.crc32(payload, zlib.crc32(head, zlib.crc32(length)))
    return b"".join((struct.pack(">I", checksum), length, head, payload))


def _unpack(content: bytes) -> NotedBatch:
    """Raise ``ValueError`` for what is not a note, or one of a later version."""
    if len(content) < _HEADER.size or zlib.crc32(memoryview(content)[4:]) != _HEADER.unpack_from(content)[0]:
        raise ValueError("its checksum does not fit")
    behind = _HEADER.size + _HEADER.unpack_from(content)[1]
    return NotedBatch(_head(content[_HEADER.size : behind]).tails, content[behind:])


def _head(content: bytes) -> _Head:
    try:
        head = msgspec.msgpack.decode(content, type=_Head)
    except msgspec.DecodeError as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if head.format != _FORMAT:
        raise ValueError(f"it has format {head.format}, of a later version")
    return head


def _named(path: Path) -> set[tuple[str, str]]:
    """Return the containers and sinks that a note names; none if it cannot be read, as then nobody sends it again."""
    try:
        descriptor = open_regular(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            _, length = _HEADER.unpack(file.read(_HEADER.size))
            head = _head(file.read(length))
    except (OSError, ValueError, struct.error):
        return set()
    return {(tail.container_id, tail.instance) for tail in head.tails}


def _lock(path: Path) -> BinaryIO | None:
    """Open a note and lock it, so that it is sent by one process; None if another one is at it. Raises ``OSError``."""
    file = open(path, "rb", opener=lambda name, _: open_regular(name))  # noqa: SIM115 (its caller closes it)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    if os.fstat(file.fileno()).st_nlink == 0:  # it was removed meanwhile
        file.close()
        return None
    return file


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("cannot remove %s: %s", path, error)

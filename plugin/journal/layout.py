"""Names of the files below the data folder, and the few operations on them that everything shares.

DATA/lock                                  held by the process that writes
DATA/streams/…                             attachments, see ``plugin.intake.attachments``
DATA/reserve/…                             room for attachments on a full disk, see ``plugin.intake.disk_reserve``
DATA/delivery/notes/…                      batches under way, see ``plugin.delivery.batch_notes``
DATA/grown                                 see ``plugin.journal.change_counters``
DATA/containers/<container id>/info.json   see ``plugin.journal.metadata``
    <20 digits>.log                        a segment, named by the offset of its first byte
    <20 digits>.log.zst                    a closed segment, compressed
    <20 digits>.idx                        its sparse index, derived
    <20 digits>.corrupt                    bytes that were not frames, set aside
    <20 digits>-<20 digits>.<cause>.lost   what was given up: see ``plugin.journal.losses``
    <20 digits>.gap                        while a full disk has lines dropped: see ``plugin.journal.gap_marker``
"""

import fcntl
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from plugin.docker.info import is_container_id
from plugin.errors import JournalError
from plugin.journal.regular_files import open_lock, open_regular

logger = logging.getLogger(__name__)

CLOCK_TICK = 100_000_000
"""Nanoseconds within which two changes of a file can have the same time, and more: file systems tell times by a clock
that stands still for some milliseconds."""

MAX_OFFSET = 1 << 62
"""No journal ever grows so large: a name, or a cursor, with such an offset is not one of ours."""

_DIGITS = 20
_SEGMENT_NAME = re.compile(rf"\d{{{_DIGITS}}}\.log(\.zst)?", re.ASCII)
_LISTINGS = 5
_NOT_FOR_OTHERS = 0o027  # a group may be let in to read
_REMOVED_PREFIX = ".removed-"


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment of a journal: ``base`` is the offset of its first byte."""

    base: int
    path: str
    compressed: bool


class DataFolder:
    """The data folder of one plugin, made where it is missing (mode 0700)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.streams = self.path / "streams"
        self.containers = self.path / "containers"

    def create(self) -> None:
        """Make the folders, and take away what others may do with them.

        Raises ``JournalError`` if that cannot be done, or if the data folder is another user's.
        """
        try:
            for folder in (self.path, self.streams, self.containers):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
        except OSError as error:
            raise JournalError(f"cannot make the data folder {self.path}: {error.strerror}") from error

    def _make_private(self) -> None:
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise JournalError(
                f"the data folder {self.path} belongs to user {status.st_uid}, who could change it: give it to user"
                f" {os.geteuid()}, or choose another with --data"
            )
        mode = stat.S_IMODE(status.st_mode)
        if mode & _NOT_FOR_OTHERS:
            self.path.chmod(mode & ~_NOT_FOR_OTHERS)
            logger.warning("the data folder %s had mode %04o: others could use it, and no longer can", self.path, mode)

    def lock(self) -> int:
        """Take the lock that keeps a second writer out, for as long as the returned descriptor stays open.

        Raises ``JournalError`` if another process has it.
        """
        try:
            descriptor = open_lock(self.path / "lock")
        except OSError as error:
            raise JournalError(f"cannot lock the data folder {self.path}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise JournalError(
                f"another peavey writes to the data folder {self.path}; stop it, or choose another with --data"
            ) from error
        return descriptor

    def container(self, container_id: str) -> Path:
        """Return the folder of a container's journal, which need not exist."""
        return self.containers / container_id

    def container_ids(self) -> list[str]:
        """List the containers that have a journal."""
        try:
            entries = list(os.scandir(self.containers))
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if is_container_id(entry.name) and entry.is_dir())

    def remove_container(self, container_id: str) -> Path:
        """Take a container's journal out of sight at once; ``sweep`` frees its space, which takes longer."""
        removed = self.containers / f"{_REMOVED_PREFIX}{container_id}-{os.urandom(4).hex()}"
        self.container(container_id).rename(removed)
        return removed

    def sweep(self, *, at_once: bool = False) -> None:
        """Delete what ``remove_container`` took away, also what an earlier process left behind.

        With ``at_once`` its room is free although readers may have segments open.
        """
        for name in os.listdir(self.containers):
            if name.startswith(_REMOVED_PREFIX):
                for segment in list_segments(self.containers / name) if at_once else ():
                    free_at_once(Path(segment.path))
                shutil.rmtree(self.containers / name, ignore_errors=True)


def segment_path(folder: Path, base: int) -> Path:
    """Name the plain segment that begins at an offset."""
    return folder / f"{base:020}.log"


def index_path(folder: Path, base: int) -> Path:
    """Name the index of the segment that begins at an offset."""
    return folder / f"{base:020}.idx"


def corrupt_path(folder: Path, offset: int) -> Path:
    """Name the file for bytes that were not frames and began at an offset."""
    return folder / f"{offset:020}.corrupt"


def gap_path(folder: Path, offset: int) -> Path:
    """Name the note of a gap that ends at an offset."""
    return folder / f"{offset:020}.gap"


def is_gone(path: Path) -> bool:
    """Return whether a file is surely not there: one that cannot be looked at, for whatever fault, may be."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        logger.debug("cannot look at %s: %s", path, error)
    return False


def may_be_folder(path: Path) -> bool:
    """Return whether a folder is there, or cannot be looked at, for whatever fault."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        logger.debug("cannot look at %s: %s", path, error)
        return True


def free_at_once(path: Path) -> None:
    """Empty a file that is about to be removed: what a reader has open would take its room until it is closed."""
    try:
        os.close(open_regular(path, os.O_WRONLY | os.O_TRUNC))
    except OSError as error:
        logger.debug("cannot truncate %s before removing it: %s", path, error)


def list_segments(folder: Path) -> list[Segment]:
    """List a journal's segments by offset; the plain file wins while a segment is there in both forms.

    One listing can miss a segment that is compressed meanwhile, in both forms, when the folder has many files. Hence
    one is waited for during which the folder stayed as it was, or two that agree: a segment that is missing then is
    really not there.
    """
    changed = last_change(folder)
    names = _segment_names(folder)
    if not changed or last_change(folder) != changed:
        for _ in range(_LISTINGS):
            again = _segment_names(folder)
            if again == names:
                break
            names = again
    found: dict[int, Segment] = {}
    for name in names:
        base, compressed = int(name[:_DIGITS]), name.endswith(".zst")
        if base not in found or found[base].compressed:
            found[base] = Segment(base, os.path.join(folder, name), compressed)
    return sorted(found.values())


def _segment_names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if _SEGMENT_NAME.fullmatch(entry.name) and _is_segment(entry)}
    except FileNotFoundError:
        return set()


def _is_segment(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) and int(entry.name[:_DIGITS]) < MAX_OFFSET


def last_change(folder: Path) -> int:
    """Return when the names in a folder changed last, nanoseconds since 1970 UTC: as long as it is the same, they are.

    0 where another change could have the same time, as it is too recent, and for a folder that is not there.
    """
    try:
        changed = os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return 0
    return changed if time.time_ns() - changed > CLOCK_TICK else 0


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by way of a temporary one, so that a reader sees the old content or the new, never a part."""
    os.close(create_atomically(path, content))


def create_atomically(path: Path, content: bytes) -> int:
    """Do what ``write_atomically`` does; return the new file's descriptor, for reading and writing."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        written = 0
        while written < len(content):
            written += os.pwrite(descriptor, content[written:], written)
        os.replace(temporary, path)
    except BaseException:
        os.close(descriptor)
        Path(temporary).unlink(missing_ok=True)
        raise
    return descriptor

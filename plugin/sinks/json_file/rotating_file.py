"""Appending lines to a file that is rotated as Docker's json-file driver does, by several processes if need be.

Each call opens the file again and locks it, so that no process writes to a file that another has rotated away. What a
crash left of a line is cut off before anything is added.
"""

import contextlib
import errno
import fcntl
import gzip
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plugin.config.files import access

_FILE_MODE = 0o640
_FOLDER_MODE = 0o755
_LONGEST_TAIL = 4 * 1024 * 1024
_BLOCK = 65_536
_LOCK_LIMIT = 10.0
_LOCK_PAUSE = 0.01
_COMPRESSION_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is full, in bytes, how many files there are with the current one, and whether full ones are gzipped.

    A file that has reached ``max_size`` gets no further line: it becomes NAME.1, and NAME.1 becomes NAME.2.
    """

    max_size: int
    max_file: int
    compress: bool


def append(path: Path, lines: bytes, start: int, rotation: Rotation) -> int:
    """Add lines from ``start`` on until the file is full, or rotate it if it is; return the position reached.

    Folders that are missing are made. Raises `OSError`, and has then added nothing.
    """
    with _locked(path) as file:
        size = _end_of_lines(file)
        if size >= rotation.max_size:
            _rotate(path, rotation)
            return start
        end = _end(lines, start, rotation.max_size - size)
        _write(file, memoryview(lines)[start:end], size)
        return end


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file for appending, alone among those that do it by this function."""
    while True:
        file = _open(path)
        try:
            _lock(file, path)
            if _is_at(file, path):
                yield file
                return
        finally:
            os.close(file)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        access().check_new(path)
        try:
            file = os.open(path, flags, _FILE_MODE)
        except FileNotFoundError:
            path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            file = os.open(path, flags, _FILE_MODE)
        try:
            _check_opened(path, file)
        except BaseException:
            os.close(file)
            raise
    except ValueError as fault:
        raise PermissionError(errno.EACCES, str(fault)) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(errno.ELOOP, "it is a symbolic link, which is not followed") from error
        raise
    return file


def _check_opened(path: Path, file: int) -> None:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EISDIR, "it is not a regular file")
    access().check_opened(path, file, write=True)


def _lock(file: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_LIMIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                what = f"another process has held the lock on {path} for {_LOCK_LIMIT:g} s"
                raise OSError(errno.ETIMEDOUT, what) from None
            time.sleep(_LOCK_PAUSE)
        else:
            return


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _end_of_lines(file: int) -> int:
    """Return the size of the file once it ends with a whole line.

    The beginning of one of our lines is cut off, since the batch that it was in was not acknowledged; anything else
    was not written by us, and is closed with a newline.
    """
    size = os.fstat(file).st_size
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return size
    begin = size
    while begin > 0 and size - begin < _LONGEST_TAIL:
        length = min(_BLOCK, begin)
        newline = os.pread(file, length, begin - length).rfind(b"\n")
        if newline >= 0:
            begin += newline + 1 - length
            break
        begin -= length
    if size - begin < _LONGEST_TAIL and b'{"'.startswith(os.pread(file, 2, begin)):
        os.ftruncate(file, begin)
        return begin
    _write(file, memoryview(b"\n"), size)
    return size + 1


def _end(lines: bytes, start: int, room: int) -> int:
    """Return the end of the line with which the file is full."""
    return lines.find(b"\n", start + room - 1) + 1 or len(lines)


def _write(file: int, data: memoryview, size: int) -> None:
    """Add data to a file of this size: all of it or none."""
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError:
        # If even this fails, the next one to open the file does it.
        with contextlib.suppress(OSError):
            if os.fstat(file).st_size > size:
                os.ftruncate(file, size)
        raise


def _rotate(path: Path, rotation: Rotation) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The one who compresses has let go of the file by its name already.
        _lock(folder, path.parent)
        if rotation.max_file == 1:
            path.unlink()
            return
        for number in range(rotation.max_file - 1, 0, -1):
            for suffix in ("", ".gz"):
                older = _numbered(path, number, suffix)
                if number == rotation.max_file - 1:
                    older.unlink(missing_ok=True)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        older.rename(_numbered(path, number + 1, suffix))
        newest = _numbered(path, 1)
        path.rename(newest)
        if rotation.compress:
            _compress(newest)
    finally:
        os.close(folder)


def _numbered(path: Path, number: int, suffix: str = "") -> Path:
    return path.with_name(f"{path.name}.{number}{suffix}")


def _compress(path: Path) -> None:
    """Put a compressed file in place of this one; under a hidden name until it is whole."""
    unfinished = path.with_name(f".{path.name}.gz.unfinished")
    unfinished.unlink(missing_ok=True)
    with path.open("rb") as plain, unfinished.open("xb") as packed:
        os.fchmod(packed.fileno(), stat.S_IMODE(os.fstat(plain.fileno()).st_mode))
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION_LEVEL, fileobj=packed) as file:
            shutil.copyfileobj(plain, file, _BLOCK)
    unfinished.rename(path.with_name(f"{path.name}.gz"))
    path.unlink()

"""Files that log-opts name: which ones may be used, and reading them so that none of them holds anything up.

Whoever may start a container chooses its log-opts, and this process reads and writes files as root for them. Hence the
operator says below which folders such files may lie, and the plugin's own files are never among them. What a path
leads to is judged by the file that was opened, not by the path.
"""

import asyncio
import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from plugin.config.parsing import WHICH_FILES_ARE_SEEN, quote

T = TypeVar("T")

MANAGED_DATA = "/run/docker/logging/peavey"
"""The data folder of every managed plugin."""
LARGEST_FILE = 1024 * 1024
ELSEWHERE = "is looked at where the plugin runs"
"""How the fault of a file ends that this process must not judge."""

_WITHIN = 5.0
_WITHIN_ON_A_LOOP = 1.0
_MOST_RUNNING = 32
_MODES = {"ro": False, "rw": True}


@dataclass(frozen=True, slots=True)
class FileRoot:
    """A folder below which log-opts may name files, to be read and, if it is ``writable``, to be written."""

    path: str
    writable: bool

    def __str__(self) -> str:
        """Write it as it is given."""
        return self.path if self.writable else f"{self.path}:ro"


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Which files log-opts may name: those below ``roots``, all where that is None, and none of the plugin's own.

    ``data`` is the data folder; ``logging_dir`` that of the FIFOs, in which only a root of its own is open. For a
    process that may see other files under the same paths than the plugin, all are ``elsewhere``: none is used.
    """

    roots: tuple[FileRoot, ...] | None = None
    data: str | None = None
    logging_dir: str | None = None
    elsewhere: bool = False

    def check(self, path: str | Path, *, write: bool = False) -> None:
        """Raise `ValueError` if a path, taken as it is written, lies where none may be named. Reads nothing."""
        if self.elsewhere:
            raise ValueError(f"{quote(str(path))} {ELSEWHERE}")
        self._refuse_own(os.path.normpath(path), quote(str(path)))
        self._refuse_outside(os.path.normpath(path), quote(str(path)), write=write)

    def check_opened(self, path: str | Path, descriptor: int, *, write: bool = False) -> None:
        """Raise `ValueError` if the file that was opened by a path is one that may not be used.

        A link below a root that only the operator writes to may lead out of it, but never to the plugin's own files.
        """
        self._check_place(path, os.readlink(f"/proc/self/fd/{descriptor}"), write=write)

    def check_new(self, path: Path) -> None:
        """Raise `ValueError` if a file, or a folder that it needs, would be made where none may be written."""
        if self.elsewhere:
            raise ValueError(f"{quote(str(path))} {ELSEWHERE}")
        self._check_place(path, os.path.join(os.path.realpath(path.parent), path.name), write=True)

    def _check_place(self, path: str | Path, place: str, *, write: bool) -> None:
        """Judge a place, in which no link is left, by what no link is left of the rules either."""
        written = os.path.normpath(path)
        name = quote(str(path)) if place == written else f"{quote(str(path))}, which is {quote(place)},"
        roots = None if self.roots is None else tuple(replace(r, path=os.path.realpath(r.path)) for r in self.roots)
        data, fifos = (None if folder is None else os.path.realpath(folder) for folder in (self.data, self.logging_dir))
        real = FileAccess(roots, data, fifos)
        real._refuse_own(place, name)
        if write or not any(not root.writable and _is_below(written, root.path) for root in self.roots or ()):
            real._refuse_outside(place, name, write=write)

    def _refuse_own(self, place: str, name: str) -> None:
        if self.data is not None and _is_below(place, self.data):
            raise ValueError(f"{name} lies in the plugin's data folder, whose files no log-opt may name")
        fifos = self.logging_dir
        if fifos is not None and _is_below(place, fifos):
            inside = [root.path for root in self.roots or () if root.path != fifos and _is_below(root.path, fifos)]
            if not any(_is_below(place, root) for root in inside):
                raise ValueError(f"{name} lies in the folder of the engine's FIFOs, whose files no log-opt may name")

    def _refuse_outside(self, place: str, name: str, *, write: bool) -> None:
        if self.roots is None:
            return
        allowed = [root.path for root in self.roots if root.writable or not write]
        if not any(_is_below(place, root) for root in allowed):
            raise ValueError(
                f"{name} is not below a folder where log-opts may {'write' if write else 'read'} files"
                f" ({', '.join(allowed) or 'there is none'}; the setting PEAVEY_FILE_ROOTS names them)"
            )


_access = FileAccess()


def restrict(access: FileAccess) -> None:
    """Set the rules for this process, before any log-opt is read; without them only what the kernel refuses is."""
    global _access  # noqa: PLW0603 (one process serves one data folder, and every parser of options asks)
    _access = access


def access() -> FileAccess:
    """Return the rules of this process."""
    return _access


@contextlib.contextmanager
def restricted(to: FileAccess) -> Iterator[None]:
    """Set the rules for a while."""
    before = access()
    restrict(to)
    try:
        yield
    finally:
        restrict(before)


def parse_roots(text: str) -> tuple[FileRoot, ...]:
    """Read ``/etc/peavey:ro,/var/log/peavey``; raises `ValueError`. ``:rw`` is what holds without a mode."""
    roots = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        path, colon, mode = item.rpartition(":")
        if not colon:
            path, mode = item, "rw"
        if mode not in _MODES or not path.startswith("/") or "\0" in path:
            raise ValueError(f"{quote(item)} is not a folder by its absolute path, with :ro or :rw behind it if wanted")
        roots.append(FileRoot(os.path.normpath(f"/{path.lstrip('/')}"), _MODES[mode]))
    return tuple(roots)


def check_readable(path: Path | None) -> None:
    """Raise `ValueError` if log-opts may not name a path to be read."""
    if path is not None:
        _access.check(path)


def read_file(path: str | Path, largest: int = LARGEST_FILE) -> bytes:
    """Return what a regular file that log-opts may name holds.

    Raises `ValueError`, with a message that says why and what to do: it may not be read, is not there, is not a regular
    file, is larger than ``largest`` bytes, or does not answer in time, as on a network file system that hangs.
    """
    _access.check(path)
    return bounded(str(path), _read, str(path), largest)


def bounded(key: str, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that may hang in a thread, and return what it returns, or raise what it raises.

    Raises `ValueError` if it takes longer than some seconds (one second where the caller is an event loop, which others
    wait for), and at once, as long as it still hangs, if it is called by the same ``key`` again.
    """
    running, deadline = _start((function.__qualname__, key), function, arguments)
    try:
        return running.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        raise ValueError(f"{quote(key)} does not answer: the disk or network file system that it is on hangs") from None


_Key = tuple[str, str]

_running: dict[_Key, tuple[Future[Any], float]] = {}
"""What runs now, and until when it is waited for."""
_lock = threading.Lock()


def _start(key: _Key, function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[Future[T], float]:
    """Begin a call, unless one by this key still runs; return it, and until when to wait for it."""
    with _lock:
        if key in _running:
            return _running[key]
        if len(_running) >= _MOST_RUNNING:
            raise ValueError(f"{quote(key[1])} is not looked at now: {_MOST_RUNNING} other files have not answered yet")
        future: Future[T] = Future()
        deadline = time.monotonic() + _patience()
        _running[key] = future, deadline

    def run() -> None:
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001 (it is raised where the result is wanted)
            _forget(key)
            future.set_exception(error)
        else:
            _forget(key)
            future.set_result(result)

    # A daemon, since nothing can end a thread that hangs in the kernel.
    threading.Thread(target=run, name="file", daemon=True).start()
    return future, deadline


def _forget(key: _Key) -> None:
    with _lock:
        del _running[key]


def _patience() -> float:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _WITHIN
    return _WITHIN_ON_A_LOOP


def hint_of_managed() -> str:
    """Return, in brackets, which files of the host a managed plugin sees; nothing where this is known to be none."""
    return f" ({WHICH_FILES_ARE_SEEN})" if _access.data in (None, MANAGED_DATA) else ""


def _read(path: str, largest: int) -> bytes:
    try:
        # Opened as a mere place first: to open a device can have effects, and to open a FIFO may never return.
        with _opened(os.open(path, os.O_PATH | os.O_CLOEXEC)) as place:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise ValueError(f"{quote(path)} is not a regular file")
            _access.check_opened(path, place)
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(f"/proc/self/fd/{place}", flags), "rb", buffering=0) as file:
                content = b""
                while len(content) <= largest and (part := file.read(largest + 1 - len(content))):
                    content += part
    except OSError as error:
        raise ValueError(f"cannot read {quote(path)}: {error.strerror}{hint_of_managed()}") from error
    if len(content) > largest:
        raise ValueError(f"{quote(path)} is larger than {largest} bytes")
    return content


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")

"""Shares: containers are shared out among delivery processes, and none is ever delivered by two.

Each process holds a lock on its share. But shares by different numbers overlap: after ``PEAVEY_DELIVERY_WORKERS`` has
changed, a process of the old number may have outlived its main process. So all that deliver from a data folder hold a
lock together on a file whose size is that number (a full disk takes no content); only who is alone may change it.
"""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plugin.errors import JournalError, SettingError
from plugin.journal.layout import DataFolder
from plugin.journal.regular_files import NotRegularError, open_lock

logger = logging.getLogger(__name__)

_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Share:
    """One of ``count`` shares, which are numbered from 0 on."""

    number: int
    count: int

    def __str__(self) -> str:
        """Write it as it is given: ``0/2``."""
        return f"{self.number}/{self.count}"


def parse_share(text: str) -> Share:
    """Read ``0/2``. Raises ``SettingError``."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise SettingError(f"--share: '{text}' is not a share (examples: 0/1, or 0/2 and 1/2)")
    return Share(int(number), int(count))


@contextlib.contextmanager
def claimed(data: DataFolder, share: Share, patience: float = 0.0) -> Iterator[None]:
    """Have the containers of a share for oneself.

    Raises ``JournalError`` if another process still delivers any of them after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    said = ""
    while True:
        with contextlib.ExitStack() as locks:
            try:
                locks.callback(os.close, _agree(data.path / "deliver.lock", share))
                locks.callback(os.close, _lock(data.path / f"deliver-{share.number}.lock", share))
            except JournalError as error:
                if time.monotonic() >= deadline:
                    raise
                if str(error) != said:
                    said = str(error)
                    logger.info("delivery %s: waiting: %s", share, said)
            else:
                yield
                return
        time.sleep(_PAUSE)


def _agree(path: Path, share: Share) -> int:
    """Take part in delivering by this number of shares; return the open file that is the lock."""
    descriptor = _open(path)
    if _try(descriptor):
        os.ftruncate(descriptor, share.count)
    # Others hold it alone for a moment only. One of them may have been quicker: what the file says counts.
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    count = os.fstat(descriptor).st_size
    if count == share.count:
        return descriptor
    os.close(descriptor)
    raise JournalError(
        f"other processes deliver {path.parent} in shares of {count}, which have to end before it can be delivered in"
        f" shares of {share.count}"
    )


def _lock(path: Path, share: Share) -> int:
    descriptor = _open(path)
    if _try(descriptor):
        return descriptor
    os.close(descriptor)
    raise JournalError(f"another process delivers share {share} of {path.parent}")


def _open(path: Path) -> int:
    try:
        return open_lock(path)
    except NotRegularError as error:
        raise JournalError(f"{path} is not a regular file: remove it, so that logs can be delivered") from error


def _try(descriptor: int) -> bool:
    """Take the lock for oneself alone, unless another process holds it in any way."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

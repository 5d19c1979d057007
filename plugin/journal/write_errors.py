"""Classify errors of writing a journal: the disk is full, a resource is lacking for now, or the journal is broken."""

import errno
from enum import Enum

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EINTR, errno.EAGAIN, errno.ESTALE})


class WriteFault(Enum):
    """Why a journal cannot be written, which decides what becomes of the lines that come meanwhile."""

    FULL = "no room"
    """The disk or a quota is full: lines are dropped, and room is freed as far as it is short."""

    PASSING = "a resource is lacking"
    """Descriptors or memory, say: lines stay in the FIFO, and writing is tried again."""

    BROKEN = "the journal cannot be written"
    """Anything else, which freeing space cannot fix: the lines of this one container are dropped."""


def classify(error: OSError) -> WriteFault:
    """Return what an error means; one without a number counts as the error that caused it."""
    number = write_errno(error)
    if number in _FULL:
        return WriteFault.FULL
    return WriteFault.PASSING if number in _PASSING else WriteFault.BROKEN


def write_errno(error: OSError) -> int:
    """Return the number of an error or of what caused it, 0 if neither has one."""
    if error.errno is not None:
        return error.errno
    cause = error.__cause__
    return cause.errno or 0 if isinstance(cause, OSError) else 0

"""How many files a process may have open."""

import logging
import math
import resource
from typing import NamedTuple

_STREAMS_PART = 4  # of the descriptors, a quarter is for readers and connections, the others for streams and journals
_PER_READING = 2

_OWN = 32
"""What delivery has open besides, as it starts: logs, locks, libraries."""
_PER_JOURNAL = 2
_PER_LOOK_UP = 4

logger = logging.getLogger(__name__)


class ReaderLimits(NamedTuple):
    """How many may follow, how many may read besides, and how many segments these hold open all together."""

    followers: int
    readings: int
    held: int


def raise_file_limit() -> None:
    """Allow as many open files as the host does: each stream takes three, each journal on its way to a sink two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        logger.debug("open file limit: %d", hard)


def within_limit(followers: int, readings: int, held: int) -> ReaderLimits:
    """Return what readers of logs may have, so that streams have their descriptors.

    A reader has its connection and a file, and holds segments besides until it has come to them.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ReaderLimits(followers, readings, held)
    if soft == resource.RLIM_INFINITY:
        return wanted
    part = soft // _STREAMS_PART
    bounded = ReaderLimits(
        max(1, min(followers, part // 2 // _PER_READING)),
        max(1, min(readings, part // 4 // _PER_READING)),
        max(1, min(held, part // 4)),
    )
    if bounded != wanted:
        logger.debug(
            "RLIMIT_NOFILE is %d: at most %d 'docker logs --follow' and %d others at the same time, %d files ahead",
            soft,
            *bounded,
        )
    return bounded


def delivery_limits() -> tuple[float, float]:
    """Return how many journals delivery may have open, and how many destinations may be connected.

    Half of what is left is for journals, a quarter for connections.
    The last quarter is for what is opened for a moment: cursors, dead letters, look-ups of hosts.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return math.inf, math.inf
    left = _left(soft)
    return max(1, left // 2 // _PER_JOURNAL), max(1, left // 4)


def look_up_threads(most: int) -> int:
    """Return how many threads may look up hosts, each of which has some files open meanwhile."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, _left(soft) // 8 // _PER_LOOK_UP))


def _left(soft: int) -> int:
    return max(4, soft - _OWN)

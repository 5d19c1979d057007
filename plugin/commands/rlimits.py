"""How many files a process may have open."""

import logging
import resource

_STREAMS_PART = 4  # of the descriptors, a quarter is for readers and connections, the others for streams and journals
_PER_FOLLOWER = 2
_PER_READING = 16

logger = logging.getLogger(__name__)


def raise_file_limit() -> None:
    """Allow as many open files as the host does: each stream takes three, each journal on its way to a sink three."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        logger.debug("open file limit: %d", hard)


def within_limit(followers: int, readings: int) -> tuple[int, int]:
    """Return how many may follow and how many may read besides, so that streams have their descriptors.

    A follower has its connection and a file; a reading has up to as many files as the journal has segments, mostly 5.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return followers, readings
    part = soft // _STREAMS_PART // 2
    bounded = max(1, min(followers, part // _PER_FOLLOWER)), max(1, min(readings, part // _PER_READING))
    if bounded != (followers, readings):
        logger.debug(
            "RLIMIT_NOFILE is %d: at most %d 'docker logs --follow' and %d others at the same time", soft, *bounded
        )
    return bounded

"""How many files a process may have open."""

import logging
import resource

logger = logging.getLogger(__name__)


def raise_file_limit() -> None:
    """Allow as many open files as the host does: each stream takes three, each journal on its way to a sink three."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        logger.debug("open file limit: %d", hard)

"""What encoders need to write times in nanoseconds since 1970 UTC, most of which share their second with the last."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

logger = logging.getLogger(__name__)

THREE_DIGITS: Final = [b"%03d" % number for number in range(1000)]
"""The digits of each number below 1000: the nine of a fraction are put together of three, faster than formatted."""

NO_SECOND: Final = -(2**62)
"""No second that 64 bits of nanoseconds reach: where there was no time before the first."""


def before_1970(time_nano: int) -> tuple[bytes, int]:
    """Return what stands before the fraction of a time that is negative, and the fraction's nanoseconds."""
    return b"-%d." % (-time_nano // 1_000_000_000), -time_nano % 1_000_000_000


_MOST_TOLD = 10_000
_told: set[tuple[str, str]] = set()


def tell_out_of_range(container_id: str, sink: str, time_nano: int) -> None:
    """Log, once for a container and a sink, that the nearest time stands for one that its protocol cannot express."""
    key = (container_id, sink)
    if key in _told or len(_told) >= _MOST_TOLD:
        return
    _told.add(key)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time_nano // 1_000_000_000)
    logger.warning(
        "container %s, sink %s: time %s is out of the protocol's range; the nearest is sent",
        container_id[:12],
        sink,
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    )

"""Times as protocols write them, in nanoseconds since 1970 UTC."""

from datetime import UTC, datetime

SECOND = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(text: str) -> int:
    """Read RFC 3339 with up to nine digits after the point, in UTC."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC) - EPOCH
    return (seconds.days * 86_400 + seconds.seconds) * SECOND + int(fraction.ljust(9, "0"))

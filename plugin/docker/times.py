"""Times as the engine sends them: RFC 3339 with up to nine fractional digits."""

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000


def parse_time(text: str) -> int:
    """Read an RFC 3339 time as nanoseconds since 1970 UTC; Go's zero time (year 1) gives 0, which means "not given".

    Raises ``ValueError`` if it is none.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a time (example: 2026-01-31T12:00:00.123456789Z)")
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"'{text}' is not a time: {error}") from None
    if whole.year == 1:
        return 0
    seconds = (whole - _EPOCH) // timedelta(seconds=1)
    if match[8] is not None:
        offset = int(match[9]) * 3600 + int(match[10]) * 60
        seconds += -offset if match[8] == "+" else offset
    return seconds * _SECOND + int((match[7] or "").ljust(9, "0"))


def format_time(nanoseconds: int) -> str:
    """Write a time as ``docker logs -t`` does: RFC 3339 in UTC with all nine fractional digits."""
    seconds, fraction = divmod(nanoseconds, _SECOND)
    return f"{format_second(seconds)}.{fraction:09}Z"


def format_second(seconds: int) -> str:
    """Write a moment in seconds since 1970 UTC as RFC 3339, without fraction and zone."""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"

"""Parse times on the command line, in the forms that ``docker logs`` takes."""

import re
from datetime import datetime

from plugin.config.parsing import parse_duration
from plugin.docker.times import parse_time

_UNIX = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?:(:\d\d)(?:\.(\d{1,9}))?)?)?([Zz]|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_SECOND = 1_000_000_000


def parse_moment(text: str, now: int) -> int:
    """Return a time as nanoseconds since 1970 UTC; ``now`` is the present one.

    Accepts RFC 3339 (local time without a zone; seconds and time of day may be left out), Unix seconds with an
    optional fraction, and a Go duration before now. Raises ``ValueError`` for anything else.
    """
    match = _UNIX.fullmatch(text)
    if match is not None:
        return int(match[1]) * _SECOND + int((match[2] or "").ljust(9, "0"))
    for read in (parse_time, _local_time, lambda duration: now - int(parse_duration(duration) * _SECOND)):
        try:
            return read(text)
        except ValueError:
            continue
    raise ValueError(f"'{text}' is not a time (examples: 2026-01-31T12:00:00Z, 1769860800, 10m)")


def _local_time(text: str) -> int:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a date")
    date, minutes, seconds, fraction, zone = match.groups(default="")
    moment = datetime.fromisoformat(f"{date}T{minutes or '00:00'}{seconds or ':00'}{zone.upper()}")
    try:
        whole = int(moment.timestamp())
    except OverflowError as error:
        raise ValueError(f"'{text}' is beyond the calendar") from error
    return whole * _SECOND + int(fraction.ljust(9, "0"))

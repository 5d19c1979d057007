"""Times as RFC 3339 has them, which most programs write, read without a pattern.

Also runs compiled (see ``rfc3339.pxd``).
"""

from datetime import UTC, datetime
from functools import lru_cache

_SHORTEST, _LONGEST = len("2026-01-31T12:00:00Z"), len("2026-01-31T12:00:00.123456789+01:00")
_SECOND = 1_000_000_000
_HOURS, _MINUTES = 24, 60
_MOST_DIGITS = 9
_LATEST = 9_000_000_000
"""Seconds; later ones would not fit into 64 bits as nanoseconds."""


def read_rfc3339(text: str) -> int:
    """Return the nanoseconds since 1970 UTC; -1 for any other text, and for a time before then or after 2255.

    It is strict: ``T`` and ``Z`` in upper case, up to nine digits behind a point, no leap seconds.
    """
    size = len(text)
    if not _SHORTEST <= size <= _LONGEST or text[10] != "T" or text[13] != ":" or text[16] != ":":
        return -1
    hour, minute, second = _two(text, 11), _two(text, 14), _two(text, 17)
    if not (0 <= hour < _HOURS and 0 <= minute < _MINUTES and 0 <= second < _MINUTES):
        return -1
    position = 19
    fraction = digits = 0
    if text[position] == ".":
        position += 1
        while position < size and "0" <= text[position] <= "9":
            fraction = fraction * 10 + ord(text[position]) - 48
            digits += 1
            position += 1
        if not 0 < digits <= _MOST_DIGITS:
            return -1
        while digits < _MOST_DIGITS:
            fraction *= 10
            digits += 1
    shift = _shift(text, position, size)
    day = _midnight(text[:10])
    if shift == _MINUTES * _HOURS or day < 0:
        return -1
    seconds = day + (hour * 60 + minute - shift) * 60 + second
    return seconds * _SECOND + fraction if 0 <= seconds <= _LATEST else -1


def _two(text: str, position: int) -> int:
    """Return the number of two digits; below 0 if they are none."""
    if not ("0" <= text[position] <= "9" and "0" <= text[position + 1] <= "9"):
        return -1
    return (ord(text[position]) - 48) * 10 + ord(text[position + 1]) - 48


def _shift(text: str, position: int, size: int) -> int:
    """Return how many minutes the zone that a text ends with is ahead of UTC; as many as a day has if it is none."""
    if position == size - 1 and text[position] == "Z":
        return 0
    if position == size - 6 and text[position] in "+-" and text[position + 3] == ":":
        hours, minutes = _two(text, position + 1), _two(text, position + 4)
        if 0 <= hours < _HOURS and 0 <= minutes < _MINUTES:
            shift = hours * 60 + minutes
            return -shift if text[position] == "-" else shift
    return _MINUTES * _HOURS


@lru_cache(maxsize=64)
def _midnight(date: str) -> int:
    """Return the seconds since 1970 at which a day begins; -1 if there is no such day."""
    if not date.isascii() or date[4] != "-" or date[7] != "-":
        return -1
    year, month, day = date.split("-") if date.count("-") == 2 else ("", "", "")
    if not (year.isdigit() and month.isdigit() and day.isdigit()):
        return -1
    try:
        return max(-1, int(datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp()))
    except ValueError:
        return -1

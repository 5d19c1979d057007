"""Reading times by Go's layouts: the reference time, Mon Jan 2 15:04:05 MST 2006, as it is written in the text.

Source: ``time.Parse`` in Go's ``src/time/format.go``.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from plugin.transforms.rfc3339 import read_rfc3339

NAMED = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}
"""The layouts that have names in Promtail."""

_RFC3339 = ("RFC3339", "RFC3339Nano")
_UNITS = {"Unix": 1_000_000_000, "UnixMs": 1_000_000, "UnixUs": 1_000, "UnixNs": 1}
_SECOND = 1_000_000_000
_LATEST = 9_000_000_000 * _SECOND
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_LONGEST = 200

_ELEMENT = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|002|__2|_2(?!006)|0[1-6]|15|PM|pm|[1-5]"
    r"|[-Z]07(?::00:00|0000|:00|00)?|[.,](?:0+|9+)(?![0-9])"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_LONG_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

_PARTS: dict[str, tuple[str, str]] = {
    "2006": ("year", r"[0-9]{4}"),
    "06": ("short_year", r"[0-9]{2}"),
    "01": ("month", r"[0-9]{2}"),
    "1": ("month", r"[0-9]{1,2}"),
    "Jan": ("month_name", "(?i:" + "|".join(_MONTHS) + ")"),
    "January": ("month_name", "(?i:" + "|".join(_LONG_MONTHS) + ")"),
    "Mon": ("", "(?i:" + "|".join(day[:3] for day in _LONG_DAYS) + ")"),
    "Monday": ("", "(?i:" + "|".join(_LONG_DAYS) + ")"),
    "02": ("day", r"[0-9]{2}"),
    "2": ("day", r"[0-9]{1,2}"),
    "_2": ("day", r" ?[0-9]{1,2}"),
    "002": ("yearday", r"[0-9]{3}"),
    "__2": ("yearday", r" {0,2}[0-9]{1,3}"),
    "15": ("hour", r"[0-9]{2}"),
    "03": ("hour12", r"[0-9]{2}"),
    "3": ("hour12", r"[0-9]{1,2}"),
    "04": ("minute", r"[0-9]{2}"),
    "4": ("minute", r"[0-9]{1,2}"),
    "05": ("second", r"[0-9]{2}"),
    "5": ("second", r"[0-9]{1,2}"),
    "PM": ("half", r"AM|PM"),
    "pm": ("half", r"am|pm"),
    "MST": ("zone", r"UTC|ChST|MeST|GMT(?:[+-][0-9]{1,2})?|[A-Z]{3,4}(?![A-Z])|[A-Z]{4}T|[+-][0-9]{2}"),
}


class _Layout(NamedTuple):
    pattern: re.Pattern[str]
    names: tuple[str, ...]


def reader(form: str, location: str) -> Callable[[str, int], int | None]:
    """Return what reads times of a format, a name or a layout; ``location`` is where it was that time.

    It takes the text and the nanoseconds when the line was printed, which is what a time without a year is next to. It
    returns nanoseconds since 1970 UTC, None for what is not such a time, or is not between 1970 and 2255.
    """
    if form in _UNITS:
        return lambda text, _: _bounded(_read_unix(text, form))
    if form in NAMED:
        layout = _compiled(NAMED[form])
        if form in _RFC3339:
            return lambda text, _: _bounded(_read_rfc3339(text, layout))
        return lambda text, _: _bounded(_read(layout, text, None, 0))
    layout = _compiled(form)
    zone = ZoneInfo(location) if location else None
    if "06" in form:
        return lambda text, _: _bounded(_read(layout, text, zone, 0))
    return lambda text, printed: _bounded(_read(layout, text, zone, printed))


def _bounded(nanoseconds: int | None) -> int | None:
    return nanoseconds if nanoseconds is not None and 0 <= nanoseconds <= _LATEST else None


def _read_rfc3339(text: str, layout: _Layout) -> int | None:
    nanoseconds = read_rfc3339(text)
    return nanoseconds if nanoseconds >= 0 else _read(layout, text, None, 0)


def _read_unix(text: str, form: str) -> int | None:
    whole, point, fraction = text.partition(".")
    if point and form == "Unix":
        if not _INTEGER.fullmatch(whole) or not _INTEGER.fullmatch(fraction):
            return None
        return int(whole) * _SECOND + int(float(int(fraction)) * 10.0 ** (9 - len(fraction)))
    return int(text) * _UNITS[form] if _INTEGER.fullmatch(text) else None


@lru_cache(maxsize=256)
def _compiled(layout: str) -> _Layout:
    """Make a pattern of a layout; what comes before it in Go's loop comes before it here, from left to right."""
    pieces: list[str] = []
    names: list[str] = []
    position = 0
    for found in _ELEMENT.finditer(layout):
        element = found[0]
        if element in ("Jan", "Mon") and layout[found.end() : found.end() + 1].islower():
            continue
        pieces.append(_literal(layout[position : found.start()]))
        position = found.end()
        name, pattern = _part(element)
        pieces.append(f"((?>{pattern}))")  # as Go reads it: whatever follows, it is not read in another way
        names.append(name)
        if element in ("05", "5") and not _has_fraction(layout, position):
            pieces.append(r"([.,][0-9]+)?")
            names.append("fraction")
    pieces.append(_literal(layout[position:]))
    return _Layout(re.compile("".join(pieces), re.ASCII), tuple(names))


def _part(element: str) -> tuple[str, str]:
    if element[0] in ".,":
        digits = rf"{{{len(element) - 1}}}" if element[1] == "0" else "+"
        return "fraction", rf"[.,][0-9]{digits}" + ("" if element[1] == "0" else "|")
    if element[0] in "-Z":
        count = len(element.replace(":", "")) // 2
        colon = ":" if ":" in element else ""
        offset = "[+-]" + colon.join(["[0-9]{2}"] * count)
        return "offset", f"Z|{offset}" if element[0] == "Z" else offset
    return _PARTS[element]


def _has_fraction(layout: str, position: int) -> bool:
    """Return whether the next element is a fraction of a second; otherwise one may be there all the same."""
    found = _ELEMENT.search(layout, position)
    return found is not None and found[0][0] in ".,"


def _literal(text: str) -> str:
    """Match what is between elements; spaces stand for any number of them, or for none at the end."""
    pieces = re.split(r"( +)", text)
    return "".join("(?> +|$)" if piece.startswith(" ") else re.escape(piece) for piece in pieces)


def _read(layout: _Layout, text: str, location: ZoneInfo | None, printed: int) -> int | None:
    """Read a text; ``printed`` is when the line was, where the layout has no year, else 0."""
    if len(text) > _LONGEST:
        return None
    found = layout.pattern.fullmatch(text)
    if found is None:
        return None
    parts = {name: value for name, value in zip(layout.names, found.groups(), strict=True) if value}
    try:
        return _moment(parts, location, printed)
    except (ValueError, OverflowError):
        return None


def _moment(parts: dict[str, str], location: ZoneInfo | None, printed: int) -> int:
    year = int(parts["year"]) if "year" in parts else 0
    if "short_year" in parts:
        year = int(parts["short_year"])
        year += 1900 if year >= 69 else 2000
    month, day = 1, int(parts.get("day", "1"))
    if "month" in parts:
        month = int(parts["month"])
    elif "month_name" in parts:
        month = _MONTHS.index(parts["month_name"][:3].lower()) + 1
    if printed:
        if year:
            raise ValueError("a year is there that the layout has not")
        year = _year(month, printed)
        if (month, day) == (2, 29) and not _is_leap(year):
            month, day = 3, 1
    wall = datetime(year, month, day) + timedelta(hours=_hour(parts))  # noqa: DTZ001 (its zone comes last)
    if "yearday" in parts:
        wall = datetime(year, 1, 1) + timedelta(days=int(parts["yearday"]) - 1, hours=_hour(parts))  # noqa: DTZ001
    minute, second = int(parts.get("minute", "0")), int(parts.get("second", "0"))
    wall = wall.replace(minute=minute, second=second)
    at = wall.replace(tzinfo=_zone(parts, location, wall))
    whole = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return whole * _SECOND + int(parts.get("fraction", ".0")[1:10].ljust(9, "0"))


def _hour(parts: dict[str, str]) -> int:
    if "hour12" in parts:
        hour = int(parts["hour12"])
        if hour > 12:
            raise ValueError("no such hour")
        half = parts.get("half", "").upper()
        return hour % 12 if half == "AM" and hour == 12 else hour + 12 if half == "PM" and hour < 12 else hour
    hour = int(parts.get("hour", "0"))
    if hour > 23:
        raise ValueError("no such hour")
    return hour


def _zone(parts: dict[str, str], location: ZoneInfo | None, wall: datetime) -> timezone | ZoneInfo:
    offset = parts.get("offset", "")
    if offset == "Z":
        return UTC
    if offset:
        digits = offset.replace(":", "")[1:].ljust(6, "0")
        hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
        if hours > 24 or minutes > 60 or seconds > 60:
            raise ValueError("no such offset")
        shift = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(-shift if offset[0] == "-" else shift)
    name = parts.get("zone", "")
    if not name:
        return location or UTC
    if name.startswith("GMT") and len(name) > 3:
        return timezone(timedelta(hours=int(name[3:])))
    if location is not None and name != "UTC":
        for fold in (0, 1):
            if wall.replace(tzinfo=location, fold=fold).tzname() == name:
                return location
    return UTC  # what Go takes an abbreviation for that it does not know


def _year(month: int, printed: int) -> int:
    """Return the year of a time that has none: that of the line, unless New Year's Eve lies between them."""
    now = datetime.fromtimestamp(printed // _SECOND, UTC)
    if month == 12 and now.month == 1:
        return now.year - 1
    return now.year + 1 if month == 1 and now.month == 12 else now.year


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

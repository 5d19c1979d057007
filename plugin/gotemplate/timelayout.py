"""Go's way to write a time: a layout is the reference time, Mon Jan 2 15:04:05 MST 2006, as it is to look."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)", re.ASCII
)
_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|PM|pm|2006|002|__2|_2(?!006)|15|0[1-6]|[1-5]"
    r"|[-Z]07(?::00:00|0000|:00|00)?|[.,](?:0+|9+)(?![0-9])"
)
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NANOSECOND_DIGITS = 9
_NOON = 12


def read_rfc3339(text: str) -> tuple[datetime, int] | None:
    """Read a time as Go writes it in JSON: a whole second and the nanoseconds beyond it, or None for other text."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    try:
        second = datetime.fromisoformat(found["second"] + found["zone"].replace("Z", "+00:00"))
        second.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return second, int(_padded(found["fraction"] or "", _NANOSECOND_DIGITS))


def format_time(second: datetime, nanosecond: int, layout: str) -> str:
    """Write a time in a layout; ``second`` is a whole one with its zone."""

    def replaced(found: re.Match[str]) -> str:
        element = found[0]
        if element[0] in ".,":
            return _fraction(nanosecond, element)
        return _offset(second, element) if element[0] in "-Z" else _ELEMENTS[element](second)

    return _ELEMENT.sub(replaced, layout)


def month_name(number: int) -> str:
    """Name a month; January is 1."""
    return _MONTHS[number - 1]


def day_name(number: int) -> str:
    """Name a day of the week; Sunday is 0."""
    return _DAYS[number]


def day_of_year(at: datetime) -> int:
    """Count the days of the year up to a day; the first of January is 1."""
    return at.timetuple().tm_yday


def _padded(digits: str, count: int) -> str:
    return digits[:count].ljust(count, "0")


def _fraction(nanosecond: int, element: str) -> str:
    digits = _padded(f"{nanosecond:0{_NANOSECOND_DIGITS}}", len(element) - 1)
    digits = digits.rstrip("0") if element[1] == "9" else digits
    return element[0] + digits if digits else ""


def _offset(at: datetime, element: str) -> str:
    total = _offset_seconds(at)
    if element[0] == "Z" and total == 0:
        return "Z"
    minutes, seconds = divmod(abs(total), 60)
    parts = [f"{minutes // 60:02}", f"{minutes % 60:02}", f"{seconds:02}"]
    count = len(element.replace(":", "")) // 2
    return ("-" if total < 0 else "+") + (":" if ":" in element else "").join(parts[:count])


def _zone_name(at: datetime) -> str:
    """Name the zone; Go knows no name for one that came from JSON, and writes the offset."""
    return _offset(at, "-0700") if _offset_seconds(at) else "UTC"


def _offset_seconds(at: datetime) -> int:
    return int((at.utcoffset() or timedelta()).total_seconds())


_ELEMENTS: dict[str, Callable[[datetime], str]] = {
    "January": lambda at: month_name(at.month),
    "Jan": lambda at: month_name(at.month)[:3],
    "1": lambda at: str(at.month),
    "01": lambda at: f"{at.month:02}",
    "Monday": lambda at: day_name(at.isoweekday() % 7),
    "Mon": lambda at: day_name(at.isoweekday() % 7)[:3],
    "2": lambda at: str(at.day),
    "_2": lambda at: f"{at.day:2}",
    "02": lambda at: f"{at.day:02}",
    "__2": lambda at: f"{day_of_year(at):3}",
    "002": lambda at: f"{day_of_year(at):03}",
    "15": lambda at: f"{at.hour:02}",
    "3": lambda at: str(at.hour % 12 or 12),
    "03": lambda at: f"{at.hour % 12 or 12:02}",
    "4": lambda at: str(at.minute),
    "04": lambda at: f"{at.minute:02}",
    "5": lambda at: str(at.second),
    "05": lambda at: f"{at.second:02}",
    "2006": lambda at: f"{at.year:04}",
    "06": lambda at: f"{at.year % 100:02}",
    "PM": lambda at: "PM" if at.hour >= _NOON else "AM",
    "pm": lambda at: "pm" if at.hour >= _NOON else "am",
    "MST": _zone_name,
}

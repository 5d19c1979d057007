"""Times as programs write them in their lines."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from plugin.transforms.patterns import compile_bytes
from plugin.transforms.rfc3339 import read_rfc3339

_ISO = compile_bytes(
    r"^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)? ?(Z|UTC|[+-]\d\d:?\d\d)?$"
)
_COMMON = compile_bytes(r"^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$")
_UNIX = compile_bytes(r"^\d{1,19}(?:\.\d{1,9}\d*)?$")

_SECOND = 1_000_000_000
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC).timestamp() * _SECOND
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp() * _SECOND
_LONGEST = 64


def read_time(value: Any) -> int:
    """Return the nanoseconds since 1970 UTC of a time as it is written; 0 for what is none, or not of our days.

    Texts: RFC 3339 and ISO 8601 in UTC where no zone is given, the common log format, Unix times. Numbers: Unix times
    in seconds, milliseconds, microseconds or nanoseconds, by their size.
    """
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        text = str(value) if abs(value) < 10**19 else ""
    elif isinstance(value, float):
        text = f"{value:.9f}"
    else:
        text = value if isinstance(value, str) else ""
    nanoseconds = _read(text.strip()) if 0 < len(text) <= _LONGEST else 0
    return nanoseconds if _EARLIEST <= nanoseconds <= _LATEST else 0


def _read(text: str) -> int:
    if (nanoseconds := read_rfc3339(text)) >= 0:
        return nanoseconds
    written = text.encode(errors="replace")
    try:
        if match := _ISO.search(written):
            *parts, fraction, zone = ((group or b"").decode() for group in match.groups())
            moment = datetime(*map(int, parts), tzinfo=_zone(zone))  # type: ignore[arg-type,misc]
            return int(moment.timestamp()) * _SECOND + int(fraction.ljust(9, "0"))
        if _COMMON.search(written):
            return int(datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()) * _SECOND
    except ValueError:
        return 0
    return _unix(text) if _UNIX.search(written) else 0


def _zone(text: str) -> timezone:
    if text in ("", "Z", "UTC"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _unix(text: str) -> int:
    whole, _, fraction = text.partition(".")
    unit = _SECOND
    while unit > 1 and int(whole) * unit > _LATEST:
        unit //= 1_000
    return int(whole) * unit + int(fraction[:9].ljust(9, "0")) * unit // _SECOND

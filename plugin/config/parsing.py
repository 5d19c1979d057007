"""Values of options and settings: from the text that a person wrote to a typed value.

Sizes, durations, booleans and integers are read as Docker and Go read them, so that a value which works with one of
Docker's own drivers works here and means the same. Each parser takes the text and raises `ValueError` with a message
for that person, never another exception.
"""

import difflib
import re
from collections.abc import Iterable

WHICH_FILES_ARE_SEEN = (
    "a managed plugin sees only one folder of the host, as /etc/peavey; 'docker plugin set peavey files.source=FOLDER'"
    " says which one"
)
"""To be said of a file that is not there: most likely it is on the host."""

_SIZE_EXAMPLES = "512k, 20m, 1g"
_DURATION_EXAMPLES = "500ms, 10s, 1m30s, 168h"

_SIZE = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?) ?(?:([kmgtp])(?:i?b)?|b?)",
    re.ASCII | re.IGNORECASE,
)
_SIZE_EXPONENTS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_LARGEST_INT64 = 2**63 - 1

_DURATION_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]+)", re.ASCII)
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter: Go takes both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")

_QUOTED_LENGTH = 120
_CLOSE_ENOUGH = 0.65
_LONGEST_LABEL = 63
_LONGEST_HOST = 253
_LONGEST_NAME = 200  # comparing takes the square of the length


def quote(text: str) -> str:
    """Put a person's text in single quotes for a message of one line: control characters escaped, a long text cut."""
    shown = text if len(text) <= _QUOTED_LENGTH else text[: _QUOTED_LENGTH - 1] + "…"
    return f"'{printable(shown)}'"


def printable(text: str) -> str:
    """Escape the characters that would not show, or would break the line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def hint(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean '…'?)`` with the known name closest to ``name``, or nothing if none is close."""
    closest = closest_name(name, known)
    return f" (did you mean '{closest}'?)" if closest else ""


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to ``name``, whatever its case, or None if none is close."""
    if len(name) > _LONGEST_NAME:
        return None
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=_CLOSE_ENOUGH)
    return by_folded[matches[0]] if matches else None


def parse_size(text: str, base: int = 1000) -> int:
    """Read a size in bytes, such as ``20m``, ``1.5g``, ``64kB`` or ``10 MiB``; a fraction of a byte is cut off.

    ``base`` is 1000 or 1024, whatever the spelling: ``10MiB`` with base 1000 is 10,000,000 bytes. That is what the
    parser of Docker's own drivers does (``FromHumanSize`` and ``RAMInBytes`` of github.com/docker/go-units). Refused,
    unlike there: digits in hexadecimal or parted by underscores, and sizes that do not fit 63 bits.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{quote(text)} is not a size (examples: {_SIZE_EXAMPLES})")
    size = float(match[1]) * base ** _SIZE_EXPONENTS[(match[2] or "").lower()]
    if size < 0:
        raise ValueError(f"{quote(text)} is a negative size (examples: {_SIZE_EXAMPLES})")
    if size > _LARGEST_INT64:
        raise ValueError(f"{quote(text)} is too large a size (examples: {_SIZE_EXAMPLES})")
    return int(size)


def parse_int(text: str, low: int | None = None, high: int | None = None) -> int:
    """Read a whole number from ``low`` to ``high``, both included, in decimal digits (Go's ``strconv.Atoi``)."""
    number = int(text) if _INTEGER.fullmatch(text) else None
    if number is None or abs(number) > _LARGEST_INT64:
        raise ValueError(f"{quote(text)} is not {whole_number(low, high)}")
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{quote(text)} is out of range (expected: {whole_number(low, high)})")
    return number


def whole_number(low: int | None, high: int | None) -> str:
    """Describe which numbers `parse_int` takes: ``a whole number from 1 to 100``."""
    if low is not None and high is not None:
        return f"a whole number from {low} to {high}"
    if low is not None:
        return f"a whole number of at least {low}"
    return "a whole number" if high is None else f"a whole number of at most {high}"


def parse_duration(text: str) -> float:
    """Read a duration in seconds, such as ``500ms``, ``1m30s``, ``1.5h``, ``-2s`` or ``0``.

    The grammar is that of Go's ``time.ParseDuration``: a number needs its unit (ns, us, µs, ms, s, m, h), what is finer
    than a nanosecond is cut off, and the largest duration is about 292 years.
    """
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    nanoseconds = _nanoseconds(rest)
    if nanoseconds is None or nanoseconds > _LARGEST_INT64 + negative:
        raise ValueError(f"{quote(text)} is not a duration (examples: {_DURATION_EXAMPLES})")
    return (-nanoseconds if negative else nanoseconds) / 1_000_000_000


def _nanoseconds(text: str) -> int | None:
    """Add up numbers with units up to the end of the text; None if the text is anything else."""
    total = 0
    position = 0
    while match := _DURATION_PART.match(text, position):
        whole, fraction, unit = match.groups(default="")
        significant = whole.lstrip("0")
        if unit not in _NANOSECONDS or not (whole or fraction) or len(significant) > len(str(_LARGEST_INT64)):
            return None
        total += int(significant or 0) * _NANOSECONDS[unit] + _fraction(fraction, _NANOSECONDS[unit])
        position = match.end()
    return total if position == len(text) > 0 else None


def _fraction(digits: str, unit: int) -> int:
    """Return ``unit`` times ``0.digits`` rounded down: in floating point, without digits past 63 bits, as Go does."""
    number = 0
    scale = 1.0
    for digit in digits:
        longer = number * 10 + int(digit)
        if longer > _LARGEST_INT64:
            break
        number = longer
        scale *= 10
    return int(number * (unit / scale))


def parse_bool(text: str) -> bool:
    """Read a boolean: one of ``1 t T TRUE true True 0 f F FALSE false False`` (Go's ``strconv.ParseBool``)."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{quote(text)} is not a boolean (accepted: {' '.join(_TRUE + _FALSE)})")


def check_host(host: str) -> None:
    """Raise `ValueError` for a host that no name server and no file could ever know: it is not shown, it may be odd."""
    try:
        ascii_form = host.encode("idna") if not host.isascii() or "." in host or len(host) > _LONGEST_LABEL else host
    except UnicodeError:
        raise ValueError(
            "its host has a part that is empty or too long (63 characters): there is no such name"
        ) from None
    if len(ascii_form) > _LONGEST_HOST:
        raise ValueError(f"its host has more than {_LONGEST_HOST} characters: there is no such name")
    if any(c.isspace() or not c.isprintable() for c in host):
        raise ValueError("its host holds blanks or control characters: there is no such name")


def parse_list(text: str) -> tuple[str, ...]:
    """Read a list with commas; blanks around an item, and items that are empty, are dropped."""
    return tuple(item for part in text.split(",") if (item := part.strip()))


def parse_choice(text: str, allowed: tuple[str, ...]) -> str:
    """Read one of a few words, spelt exactly so."""
    if text not in allowed:
        raise ValueError(f"{quote(text)} is not one of {', '.join(allowed)}{hint(text, allowed)}")
    return text

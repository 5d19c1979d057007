"""JSON objects as fields: numbers are exact, and what could harm an encoder is not taken.

Also runs compiled (see ``exact_json.pxd``).
"""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import orjson

_DEEPEST = 32
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LONGEST_NUMBER = 4_000
_FLOAT, _ZERO = 1, 2
_DIGITS = bytes(48 if chr(code) in "0123456789." else 32 for code in range(256))
_MANY_DIGITS = b"0" * 16


class _TooDeepError(ValueError):
    """Nested deeper than is taken."""


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Return the members of a JSON object; None for whatever else, and for one that is nested more than 32 deep.

    A number that neither 64 bits nor a double can hold exactly becomes a text of its digits.
    """
    if line[:1] != b"{" and not line.lstrip(b" \t\r\n").startswith(b"{"):
        return None
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _parse_exactly(line) if "number" in str(error) else None
    if not isinstance(fields, dict):
        return None
    try:
        doubtful = _has_doubtful_floats(fields, _DEEPEST)
    except _TooDeepError:
        return None
    return (
        _parse_exactly(line) if doubtful and (doubtful == _ZERO or _MANY_DIGITS in line.translate(_DIGITS)) else fields
    )


def _has_doubtful_floats(value: Any, depth: int) -> int:
    """Return whether there are floats, and whether one is zero, which can be what is too small for a float.

    What has up to 15 digits is exact otherwise; an integer of more than 64 bits comes as a float.
    """
    if not depth:
        raise _TooDeepError
    found = 0
    for member in value.values() if isinstance(value, dict) else value:
        kind = type(member)
        if kind is float:
            found = max(found, _FLOAT if member else _ZERO)
        elif kind is dict or kind is list:
            found = max(found, _has_doubtful_floats(member, depth - 1))
    return found


def _float(text: str) -> float | str:
    """Return a float if it is what was written, else the text."""
    number = float(text)
    try:
        return number if len(text) < _LONGEST_NUMBER and Decimal(text) == Decimal(repr(number)) else text
    except InvalidOperation:
        return text


_DECODER = msgspec.json.Decoder(float_hook=_float)


def _parse_exactly(line: bytes) -> dict[str, Any] | None:
    """Parse what has numbers of any size, slowly."""
    try:
        fields = _DECODER.decode(line)
        return _limited(fields, _DEEPEST) if isinstance(fields, dict) else None
    except (ValueError, RecursionError):  # also of msgspec, _TooDeepError, and for digits beyond Python's limit
        return None


def _limited(value: Any, depth: int) -> Any:
    """Return a value with integers beyond 64 bits as texts."""
    if type(value) is int:
        return value if _SMALLEST <= value <= _LARGEST else str(value)
    if isinstance(value, dict | list):
        if not depth:
            raise _TooDeepError
        if isinstance(value, list):
            return [_limited(member, depth - 1) for member in value]
        return {name: _limited(member, depth - 1) for name, member in value.items()}
    return value

"""Floating-point numbers as text, in the forms of Go's ``strconv.FormatFloat``."""

from decimal import Decimal

_PLAIN_EXPONENTS = range(-4, 6)
_PLAIN_FROM_IN_JSON = 1e-6
_PLAIN_BELOW_IN_JSON = 1e21


def format_float(number: float, verb: str, precision: int | None) -> str:
    """Write a number for one of the verbs ``e E f g G``.

    ``precision`` is the count of digits: for ``g`` and ``G`` of all, for the others after the point. None, only for
    ``g`` and ``G``, means the fewest digits that still give the same number.
    """
    if precision is not None:
        return f"{number:.{precision}{verb}}"
    if _exponent(number) in _PLAIN_EXPONENTS:
        return _plain(number)
    return _scientific(number).replace("e", "E" if verb == "G" else "e")


def with_point(text: str, digits: int) -> str:
    """Write a formatted number with its point, and with zeros up to a count of digits: what ``%#`` asks for."""
    exponent_at = text.lower().find("e")
    mantissa, exponent = (text, "") if exponent_at < 0 else (text[:exponent_at], text[exponent_at:])
    missing = digits - len(mantissa.replace(".", "").lstrip("0")) - (mantissa == "0")
    point = "" if "." in mantissa else "."
    return f"{mantissa}{point}{'0' * missing}{exponent}"


def json_float(number: float) -> str:
    """Write a number as Go's ``encoding/json`` does."""
    if number == 0 or _PLAIN_FROM_IN_JSON <= abs(number) < _PLAIN_BELOW_IN_JSON:
        return _plain(number)
    return _scientific(number).replace("e-0", "e-")


def _exponent(number: float) -> int:
    return Decimal(repr(number)).adjusted() if number else 0


def _plain(number: float) -> str:
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(number: float) -> str:
    digits = "".join(map(str, Decimal(repr(number)).as_tuple().digits)).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{'-' if number < 0 else ''}{digits[0]}{point}{digits[1:]}e{_exponent(number):+03d}"

"""Go's literals: quoted strings, characters and numbers, as ``strconv`` reads them."""

import re

from plugin.gotemplate import runes
from plugin.gotemplate.errors import ActionError, shown
from plugin.gotemplate.values import to_bytes

_SIMPLE_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})"
    r"|(?P<simple>.))",
    re.DOTALL,
)
_INTEGERS = (
    (10, re.compile(r"0|[1-9](?:_?[0-9])*")),
    (8, re.compile(r"0[oO]?(?P<digits>(?:_?[0-7])+)")),
    (16, re.compile(r"0[xX](?P<digits>(?:_?[0-9a-fA-F])+)")),
    (2, re.compile(r"0[bB](?P<digits>(?:_?[01])+)")),
)
_DECIMAL = re.compile(r"(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
_HEXADECIMAL = re.compile(r"0[xX]_?[0-9a-fA-F](?:_?[0-9a-fA-F])*\.?(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?[pP][-+]?[0-9]+")
_LONGEST_NUMBER = 400


def read_string(text: str) -> bytes:
    """Read a string in double quotes, the quotes included; raises ``ActionError`` for an unknown escape."""
    result = bytearray()
    position = 1
    while position < len(text) - 1:
        if text[position] == "\\":
            code, is_byte, position = _escape(text, position, '"')
            result += bytes([code]) if is_byte else chr(code).encode()
        else:
            end = text.find("\\", position)
            end = len(text) - 1 if end < 0 else end
            result += to_bytes(text[position:end])
            position = end
    return bytes(result)


def read_raw_string(text: str) -> bytes:
    """Read a string in back quotes, the quotes included; Go drops carriage returns from it."""
    return to_bytes(text[1:-1].replace("\r", ""))


def read_character(text: str) -> int:
    """Read a character in single quotes as its number.

    Raises ``ActionError`` for none or several.
    """
    if text[1:2] == "\\":
        code, _, end = _escape(text, 1, "'")
    else:
        code, end = ord(text[1]), 2
    if end != len(text) - 1:
        raise ActionError(f"not one character: {shown(text)}")
    return code


def _escape(text: str, position: int, quote: str) -> tuple[int, bool, int]:
    """Read the escape at a position: its code, whether that is a byte (else a character), and where it ends."""
    found = _ESCAPE.match(text, position)
    if found is not None:
        digits = found["short"] or found["long"]
        simple = found["simple"]
        if found["octal"] and int(found["octal"], 8) < 256:
            return int(found["octal"], 8), True, found.end()
        if found["byte"]:
            return int(found["byte"], 16), True, found.end()
        if digits and ord(runes.from_code(int(digits, 16))) == int(digits, 16):
            return int(digits, 16), False, found.end()
        if simple is not None and (simple in _SIMPLE_ESCAPES or simple == quote):
            return _SIMPLE_ESCAPES.get(simple, ord(quote)), False, found.end()
    raise ActionError(f"unknown escape {shown(text[position : position + 2])} in {shown(text)}")


def read_number(text: str) -> int | float:
    """Read a number: an int, or a float for what is written with a point or an exponent.

    Raises ``ActionError`` for what Go does not take for a number, what does not fit into 64 bits, and imaginary ones.
    """
    if text.endswith(("i", "I")):
        raise ActionError(f"imaginary numbers are not supported: {shown(text)}")
    sign = -1 if text.startswith("-") else 1
    digits = text.removeprefix("-") if sign < 0 else text.removeprefix("+")
    if len(digits) > _LONGEST_NUMBER:
        raise ActionError(f"a number of {len(digits)} digits is too long: {shown(text)}")
    for base, pattern in _INTEGERS:
        if found := pattern.fullmatch(digits):
            return _fitting(sign * int(found[found.lastgroup or 0].replace("_", ""), base), text)
    return sign * _read_float(digits, text)


def _fitting(number: int, text: str) -> int:
    if not -(2**63) <= number < 2**63:
        raise ActionError(f"number {shown(text)} does not fit into 64 bits")
    return number


def _read_float(digits: str, text: str) -> float:
    plain = digits.replace("_", "")
    try:
        if _HEXADECIMAL.fullmatch(digits):
            return float.fromhex(plain)
        number = float(plain) if _DECIMAL.fullmatch(digits) and set(digits) & set(".eE") else None
    except (ValueError, OverflowError):
        number = None
    if number is None or number == float("inf"):
        raise ActionError(f"bad number {shown(text)}")
    return number

"""The functions of templates in Promtail's pipeline stages: its own, Go's, and the usual ones of sprig.

Source: ``clients/pkg/logentry/stages/template.go`` in grafana/loki, and Masterminds/sprig.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import re2

from plugin.gotemplate import runes
from plugin.gotemplate.errors import ActionError
from plugin.gotemplate.functions import FUNCTIONS
from plugin.gotemplate.limits import check_length
from plugin.gotemplate.values import ANY, BOOL, INT, INT64, STRING, Function, TypedInt, Value, truth

_OF_GO = (
    *("index", "slice", "len", "print", "println", "printf", "html", "js", "urlquery", "and", "or", "not"),
    *("eq", "ne", "lt", "le", "gt", "ge"),
)
_REFERENCE = re.compile(rb"\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")
_NUMBER = re.compile(rb"[+-]?(?:0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|0?[0-7]{1,22}|[1-9][0-9]{0,18})")
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000"
)

_LONGEST_SEARCH = 1 << 30
"""Bytes that searching for all matches may look at: each match may look at the whole text again."""

_QUIET = re2.Options()
_QUIET.log_errors = False


def _stripping(strip: Callable[[str, str], str]) -> Callable[[bytes, bytes], bytes]:
    def call(text: bytes, cutset: bytes) -> bytes:
        return runes.encode(strip(runes.decode(text), runes.decode(cutset)))

    return call


def _trim_space(text: bytes) -> bytes:
    return runes.encode(runes.decode(text).strip(_SPACES))


def _replace(text: bytes, old: bytes, new: bytes, count: int) -> bytes:
    """Go's ``strings.Replace``: without ``old``, ``new`` comes before each character and at the end."""
    places = len(runes.decode(text)) + 1 if not old else text.count(old)
    made = places if count < 0 else min(count, places)
    check_length(len(text) + made * max(0, len(new) - len(old)))
    if old:
        return text.replace(old, new, made)
    characters = [runes.encode(character) for character in runes.decode(text)]
    before = b"".join(new + character for character in characters[:made])
    return before + b"".join(characters[made:]) + (new if made > len(characters) else b"")


@lru_cache(maxsize=256)
def _compiled(pattern: bytes) -> Any:
    try:
        return re2.compile(pattern, _QUIET)
    except re2.error:
        raise ActionError("a pattern that is not a regular expression in RE2 syntax") from None


def _replace_matches(pattern: bytes, text: bytes, made: Callable[[Any, Any], bytes]) -> bytes:
    """Go's ``ReplaceAll``: a match of nothing does not count right behind another one."""
    compiled = _compiled(pattern)
    pieces: list[bytes] = []
    size = end = 0
    last = -1
    for number, match in enumerate(compiled.finditer(text)):
        if number * len(text) > _LONGEST_SEARCH:
            raise ActionError("a pattern that is found too often in a text that is too long")
        start, behind = match.span()
        if start == behind == last:
            continue
        piece = made(compiled, match)
        size += len(piece) + start - end
        check_length(size)
        pieces += (text[end:start], piece)
        end = last = behind
    return b"".join((*pieces, text[end:]))


def _expanded(template: bytes) -> Callable[[Any, Any], bytes]:
    """Return Go's ``Expand`` of a template: what is not a group, or took no part, is empty."""

    def group(compiled: Any, match: Any, reference: re.Match[bytes]) -> bytes:
        if reference[1]:
            return b"$"
        name = (reference[2] or reference[3]).decode()
        number = int(name[:9]) if name.isdigit() else compiled.groupindex.get(name, -1)
        found: bytes | None = match.group(number) if 0 <= number <= compiled.groups else None
        return found or b""

    return lambda compiled, match: _REFERENCE.sub(lambda reference: group(compiled, match, reference), template)


def _hash(name: str) -> Callable[[bytes, bytes], bytes]:
    return lambda salt, text: hashlib.new(name, salt + text).hexdigest().encode()


def _substr(start: int, end: int, text: bytes) -> bytes:
    if start < 0:
        start = 0
    if end < 0 or end > len(text):
        end = len(text)
    if start > end:
        raise ActionError(f"'substr' from {start} to {end}")
    return text[start:end]


def _trunc(length: int, text: bytes) -> bytes:
    if length < 0:
        return text[length:] if len(text) + length > 0 else text
    return text[:length]


def _number(value: Value) -> int:
    """Return a value as sprig takes it for a whole number: 0 for what is none."""
    if isinstance(value, TypedInt):
        return value.source
    if isinstance(value, bool | int | float):
        return int(value) if abs(value) < 2**63 else 0
    if isinstance(value, bytes) and _NUMBER.fullmatch(value):
        text = value.decode()
        is_octal = text.lstrip("+-")[:1] == "0" and text.lstrip("+-").isdigit()
        return int(text, 8 if is_octal else 0)
    return 0


def _of_64_bits(number: int) -> TypedInt:
    return TypedInt(INT64, (number + 2**63) % 2**64 - 2**63)


def _add(*values: Value) -> TypedInt:
    return _of_64_bits(sum(map(_number, values)))


def _sub(one: Value, other: Value) -> TypedInt:
    return _of_64_bits(_number(one) - _number(other))


def _mul(one: Value, other: Value) -> TypedInt:
    return _of_64_bits(_number(one) * _number(other))


def _default(default: Value, *given: Value) -> Value:
    return given[0] if given and truth(given[0]) else default


_THREE = (STRING, STRING, STRING)
_TWO = (STRING, STRING)

PROMTAIL_FUNCTIONS: Mapping[str, Function] = {
    **{name: FUNCTIONS[name] for name in _OF_GO},
    "ToLower": Function((STRING,), STRING, runes.lower),
    "ToUpper": Function((STRING,), STRING, runes.upper),
    "Replace": Function((*_THREE, INT), STRING, _replace),
    "Trim": Function(_TWO, STRING, _stripping(str.strip)),
    "TrimLeft": Function(_TWO, STRING, _stripping(str.lstrip)),
    "TrimRight": Function(_TWO, STRING, _stripping(str.rstrip)),
    "TrimPrefix": Function(_TWO, STRING, bytes.removeprefix),
    "TrimSuffix": Function(_TWO, STRING, bytes.removesuffix),
    "TrimSpace": Function((STRING,), STRING, _trim_space),
    "Hash": Function(_TWO, STRING, _hash("sha3_256")),
    "Sha2Hash": Function(_TWO, STRING, _hash("sha256")),
    "regexReplaceAll": Function(
        _THREE, STRING, lambda pattern, text, made: _replace_matches(pattern, text, _expanded(made))
    ),
    "regexReplaceAllLiteral": Function(
        _THREE, STRING, lambda pattern, text, made: _replace_matches(pattern, text, lambda *_: made)
    ),
    "lower": Function((STRING,), STRING, runes.lower),
    "upper": Function((STRING,), STRING, runes.upper),
    "title": Function((STRING,), STRING, runes.title),
    "trim": Function((STRING,), STRING, _trim_space),
    "trimAll": Function(_TWO, STRING, lambda cutset, text: _stripping(str.strip)(text, cutset)),
    "trimPrefix": Function(_TWO, STRING, lambda prefix, text: text.removeprefix(prefix)),
    "trimSuffix": Function(_TWO, STRING, lambda suffix, text: text.removesuffix(suffix)),
    "replace": Function(_THREE, STRING, lambda old, new, text: _replace(text, old, new, -1)),
    "substr": Function((INT, INT, STRING), STRING, _substr),
    "trunc": Function((INT, STRING), STRING, _trunc),
    "contains": Function(_TWO, BOOL, lambda part, text: part in text),
    "hasPrefix": Function(_TWO, BOOL, lambda part, text: text.startswith(part)),
    "hasSuffix": Function(_TWO, BOOL, lambda part, text: text.endswith(part)),
    "default": Function((ANY,), ANY, _default, variadic=ANY),
    "add": Function((), INT64, _add, variadic=ANY),
    "sub": Function((ANY, ANY), INT64, _sub),
    "mul": Function((ANY, ANY), INT64, _mul),
}
"""The functions by name. Others of sprig are unknown."""

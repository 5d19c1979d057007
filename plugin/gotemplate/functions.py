"""The functions of templates: those that Docker adds, and Go's own."""

from collections.abc import Callable

from plugin.gotemplate import compare, escapes, jsontext, printf, runes, sprint
from plugin.gotemplate.errors import ActionError
from plugin.gotemplate.limits import check_length
from plugin.gotemplate.values import (
    ANY,
    BOOL,
    BYTE,
    INT,
    STRING,
    STRINGS,
    Function,
    StringMap,
    Strings,
    TypedInt,
    Value,
    described,
    truth,
    type_of,
)

_MOST_INDEXES_OF_TEXT = 2
_MOST_INDEXES = 3


def _split(text: bytes, separator: bytes) -> Strings:
    if separator:
        return Strings(tuple(text.split(separator)))
    return Strings(tuple(runes.encode(character) for character in runes.decode(text)))


def _join(items: Strings, separator: bytes) -> bytes:
    check_length(sum(map(len, items.items)) + len(separator) * max(len(items.items) - 1, 0))
    return separator.join(items.items)


def _pad(text: bytes, before: int, after: int) -> bytes:
    if not text:
        return text
    if before < 0 or after < 0:
        raise ActionError(f"'pad' by a negative number: {min(before, after)}")
    check_length(before + len(text) + after)
    return b" " * before + text + b" " * after


def _truncate(text: bytes, length: int) -> bytes:
    if length < 0:
        raise ActionError(f"'truncate' to a negative length: {length}")
    return text[:length]


def _index(item: Value, *indexes: Value) -> Value:
    if item is None:
        raise ActionError("'index' of nil")
    for index in indexes:
        item = _indexed(item, index)
    return item


def _indexed(item: Value, index: Value) -> Value:
    match item:
        case bytes():
            return TypedInt(BYTE, item[_position(index, len(item) - 1)])
        case Strings():
            return item.items[_position(index, len(item.items) - 1)]
        case StringMap():
            if not isinstance(index, bytes):
                raise ActionError(f"{described(type_of(index))} as the key of {described(type_of(item))}")
            return item.items.get(index, b"")
        case _:
            raise ActionError(f"'index' of {described(type_of(item))}")


def _position(index: Value, largest: int) -> int:
    number = index.source if isinstance(index, TypedInt) else index
    if not isinstance(number, int) or isinstance(number, bool):
        raise ActionError(f"{described(type_of(index))} as an index")
    if not 0 <= number <= largest:
        raise ActionError(f"index {number} is out of range")
    return number


def _slice(item: Value, *indexes: Value) -> Value:
    if not isinstance(item, bytes | Strings):
        raise ActionError(f"'slice' of {described(type_of(item))}")
    length = len(item) if isinstance(item, bytes) else len(item.items)
    if len(indexes) > (_MOST_INDEXES_OF_TEXT if isinstance(item, bytes) else _MOST_INDEXES):
        raise ActionError(f"'slice' of {described(type_of(item))} with {len(indexes)} indexes")
    bounds = [_position(index, length) for index in indexes]
    start, end, *capacity = [*bounds, *(0, length)[len(bounds) :]]
    if start > end or any(end > bound for bound in capacity):
        raise ActionError(f"'slice' with indexes that go down: {bounds}")
    return item[start:end] if isinstance(item, bytes) else Strings(item.items[start:end], item.is_nil)


def _len(item: Value) -> int:
    match item:
        case bytes():
            return len(item)
        case Strings() | StringMap():
            return len(item.items)
        case _:
            raise ActionError(f"'len' of {described(type_of(item))}")


def _last(*arguments: Value) -> Value:
    return arguments[-1]


def _escaping(escape: Callable[[bytes], bytes]) -> Function:
    def call(*arguments: Value) -> bytes:
        return escape(sprint.sprint_displayed(arguments))

    return Function((), STRING, call, variadic=ANY)


FUNCTIONS: dict[str, Function] = {
    "json": Function((ANY,), STRING, jsontext.to_json),
    "split": Function((STRING, STRING), STRINGS, _split),
    "join": Function((STRINGS, STRING), STRING, _join),
    "title": Function((STRING,), STRING, runes.title),
    "lower": Function((STRING,), STRING, runes.lower),
    "upper": Function((STRING,), STRING, runes.upper),
    "pad": Function((STRING, INT, INT), STRING, _pad),
    "truncate": Function((STRING, INT), STRING, _truncate),
    "index": Function((ANY,), ANY, _index, variadic=ANY),
    "slice": Function((ANY,), ANY, _slice, variadic=ANY),
    "len": Function((ANY,), INT, _len),
    "print": Function((), STRING, lambda *arguments: sprint.sprint(arguments), variadic=ANY),
    "println": Function((), STRING, lambda *arguments: sprint.sprintln(arguments), variadic=ANY),
    "printf": Function((STRING,), STRING, lambda form, *arguments: printf.sprintf(form, arguments), variadic=ANY),
    "html": _escaping(escapes.html),
    "js": _escaping(escapes.javascript),
    "urlquery": _escaping(escapes.url_query),
    "and": Function((ANY,), ANY, _last, variadic=ANY, until=False),
    "or": Function((ANY,), ANY, _last, variadic=ANY, until=True),
    "not": Function((ANY,), BOOL, lambda value: not truth(value)),
    "eq": Function((ANY, ANY), BOOL, compare.equal, variadic=ANY),
    "ne": Function((ANY, ANY), BOOL, compare.not_equal),
    "lt": Function((ANY, ANY), BOOL, compare.less),
    "le": Function((ANY, ANY), BOOL, compare.less_or_equal),
    "gt": Function((ANY, ANY), BOOL, compare.greater),
    "ge": Function((ANY, ANY), BOOL, compare.greater_or_equal),
}

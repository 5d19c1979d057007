"""Values as JSON, as Docker's ``json`` function writes them: by ``encoding/json`` without escaping for HTML."""

from collections.abc import Iterable

from plugin.gotemplate import escapes, floats
from plugin.gotemplate.limits import check_length
from plugin.gotemplate.values import StringMap, Strings, Struct, TypedInt, Value


def to_json(value: Value) -> bytes:
    """Write a value as JSON; raises ``ActionError`` when that is too long."""
    result = _encoded(value)
    check_length(len(result))
    return result


def _encoded(value: Value) -> bytes:
    match value:
        case None:
            return b"null"
        case bool():
            return b"true" if value else b"false"
        case int():
            return str(value).encode()
        case float():
            return floats.json_float(value).encode()
        case bytes():
            return escapes.json_string(value)
        case TypedInt():
            return str(value.source).encode()
        case Strings():
            items = map(escapes.json_string, value.items)
            return b"null" if value.is_nil else b"[" + b",".join(items) + b"]"
        case StringMap():
            return b"null" if value.is_nil else _object(value.items.items())
        case Struct():
            if value.type.json_text is not None:
                return value.type.json_text(value.source)
            return _object((name.encode(), item) for name, item in value.fields.items())


def _object(items: Iterable[tuple[bytes, Value]]) -> bytes:
    return b"{" + b",".join(escapes.json_string(name) + b":" + _encoded(item) for name, item in items) + b"}"

"""Attributes: names with values of any kind, as OpenTelemetry's ``KeyValue`` and ``AnyValue``.

Source: ``opentelemetry/proto/common/v1/common.proto`` in open-telemetry/opentelemetry-proto::

    KeyValue { 1 key  2 value (AnyValue) }
    AnyValue { 1 string  2 bool  3 int (int64)  4 double  5 array { 1 values }  6 kvlist { 1 values (KeyValue) }
               7 bytes }
"""

import json
import struct
from typing import Any

from plugin.docker.frames import encode_varint
from plugin.sinks.encoding.protobuf import bytes_field

_UNNAMED = "_"
_INT64 = range(-(2**63), 2**63)
# Each level takes three messages, of which decoders follow a hundred within each other.
_DEEPEST = 20


def key_value(name: str, value: object) -> bytes:
    """Write an attribute as the content of a ``KeyValue``; an empty name, which none may have, is ``_``."""
    return _key_value(name, value, 0)


def any_value(value: object) -> bytes:
    """Write a value as the content of an ``AnyValue``; None has none.

    An integer beyond 64 bits, and what is nested very deeply, becomes text.
    """
    return _any_value(value, 0)


def _key_value(name: Any, value: object, depth: int) -> bytes:
    key = str(name).encode("utf-8", "replace") or _UNNAMED.encode()
    return bytes_field(1, key) + bytes_field(2, _any_value(value, depth))


def _any_value(value: Any, depth: int) -> bytes:
    match value:
        case None:
            return b""
        case bool():
            return b"\x10\x01" if value else b"\x10\x00"
        case str():
            return bytes_field(1, value.encode("utf-8", "replace"))
        case int() if value in _INT64:
            return b"\x18" + encode_varint(value % 2**64)
        case float():
            return b"\x21" + struct.pack("<d", value)
        case bytes():
            return bytes_field(7, value)
        case dict() | list() | tuple() if depth >= _DEEPEST:
            return bytes_field(1, _json(value).encode("utf-8", "replace"))
        case dict():
            pairs = [bytes_field(1, _key_value(name, inner, depth + 1)) for name, inner in value.items()]
            return bytes_field(6, b"".join(pairs))
        case list() | tuple():
            return bytes_field(5, b"".join([bytes_field(1, _any_value(inner, depth + 1)) for inner in value]))
    return bytes_field(1, str(value).encode("utf-8", "replace"))


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "…"

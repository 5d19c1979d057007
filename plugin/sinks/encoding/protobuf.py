"""Protocol Buffers' wire format, as far as sinks need it.

Source: "Encoding" in the documentation of Protocol Buffers.
"""

from collections.abc import Iterator
from typing import Final

from plugin.docker.frames import encode_varint

_LENGTH = 2
_VARINT = 0
_FIXED = {1: 8, 5: 4}

SMALL: Final = 0x3FFF
"""The largest number whose varint has at most two bytes."""

VARINTS: Final = [encode_varint(number) for number in range(SMALL + 1)]
"""The varints of the numbers up to `SMALL`, faster than made."""


def bytes_field(number: int, content: bytes) -> bytes:
    """Write a field of strings, bytes or a message."""
    return encode_varint(number << 3 | _LENGTH) + encode_varint(len(content)) + content


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of a message's fields; raises `ValueError` for what is not a message."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("not a protobuf message: a field without a number")
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH:
            size, position = _read_varint(message, position)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError("not a protobuf message: a field of an unknown kind")
        if size > len(message) - position:
            raise ValueError("not a protobuf message: a field that is cut off")
        yield number, message[position : position + size]
        position += size


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, position
    raise ValueError("not a protobuf message: a number that is cut off")

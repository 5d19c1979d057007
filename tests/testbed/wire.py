"""Log entries and frames, written down a second time, from moby's ``entry.proto`` and ``logdriver/io.go``.

Nothing here imports the plugin: a mistake in its codec must not hide behind the same mistake in the tests.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


class WireError(Exception):
    """Bytes that the engine's decoder would not accept."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a line that the engine cut; ordinals count from 1."""

    id: str
    ordinal: int
    last: bool


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What one frame carries; ``time_nano`` is nanoseconds since 1970 UTC.

    On its way to the plugin ``line`` has no newline; on its way back it has one unless the line is incomplete.
    """

    source: str
    time_nano: int
    line: bytes
    partial: bool = False
    part: Part | None = None


def encode(entry: LogEntry) -> bytes:
    """Encode the frame of an entry: fields in order, defaults left out, the size in front."""
    body = b"\x0a" + _with_size(entry.source.encode()) if entry.source else b""
    if entry.time_nano:
        body += b"\x10" + _varint(entry.time_nano)
    if entry.line:
        body += b"\x1a" + _with_size(entry.line)
    if entry.partial:
        body += b"\x20\x01"
    if entry.part is not None:
        body += b"\x2a" + _with_size(_encode_part(entry.part))
    return len(body).to_bytes(4, "big") + body


def _encode_part(part: Part) -> bytes:
    message = b"\x08\x01" if part.last else b""
    if part.id:
        message += b"\x12" + _with_size(part.id.encode())
    if part.ordinal:
        message += b"\x18" + _varint(part.ordinal)
    return message


def _with_size(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode(body: bytes) -> LogEntry:
    """Decode an entry without its size; raises ``WireError`` where the engine's decoder fails."""
    source, time_nano, line, partial, part = "", 0, b"", False, None
    for number, value in _fields(body):
        if number == 1:
            source = _bytes(value).decode()
        elif number == 2:
            time_nano = _signed(_int(value))
        elif number == 3:
            line = _bytes(value)
        elif number == 4:
            partial = bool(_int(value))
        elif number == 5:
            part = _decode_part(_bytes(value))
    return LogEntry(source, time_nano, line, partial, part)


def _decode_part(body: bytes) -> Part:
    values = dict(_fields(body))
    return Part(
        id=_bytes(values.get(2, b"")).decode(),
        ordinal=_signed(_int(values.get(3, 0))),
        last=bool(_int(values.get(1, 0))),
    )


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(body):
        key, position = _read_varint(body, position)
        if key & 7 == 0:
            value, position = _read_varint(body, position)
            yield key >> 3, value
        elif key & 7 == 2:
            size, position = _read_varint(body, position)
            if position + size > len(body):
                raise WireError(f"field {key >> 3} ends beyond its message of {len(body)} bytes")
            yield key >> 3, body[position : position + size]
            position += size
        else:
            raise WireError(f"wire type {key & 7}, which no field of LogEntry has")


def _read_varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(body):
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise WireError("a varint is cut off")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise WireError("bytes where a number belongs")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value


def entries(read: Callable[[], bytes]) -> Iterator[LogEntry]:
    """Decode a stream of frames; ``read`` returns some more bytes, none at the end.

    Raises ``WireError`` if the stream ends within a frame, as the engine's decoder does.
    """
    buffer = b""
    while chunk := read():
        buffer += chunk
        position = 0
        while len(buffer) - position >= 4:
            end = position + 4 + int.from_bytes(buffer[position : position + 4], "big")
            if end > len(buffer):
                break
            yield decode(buffer[position + 4 : end])
            position = end
        buffer = buffer[position:]
    if buffer:
        raise WireError(f"the stream ends within a frame, {len(buffer)} bytes after its start")


def decode_all(data: bytes) -> list[LogEntry]:
    """Decode a byte string of whole frames."""
    chunks = iter((data,))
    return list(entries(lambda: next(chunks, b"")))

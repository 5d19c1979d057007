"""Frames and log entries: the bytes that the engine writes into a FIFO and reads back from ``ReadLogs``.

A frame is ``[uint32 big-endian size][LogEntry]``; a ``LogEntry`` is the protobuf message of moby's
``api/types/plugins/logdriver/entry.proto``::

    1 source (string)   2 time_nano (int64)   3 line (bytes)   4 partial (bool)
    5 partial_log_metadata { 1 last (bool)  2 id (string)  3 ordinal (int32) }
    6 attrs (repeated { 1 key  2 value })

This module also runs compiled (see ``frames.pxd``), which is why it is written with plain loops over ``bytes``.
"""

from dataclasses import dataclass

from plugin.errors import PeaveyError

HEADER_SIZE = 4
MAX_ENTRY_SIZE = 1 << 20
"""Entries above 1 MiB are taken for garbage: the engine cuts lines at 16 KiB."""
MAX_FRAME_SIZE = HEADER_SIZE + MAX_ENTRY_SIZE

_SIGN_BIT = 0x8000_0000_0000_0000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class FrameError(PeaveyError):
    """Bytes that are not a frame with a log entry in it."""


@dataclass(frozen=True, slots=True)
class PartialMetadata:
    """Which part of a line longer than 16 KiB an entry is: ordinals count from 1."""

    last: bool = False
    id: str = ""
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry; ``time_nano`` is nanoseconds since 1970 UTC, ``line`` comes without its newline."""

    source: str
    time_nano: int
    line: bytes
    partial: bool = False
    metadata: PartialMetadata | None = None
    attrs: tuple[tuple[str, str], ...] = ()


class Fields:
    """Where the fields of one encoded entry lie in a buffer; all positions count from the buffer's start.

    Filling one reused object instead of making an ``Entry`` is what lets a million entries be looked at in a
    fraction of a second. After ``locate`` returned true:

    ``source_start:source_end``, ``line_start:line_end``, ``id_start:id_end``
        the bytes of these fields (empty where the field is left out)
    ``head_end``
        where source and time end, if the entry begins with exactly these two and a line or nothing follows; else −1
    ``time_nano``, ``partial``, ``has_metadata``, ``last``, ``ordinal``
        their values
    """

    __slots__ = (
        "_position",
        "_value",
        "has_metadata",
        "head_end",
        "id_end",
        "id_start",
        "last",
        "line_end",
        "line_start",
        "ordinal",
        "partial",
        "source_end",
        "source_start",
        "time_nano",
    )

    def __init__(self) -> None:
        self._position = self._value = 0
        self._clear()

    def _clear(self) -> None:
        self.source_start = self.source_end = self.line_start = self.line_end = self.id_start = self.id_end = 0
        self.time_nano = self.ordinal = 0
        self.partial = self.has_metadata = self.last = False
        self.head_end = -1

    def locate(self, buffer: bytes, start: int, end: int) -> bool:
        """Find the fields of the entry in ``buffer[start:end]``; false if these bytes are not a ``LogEntry``.

        Unknown fields are skipped. A known field of another wire type is an error, as it is for the engine.
        """
        self._clear()
        self._position = start
        leading_source_end = -1
        while self._position < end:
            field_start = self._position
            if not self._read_varint(buffer, end):
                return False
            wire_type = self._value & 7
            number = self._value >> 3
            if wire_type == _BYTES:
                if not self._read_varint(buffer, end) or self._value > end - self._position:
                    return False
                value_start = self._position
                value_end = value_start + self._value
                if number == 1:
                    self.source_start = value_start
                    self.source_end = value_end
                    self.head_end = -1
                    leading_source_end = value_end if field_start == start else -1
                elif number == 3:
                    self.line_start = value_start
                    self.line_end = value_end
                    if self.head_end != field_start:
                        self.head_end = -1
                elif number == 5:
                    self.has_metadata = True
                    if not self._locate_metadata(buffer, value_end):
                        return False
                elif number in (0, 2, 4):
                    return False
                self._position = value_end
            elif wire_type == _VARINT:
                if not self._read_varint(buffer, end):
                    return False
                if number == 2:
                    self.time_nano = (self._value ^ _SIGN_BIT) - _SIGN_BIT
                    self.head_end = self._position if field_start == leading_source_end else -1
                elif number == 4:
                    self.partial = self._value != 0
                elif number in (0, 1, 3, 5, 6):
                    return False
            elif not self._skip_fixed(number, wire_type, end):
                return False
        return True

    def _locate_metadata(self, buffer: bytes, end: int) -> bool:
        while self._position < end:
            if not self._read_varint(buffer, end):
                return False
            wire_type = self._value & 7
            number = self._value >> 3
            if wire_type == _BYTES:
                if not self._read_varint(buffer, end) or self._value > end - self._position:
                    return False
                value_start = self._position
                self._position = value_start + self._value
                if number == 2:
                    self.id_start = value_start
                    self.id_end = self._position
                elif number in (0, 1, 3):
                    return False
            elif wire_type == _VARINT:
                if not self._read_varint(buffer, end):
                    return False
                if number == 1:
                    self.last = self._value != 0
                elif number == 3:
                    self.ordinal = ((self._value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
                elif number in (0, 2):
                    return False
            elif not self._skip_fixed(number, wire_type, end):
                return False
        return True

    def _read_varint(self, buffer: bytes, end: int) -> bool:
        """Read a varint of at most 64 bits at ``_position`` into ``_value``; false if it is cut off or too long."""
        position = self._position
        value = 0
        shift = 0
        while position < end:
            byte = buffer[position]
            position += 1
            if shift == 63 and byte > 1:
                return False
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._position = position
                self._value = value
                return True
            shift += 7
            if shift > 63:
                return False
        return False

    def _skip_fixed(self, number: int, wire_type: int, end: int) -> bool:
        """Skip a fixed-size value of an unknown field; no field of ours has one, and groups are not supported."""
        if number <= 6:
            return False
        if wire_type == _FIXED64:
            self._position += 8
        elif wire_type == _FIXED32:
            self._position += 4
        else:
            return False
        return self._position <= end


def entry_size(buffer: bytes, position: int) -> int:
    """Read the size in bytes of the entry whose frame starts at ``position``; its header must be in the buffer."""
    first = buffer[position]
    return (first << 24) | (buffer[position + 1] << 16) | (buffer[position + 2] << 8) | buffer[position + 3]


def decode_entry(buffer: bytes, start: int, end: int) -> Entry:
    """Decode the entry in ``buffer[start:end]``, frame header excluded.

    Text that is not UTF-8 is decoded with replacement characters; ``line`` is bytes and stays as it is.
    Raises ``FrameError`` if the bytes are not a ``LogEntry``.
    """
    fields = Fields()
    if not fields.locate(buffer, start, end):
        raise FrameError(f"{end - start} bytes are not a LogEntry: {buffer[start : min(end, start + 16)].hex(' ')} …")
    metadata = None
    if fields.has_metadata:
        identifier = buffer[fields.id_start : fields.id_end].decode(errors="replace")
        metadata = PartialMetadata(bool(fields.last), identifier, fields.ordinal)
    return Entry(
        source=buffer[fields.source_start : fields.source_end].decode(errors="replace"),
        time_nano=fields.time_nano,
        line=buffer[fields.line_start : fields.line_end],
        partial=bool(fields.partial),
        metadata=metadata,
        attrs=_decode_attrs(buffer, start, end),
    )


def _decode_attrs(buffer: bytes, start: int, end: int) -> tuple[tuple[str, str], ...]:
    attrs = []
    for number, value in _length_delimited(buffer, start, end):
        if number == 6:
            pair = dict(_length_delimited(value, 0, len(value)))
            attrs.append((pair.get(1, b"").decode(errors="replace"), pair.get(2, b"").decode(errors="replace")))
    return tuple(attrs)


def _length_delimited(buffer: bytes, start: int, end: int) -> list[tuple[int, bytes]]:
    """List number and bytes of the length-delimited fields of a message; raises ``FrameError`` if it is malformed."""
    found = []
    position = start
    while position < end:
        key, position = _varint_at(buffer, position, end)
        wire_type = key & 7
        if wire_type == _BYTES:
            size, position = _varint_at(buffer, position, end)
            found.append((key >> 3, buffer[position : position + size]))
            position += size
        elif wire_type == _VARINT:
            _, position = _varint_at(buffer, position, end)
        elif wire_type in (_FIXED64, _FIXED32):
            position += 8 if wire_type == _FIXED64 else 4
        else:
            raise FrameError(f"a field of a LogEntry has the wire type {wire_type}, which is not supported")
    if position != end:
        raise FrameError("a field of a LogEntry ends beyond its message")
    return found


def _varint_at(buffer: bytes, position: int, end: int) -> tuple[int, int]:
    reader = Fields()
    reader._position = position
    if not reader._read_varint(buffer, end):
        raise FrameError("a varint of a LogEntry is cut off")
    return reader._value, reader._position


def encode_varint(value: int) -> bytes:
    """Encode an integer as a protobuf varint; negative ones as their 64-bit two's complement."""
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_frame(entry: Entry) -> bytes:
    """Encode an entry as the engine does: fields in order, defaults left out, the frame header in front."""
    parts = [
        _bytes_field(1, entry.source.encode()),
        _varint_field(2, entry.time_nano),
        _bytes_field(3, entry.line),
    ]
    parts.append(_varint_field(4, int(entry.partial)))
    if entry.metadata is not None:
        metadata = entry.metadata
        content = _varint_field(1, int(metadata.last)) + _bytes_field(2, metadata.id.encode())
        content += _varint_field(3, metadata.ordinal)
        parts.append(b"\x2a" + encode_varint(len(content)) + content)
    for key, value in entry.attrs:
        content = _bytes_field(1, key.encode()) + _bytes_field(2, value.encode())
        parts.append(b"\x32" + encode_varint(len(content)) + content)
    body = b"".join(parts)
    return len(body).to_bytes(HEADER_SIZE, "big") + body


def _varint_field(number: int, value: int) -> bytes:
    return encode_varint(number << 3 | _VARINT) + encode_varint(value) if value else b""


def _bytes_field(number: int, value: bytes) -> bytes:
    return encode_varint(number << 3 | _BYTES) + encode_varint(len(value)) + value if value else b""

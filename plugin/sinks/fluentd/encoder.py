"""Entries of the Forward protocol: a time, and a map whose last pair is the line.

Source: the ``Forward Protocol Specification v1`` in fluent/forward-protocol. This module also runs compiled (see
``encoder.pxd``).
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from plugin.records.record import Record
from plugin.sinks.encoding.record_fields import with_level
from plugin.sinks.encoding.text import text
from plugin.sinks.encoding.timestamps import NO_SECOND, tell_out_of_range

# The last second that every reader takes for a time. Fluent Bit reads the four bytes with a sign, takes -1 and -2 for
# markers of groups and skips entries at other negative times (FLB_LOG_EVENT_GROUP_START in flb_log_event.h).
_LATEST = (2**31 - 1) * 1_000_000_000

# An entry begins as an array of two. Its first is an extension of type 0 with 8 bytes, seconds and nanoseconds, or
# of the older kind of time, seconds alone.
_EVENT_TIME_START = b"\x92\xd7\x00"
_SECONDS_START = b"\x92\xce"
_pack_32 = struct.Struct(">I").pack

_FIXSTR_LENGTHS = 32
_STR8_LENGTHS = 256
_STR16_LENGTHS = 65_536
_SHORT_STR_HEADERS = [
    bytes((0xA0 | length,)) if length < _FIXSTR_LENGTHS else bytes((0xD9, length)) for length in range(_STR8_LENGTHS)
]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEntries:
    """What is constant for a container's records."""

    id: str
    birth: int
    tag: str
    fields: Mapping[str, str]
    """Of every record, but for its source and the line."""
    starts: Mapping[str, bytes]
    """The record of a whole line up to the line, packed, by source."""


def record_start(fields: Mapping[str, Any]) -> bytes:
    """Pack a record with these fields up to its line, which is its last field."""
    packer = msgpack.Packer(autoreset=False, unicode_errors="replace")
    packer.pack_map_header(len(fields) + 1)
    for key, value in fields.items():
        packer.pack(key)
        packer.pack(value)
    packer.pack("log")
    packed: bytes = packer.bytes()
    return packed


def records_by_tag(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Group records by the tag of their `PreparedEntries`, which is their ``prepared``."""
    groups: dict[str, list[Record]] = {}
    group: list[Record] = []
    container: PreparedEntries | None = None
    for record in records:
        if record.prepared is not container:
            container = record.prepared
            group = groups.setdefault(record.prepared.tag, [])
        group.append(record)
    return groups


def encode_entries(records: Sequence[Record], start: int, room: int, precise: bool) -> tuple[bytes, int]:
    """Pack entries from the record ``start`` on until they fill ``room`` bytes; return them, and where they end.

    Times have nanoseconds if ``precise``, else seconds alone; the nearest that the protocol can express stands for one
    that it cannot.

    Lines are made valid UTF-8: for others Fluentd's JSON formatter throws the connection away, again and again.
    """
    headers, pack_32 = _SHORT_STR_HEADERS, _pack_32
    short = len(headers)
    time_start = _EVENT_TIME_START if precise else _SECONDS_START
    parts: list[bytes] = []
    container: PreparedEntries | None = None
    source = ""
    second = NO_SECOND
    time = nanos = fields = whole = b""
    end = start
    for record in records[start:] if start else records:
        if record.prepared is not container or record.source != source:
            container, source = record.prepared, record.source
            whole = record.prepared.starts[source]
        time_nano = record.time_nano
        if not 0 <= time_nano <= _LATEST:
            tell_out_of_range(record.prepared.id, "fluentd", time_nano)
            time_nano = 0 if time_nano < 0 else _LATEST
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            time = time_start + pack_32(second)
        if precise:
            nanos = pack_32(time_nano % 1_000_000_000)
        fields = _part_start(record) if record.part_ordinal else whole
        if record.fields is not None or record.severity:
            fields = _start_with_more(record)
        line = record.line
        if not line.isascii():
            line = text(line).encode()
        length = len(line)
        parts.extend((time, nanos, fields, headers[length] if length < short else _long_str_header(length), line))
        end += 1
        room -= length + len(fields)
        if room <= 0:
            break
    return b"".join(parts), end


def _start_with_more(record: Record) -> bytes:
    """Pack the record of a line that has a level or fields, up to the line; the container's stay where names agree."""
    constant = {"source": record.source} | record.prepared.fields
    own = {name: value for name, value in with_level(record).items() if name != "log" and name not in constant}
    return record_start(constant | own)


def _part_start(record: Record) -> bytes:
    """Pack the record of a part of a line, up to the line, with the fields that Docker's driver adds."""
    fields = {"source": record.source} | record.prepared.fields
    fields |= {
        "partial_message": "true",
        "partial_id": record.part_id,
        "partial_ordinal": str(record.part_ordinal),
        "partial_last": "true" if record.part_last else "false",
    }
    return record_start(fields)


def _long_str_header(length: int) -> bytes:
    """Return what comes before a string of 256 bytes or more, which need not be UTF-8."""
    return struct.pack(">BH", 0xDA, length) if length < _STR16_LENGTHS else struct.pack(">BI", 0xDB, length)

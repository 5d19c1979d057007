"""OTLP's request for logs, written directly.

Its protobuf messages, from ``opentelemetry/proto`` in open-telemetry/opentelemetry-proto (``collector/logs/v1``,
``logs/v1``, ``resource/v1``, ``common/v1``)::

    ExportLogsServiceRequest { 1 resource_logs (repeated ResourceLogs) }
    ResourceLogs { 1 resource { 1 attributes (repeated KeyValue) }  2 scope_logs (repeated ScopeLogs) }
    ScopeLogs    { 1 scope { 1 name }  2 log_records (repeated LogRecord) }
    LogRecord    { 1 time_unix_nano (fixed64)  2 severity_number  3 severity_text  5 body (AnyValue)
                   6 attributes (repeated KeyValue)  11 observed_time_unix_nano (fixed64) }

This module also runs compiled (see ``encoder.pxd``).
"""

import struct
from collections.abc import Mapping, Sequence

from plugin.docker.frames import encode_varint
from plugin.records.record import Record
from plugin.sinks.encoding.protobuf import SMALL, VARINTS, bytes_field
from plugin.sinks.encoding.severity import LARGEST_SEVERITY, SEVERITY_NAMES
from plugin.sinks.encoding.text import text
from plugin.sinks.otlp.attributes import key_value

_SCOPE = bytes_field(1, bytes_field(1, b"peavey"))
_TIME = 0x09  # field 1 of a record, fixed64
_OBSERVED_TIME = b"\x59"  # field 11
_MOST_DIGITS = 19  # of an offset

# Of a record with a short line, besides line and attributes: both times, and keys and sizes of body and value.
_OVERHEAD = 32
_pack_time = struct.Struct("<Q").pack

# Beginnings of fields, by their sizes up to `SMALL`: a record with its first key, its body, a string as a value.
_RECORDS = [b"\x12" + size + bytes((_TIME,)) for size in VARINTS]
_BODIES = [b"\x2a" + size for size in VARINTS]
_STRINGS = [b"\x0a" + size for size in VARINTS]


class PreparedLog:
    """What is the same for all records of a container.

    ``resource``
        field 1 of the ResourceLogs
    ``uids``
        the attribute ``log.record.uid`` up to the offset at its end, by the number of the offset's digits
    ``ends``
        by source, the attribute ``log.iostream`` and the key of the observed time
    """

    __slots__ = ("ends", "resource", "uids")

    def __init__(self, resource: bytes, uid: str) -> None:
        self.resource = resource
        self.uids = [
            bytes_field(6, key_value("log.record.uid", uid + "0" * digits))[: -digits or None]
            for digits in range(_MOST_DIGITS + 1)
        ]
        self.ends = {
            source: bytes_field(6, key_value("log.iostream", source)) + _OBSERVED_TIME
            for source in ("stdout", "stderr")
        }


def resource_field(attributes: Mapping[str, object]) -> bytes:
    """Write the resource of a container as field 1 of its logs."""
    return bytes_field(1, b"".join([bytes_field(1, key_value(name, value)) for name, value in attributes.items()]))


def encode_logs(records: Sequence[Record]) -> bytes:
    """Encode a batch as a request.

    The ``prepared`` of each record is a `PreparedLog`. Containers come in the order of their first records, and records
    keep theirs within a container. The observed time is that of the record: the engine has observed it. A time before
    1970, which the protocol cannot express, is 0, which means that it is not known.
    """
    logs: dict[PreparedLog, list[bytes]] = {}
    parts: list[bytes] = []
    prepared: PreparedLog | None = None
    source = ""
    end = b""
    room = 0
    heads, bodies, strings = _RECORDS, _BODIES, _STRINGS
    pack_time = _pack_time
    uids: list[bytes] = []
    for record in records:
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            parts = logs.setdefault(record.prepared, [])
            end = record.prepared.ends[source]
            uids = record.prepared.uids
            # What the line must not exceed for all sizes to be in the tables.
            room = SMALL - len(end) - len(uids[_MOST_DIGITS]) - _MOST_DIGITS - _OVERHEAD
        line = record.line
        if not line.isascii():
            line = text(line).encode()
        size = len(line)
        if size > room or record.fields is not None or record.severity != 0:
            parts.append(_record(record, line))
            continue
        time_nano = record.time_nano
        time = pack_time(max(0, time_nano))
        offset = b"%d" % record.offset
        uid = uids[len(offset)]
        string = strings[size]
        body = bodies[len(string) + size]
        # Both times have 8 bytes; the keys are one at the beginning, and the last byte of the end.
        head = heads[17 + len(body) + len(string) + size + len(uid) + len(offset) + len(end)]
        parts.extend((head, time, body, string, line, uid, offset, end, time))
    return b"".join(
        [bytes_field(1, log.resource + bytes_field(2, _SCOPE + b"".join(parts))) for log, parts in logs.items()]
    )


def _record(record: Record, line: bytes) -> bytes:
    """Write a record of any size, with its severity and fields."""
    time = _pack_time(max(record.time_nano, 0))
    offset = b"%d" % record.offset
    parts = [bytes((_TIME,)), time]
    if 0 < record.severity <= LARGEST_SEVERITY:
        parts.append(b"\x10" + encode_varint(record.severity))
        parts.append(bytes_field(3, SEVERITY_NAMES[record.severity].encode()))
    parts.append(bytes_field(5, bytes_field(1, line)))
    parts.extend((record.prepared.uids[len(offset)], offset))
    parts.append(record.prepared.ends[record.source][:-1])
    if record.fields:
        parts.extend([bytes_field(6, key_value(name, value)) for name, value in record.fields.items()])
    parts.extend((_OBSERVED_TIME, time))
    return bytes_field(2, b"".join(parts))

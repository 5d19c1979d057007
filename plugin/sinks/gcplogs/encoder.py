"""Log entries of Cloud Logging, with the payload of Docker's gcplogs driver.

Sources: *LogEntry* in the reference of the Cloud Logging API v2, moby's ``daemon/logger/gcplogs``. This module also
runs compiled (see ``encoder.pxd``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.bounds import cut
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import json_of
from plugin.sinks.encoding.text import text
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

OPENING = b'{"jsonPayload":{'
"""How every entry begins; what an encoded one has behind it may have the machine's fields in front."""
BETWEEN_RECORDS = b"\n"
BETWEEN_ENTRIES = b"\x1e"
"""What parts records, and entries of one record, neither of which JSON has in it."""

# An entry is at most 256 KB: a line in UTF-8, and with it up to 80 KB of fields, command, labels and variables.
LONGEST_MESSAGE = 150_000
_LONGEST_FIELDS = 16_384
_LONGEST_COMMAND = 8_192

# By OpenTelemetry's numbers, as its exporter for Google Cloud has them.
_SEVERITIES = (
    "",
    *["DEBUG"] * 8,
    *["INFO"] * 2,
    *["NOTICE"] * 2,
    *["WARNING"] * 4,
    *["ERROR"] * 4,
    *["CRITICAL"] * 2,
    "ALERT",
    "EMERGENCY",
)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEntries:
    """What is the same for all entries of a container: in front of the line by source, and of the id's last part."""

    before_line: dict[str, bytes]
    identity: bytes


def prepare_entries(origin: Origin, *, has_command: bool) -> PreparedEntries:
    """Make what is the same for all entries of a container."""
    info = origin.info
    fields = {
        "name": info.container_name,
        "id": info.container_id,
        "imageName": info.container_image_name,
        "imageId": info.container_image_id,
        "created": info.container_created,
        "command": cut(info.command, _LONGEST_COMMAND) if has_command else "",
        "tag": origin.tag,
        "metadata": dict(origin.attributes),
    }
    container = orjson.dumps({name: value for name, value in fields.items() if value})
    return PreparedEntries(
        {
            source: b'"container":%b,"source":"%b","message":"' % (container, source.encode())
            for source in ("stdout", "stderr")
        },
        f"{info.container_id}-{origin.birth:x}-".encode(),
    )


def encode_entries(records: Sequence[Record]) -> bytes:
    """Encode entries, of each what is behind `OPENING`; a line that is too long for one is several.

    Ids grow with the records of a container, as entries of the same time are shown in their order.
    """
    digits = THREE_DIGITS
    parts: list[bytes] = []
    lines = strings([record.line for record in records])
    prepared: PreparedEntries | None = None
    source = ""
    second = NO_SECOND
    before_line = identity = stamp = b""
    for number, record in enumerate(records):
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            before_line = record.prepared.before_line[source]
            identity = record.prepared.identity
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            stamp = b',"timestamp":"%b.' % format_second(second).encode()
        if len(record.line) > LONGEST_MESSAGE:
            parts.append(_split(record, f"{format_second(second)}.{nanos:09}Z"))
            parts.append(BETWEEN_RECORDS)
            continue
        parts.extend(
            (
                before_line,
                lines[number],
                b'"}' if record.fields is None and record.severity == 0 else _end_with_more(record),
                stamp,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                digits[nanos % 1_000],
                b'Z","insertId":"',
                identity,
                b'%016x"}' % record.offset,
                BETWEEN_RECORDS,
            )
        )
    return b"".join(parts[:-1])


def severity_of(number: int) -> str:
    """Return the name that Cloud Logging has for a severity, empty for one that is not known."""
    return _SEVERITIES[number] if 0 <= number < len(_SEVERITIES) else ""


def _end_with_more(record: Record) -> bytes:
    """End the line, and the payload with parsed fields, unless they are large: the line has them too."""
    fields = json_of(record.fields) if record.fields else b""
    payload = b'","fields":%b}' % fields if fields and len(fields) <= _LONGEST_FIELDS else b'"}'
    severity = severity_of(record.severity)
    return b'%b,"severity":"%b"' % (payload, severity.encode()) if severity else payload


def _split(record: Record, time: str) -> bytes:
    """Encode a long line as several entries, which Cloud Logging knows to belong together."""
    pieces = _pieces(text(record.line).encode())
    identity = f"{record.prepared.identity.decode()}{record.offset:016x}"
    entries = []
    for index, piece in enumerate(pieces):
        rest = {
            "timestamp": time,
            "insertId": f"{identity}-{index:04x}",
            "split": {"uid": identity, "index": index, "totalSplits": len(pieces)},
        }
        entries.append(
            b"".join(
                (
                    record.prepared.before_line[record.source],
                    orjson.dumps(piece.decode())[1:-1],
                    _end_with_more(record) if record.severity or record.fields else b'"}',
                    b",",
                    orjson.dumps(rest)[1:],
                )
            )
        )
    return BETWEEN_ENTRIES.join(entries)


def _pieces(line: bytes) -> list[bytes]:
    """Cut a line in UTF-8 between characters."""
    pieces = []
    start = 0
    while start < len(line):
        end = min(start + LONGEST_MESSAGE, len(line))
        while end < len(line) and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[start:end])
        start = end
    return pieces

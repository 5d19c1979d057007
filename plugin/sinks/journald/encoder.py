"""Entries of systemd's native protocol, with the fields of Docker's journald driver.

Sources: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/, systemd.journal-fields(7), moby's ``daemon/logger/journald``. This
module also runs compiled (see ``encoder.pxd``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.record_fields import json_of, syslog_level
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_INFO = 6
_ERR = 3

# journald drops fields with longer names, and the whole of an entry with more than 1024 fields, its own included.
_LONGEST_NAME = 64
_MOST_FIELDS = 400

_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")
# Of these journald believes root that an entry is about another process or unit.
_TRUSTED = re.compile(r"(?:OBJECT_|COREDUMP_).*|UNIT|USER_UNIT")
_RENAMED = "FIELD_"
_OF_A_RECORD = frozenset(
    {
        *("MESSAGE", "PRIORITY", "SYSLOG_TIMESTAMP", "CONTAINER_LOG_ORDINAL", "PEAVEY_RECORD_ID", "FIELDS"),
        *("CONTAINER_PARTIAL_MESSAGE", "CONTAINER_PARTIAL_ID", "CONTAINER_PARTIAL_ORDINAL", "CONTAINER_PARTIAL_LAST"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What is constant in a container's entries."""

    fields: bytes
    """All of them, encoded."""
    record_id: bytes
    """The field that names a record, up to its offset."""
    names: frozenset[str]
    """The names of fields that no parsed field may have."""


def field_name(name: str) -> str:
    """Return the name of a field for any text, as Docker's driver makes it; empty for what has no letter or digit.

    Names that journald would refuse, or take for another process's, get ``FIELD_`` in front.
    """
    # Not by upper(), which turns some characters into several and others into letters of ASCII.
    upper = "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in name)
    field = _NOT_IN_NAMES.sub("_", upper).lstrip("_")
    if field[:1].isdigit() or _TRUSTED.fullmatch(field):
        field = _RENAMED + field
    return field[:_LONGEST_NAME]


def field(name: str, value: bytes) -> bytes:
    """Encode a field: as text, or with its length in front where the value has newlines."""
    if b"\n" not in value:
        return b"%b=%b\n" % (name.encode(), value)
    return b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value)


def make_head(origin: Origin) -> Head:
    """Make what is constant for a container; its labels and variables replace no other field."""
    info = origin.info
    fields = {
        "CONTAINER_ID": info.id,
        "CONTAINER_ID_FULL": info.container_id,
        "CONTAINER_NAME": info.name,
        "CONTAINER_TAG": origin.tag,
        "IMAGE_NAME": info.container_image_name,
        "SYSLOG_IDENTIFIER": origin.tag,
        "CONTAINER_LOG_EPOCH": str(origin.birth),
    }
    for name, value in origin.attributes.items():
        own = field_name(name)
        if own and own not in _OF_A_RECORD:
            fields.setdefault(own, value)
    return Head(
        b"".join(field(name, value.encode(errors="replace")) for name, value in fields.items()),
        b"PEAVEY_RECORD_ID=%b/%d/" % (info.container_id.encode(), origin.birth),
        frozenset(fields) | _OF_A_RECORD,
    )


def encode_entries(records: Sequence[Record]) -> list[bytes]:
    """Encode an entry for each record, each in a datagram of its own."""
    digits = THREE_DIGITS
    entries: list[bytes] = []
    head: Head | None = None
    fields = record_id = stamp = b""
    second = NO_SECOND
    for record in records:
        if record.prepared is not head:
            head = record.prepared
            fields, record_id = record.prepared.fields, record.prepared.record_id
        time_nano = record.time_nano
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            stamp = format_second(second).encode()
        nanos = time_nano % 1_000_000_000
        level = _ERR if record.source == "stderr" else _INFO
        if record.severity:
            level = syslog_level(record.severity)
        offset = b"%d" % record.offset
        line = record.line
        entries.append(
            b"".join(
                (
                    fields,
                    b"PRIORITY=%d\nSYSLOG_TIMESTAMP=%b." % (level, stamp),
                    digits[nanos // 1_000_000],
                    digits[nanos // 1_000 % 1_000],
                    digits[nanos % 1_000],
                    b"Z\nCONTAINER_LOG_ORDINAL=",
                    offset,
                    b"\n",
                    record_id,
                    offset,
                    b"\n" if record.part_ordinal == 0 and record.fields is None else _more(record),
                    b"MESSAGE=%b\n" % line if b"\n" not in line else field("MESSAGE", line),
                )
            )
        )
    return entries


def _more(record: Record) -> bytes:
    """Encode what only some records have: what tells parts, and parsed fields, behind the end of the field before."""
    more = [b"\n"]
    if record.part_ordinal:
        more.append(field("CONTAINER_PARTIAL_ID", record.part_id.encode(errors="replace")))
        more.append(b"CONTAINER_PARTIAL_ORDINAL=%d\n" % record.part_ordinal)
        more.append(b"CONTAINER_PARTIAL_LAST=%b\n" % (b"true" if record.part_last else b"false"))
        if not record.part_last:
            more.append(b"CONTAINER_PARTIAL_MESSAGE=true\n")
    if record.fields:
        more.append(_parsed(record.fields, record.prepared.names))
    return b"".join(more)


def _parsed(fields: Mapping[str, Any], taken: frozenset[str]) -> bytes:
    """Encode parsed fields; those of names that are taken are left out, and those beyond 400 are one field, as JSON."""
    encoded: list[bytes] = []
    used = set(taken)
    rest: dict[str, Any] = {}
    for name, value in fields.items():
        own = field_name(name)
        if value is None or not own or own in used:
            continue
        if len(encoded) >= _MOST_FIELDS:
            rest[name] = value
            continue
        used.add(own)
        encoded.append(field(own, value.encode(errors="replace") if isinstance(value, str) else json_of(value)))
    if rest:
        encoded.append(field("FIELDS", json_of(rest)))
    return b"".join(encoded)

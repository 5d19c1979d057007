"""GELF 1.1 messages with the fields of Docker's gelf driver, and the time down to the nanosecond.

Source: moby's ``daemon/logger/gelf``. This module also runs compiled (see ``encoder.pxd``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.bounds import cut
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import json_of, syslog_level
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS, before_1970

_INFO = 6
_ERR = 3

_NO_TIME = "0001-01-01T00:00:00Z"

_PIECES = 7
_LONGEST_COMMAND = 8192

# What Java's Character.isWhitespace finds, by which Graylog refuses a message as empty; Python's idea differs.
_is_blank = re.compile(
    rb"(?:[\t-\r\x1c- ]|\xe1\x9a\x80|\xe2\x80[\x80-\x86\x88-\x8a\xa8\xa9]|\xe2\x81\x9f|\xe3\x80\x80)*"
).fullmatch
_BLANK_STARTS = bytes((*range(0x09, 0x0E), *range(0x1C, 0x21), 0xE1, 0xE2, 0xE3))

# What Graylog takes in the name of a field; it drops fields with other names.
_UNNAMEABLE = re.compile(r"[^\w.-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """A container's message without its line and time: what stands before, and at the end, by source."""

    start: bytes
    out: bytes
    err: bytes
    identity: bytes
    """Of the container and its journal, for ids of chunked messages."""
    fields: bytes
    """All fields at the end, behind the level."""
    names: frozenset[str]
    """Their names."""


def prepare_frame(origin: Origin, end: bytes) -> Frame:
    """Write all fields but the line and its time; ``end`` ends each message."""
    info = origin.info
    extra = {
        "_command": cut(info.command, _LONGEST_COMMAND),
        "_container_id": info.container_id,
        "_container_name": info.name,
        "_created": info.container_created or _NO_TIME,
        "_image_id": info.container_image_id,
        "_image_name": info.container_image_name,
        "_tag": origin.tag,
        **{_field(name): value for name, value in origin.attributes.items()},
    }
    fields = orjson.dumps(extra, option=orjson.OPT_SORT_KEYS)[1:]
    return Frame(
        start=b'{"version":"1.1","host":' + orjson.dumps(origin.host.strip() or "localhost") + b',"short_message":"',
        out=b',"level":%d,%b%b' % (_INFO, fields, end),
        err=b',"level":%d,%b%b' % (_ERR, fields, end),
        identity=f"{info.container_id} {origin.birth}".encode(),
        fields=fields + end,
        names=frozenset(extra),
    )


def _field(name: str) -> str:
    """Name the field of an attribute as Docker's driver does; ``_id``, which GELF forbids, gains one more ``_``.

    What GELF does not allow in a name becomes ``_``.
    """
    name = _UNNAMEABLE.sub("_", name)
    field = name if name.startswith("_") else f"_{name}"
    return "__id" if field == "_id" else field


def is_blank(line: bytes) -> bool:
    """Return whether Graylog would refuse a line as empty."""
    return not line or (line[0] in _BLANK_STARTS and _is_blank(line) is not None)


def encode_stream(records: Sequence[Record]) -> bytes:
    """Write the messages one behind the other; blank lines are left out: Graylog refuses them."""
    return b"".join(_pieces(records))


def encode_each(records: Sequence[Record]) -> list[bytes]:
    """Write a message for each line that is not blank."""
    pieces = _pieces(records)
    return [b"".join(pieces[start : start + _PIECES]) for start in range(0, len(pieces), _PIECES)]


def _pieces(records: Sequence[Record]) -> list[bytes]:
    """Return the pieces of all messages, `_PIECES` of each."""
    pieces: list[bytes] = []
    lines = strings([record.line for record in records])
    digits, blank_starts = THREE_DIGITS, _BLANK_STARTS
    frame: Frame | None = None
    source = ""
    second = NO_SECOND
    start = before_fraction = end = b""
    for number, record in enumerate(records):
        line = lines[number]
        if not line or (record.line[0] in blank_starts and _is_blank(record.line) is not None):
            continue
        if record.prepared is not frame or record.source != source:
            frame, source = record.prepared, record.source
            start = record.prepared.start
            end = record.prepared.err if source == "stderr" else record.prepared.out
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second or time_nano < 0:
            second = time_nano // 1_000_000_000
            seconds = b"%d." % second
            if time_nano < 0:
                seconds, nanos = before_1970(time_nano)
            before_fraction = b'","timestamp":' + seconds
        pieces.extend(
            (
                start,
                line,
                before_fraction,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                digits[nanos % 1_000],
                end if record.fields is None and record.severity == 0 else _end_with_more(record),
            )
        )
    return pieces


def _end_with_more(record: Record) -> bytes:
    """Write level and fields of a record that has some of its own; the container's stay where names are the same.

    Values are texts or numbers, as GELF wants them.
    """
    frame: Frame = record.prepared
    own: dict[str, object] = {}
    for name, value in (record.fields or {}).items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (field := _field(name)) not in frame.names and value is not None:
            own[field] = value if isinstance(value, str) or is_number else json_of(value).decode()
    level = syslog_level(record.severity) if record.severity else _ERR if record.source == "stderr" else _INFO
    return b',"level":%d,%b%b' % (level, json_of(own)[1:-1] + b"," if own else b"", frame.fields)

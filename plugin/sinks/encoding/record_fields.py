"""What transforms have made of a record, fields and a severity, as destinations want them."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from plugin.records.record import Record
from plugin.sinks.encoding.severity import severity_name

_SYSLOG = (6, *[7] * 8, 6, 5, 5, 5, 4, 4, 4, 4, 3, 2, 1, 1, 2, 2, 2, 2)


def syslog_level(severity: int) -> int:
    """Return the level of syslog (RFC 5424, GELF) for a severity: 0 to 7.

    As OpenTelemetry's data model has it, except that FATAL is 2, critical: 0 is for a system that is unusable, and is
    shown to everybody who is logged in.
    """
    return _SYSLOG[severity] if 0 <= severity < len(_SYSLOG) else 6


def level_of(record: Record) -> str:
    """Return the name of a record's severity in small letters, empty if it has none."""
    return severity_name(record.severity).lower() if record.severity else ""


def json_of(value: Any) -> bytes:
    """Write fields, or the value of one, as JSON."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return json.dumps(value, default=str).encode()


def members_of(record: Record) -> bytes:
    """Write ``"level"`` and ``"fields"`` as further members of a JSON object, each with a comma in front."""
    level = level_of(record)
    members = b',"level":"%b"' % level.encode() if level else b""
    return members + b',"fields":' + json_of(record.fields) if record.fields else members


def texts_of(record: Record) -> dict[str, str]:
    """Return fields as texts, and the severity as ``level`` unless there is one; JSON of what is more than a text."""
    level = level_of(record)
    texts = {"level": level} if level else {}
    return texts | {name: _text(value) for name, value in (record.fields or {}).items()}


def with_level(record: Record) -> Mapping[str, Any]:
    """Return the fields as they are, and the severity as ``level`` unless there is one."""
    level = level_of(record)
    return ({"level": level} if level else {}) | (record.fields or {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_of(value).decode()

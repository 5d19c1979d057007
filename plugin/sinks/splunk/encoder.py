"""Events for Splunk's HTTP event collector, in the three formats of Docker's driver.

Source: ``daemon/logger/splunk/splunk.go`` in moby. Times have nine digits after the point, six there.

This module also runs compiled (see ``encoder.pxd``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.text import text
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS, before_1970

_JSON_STARTS = b'{["-0123456789tfn \t\r'


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFields:
    """What is the same for all events of a destination; empty fields are left out."""

    source: str
    source_type: str
    index: str


@dataclass(frozen=True, slots=True)
class PreparedEvents:
    """What is the same for all events of a container."""

    prefix: bytes
    """What comes before the line in the format raw."""
    after_line: dict[str, bytes]
    """By source: from the line to the time."""
    after_time: bytes


Encoder = Callable[[Sequence[Record]], bytes]


def prepare_events(origin: Origin, fields: EventFields) -> PreparedEvents:
    """Make what is the same for all events of a container."""
    extra: dict[str, object] = {}
    if origin.tag:
        extra["tag"] = origin.tag
    if origin.attributes:
        extra["attrs"] = dict(sorted(origin.attributes.items()))
    after: dict[str, object] = {"host": origin.host}
    constants = {"source": fields.source, "sourcetype": fields.source_type, "index": fields.index}
    after |= {name: value for name, value in constants.items() if value}
    words = [origin.tag] if origin.tag else []
    words += [f"{name}={value}" for name, value in sorted(origin.attributes.items())]
    return PreparedEvents(
        prefix="".join(f"{word} " for word in words).encode(errors="replace"),
        after_line={source: _rest({"source": source, **extra}) + b',"time":"' for source in ("stdout", "stderr")},
        after_time=b'"' + _rest(after),
    )


def _rest(fields: dict[str, object]) -> bytes:
    """Write fields as the rest of an object that has some already."""
    return b"," + orjson.dumps(fields)[1:]


def encode_inline(records: Sequence[Record]) -> bytes:
    """Encode events whose ``line`` is a text."""
    return _encode(records, strings([record.line for record in records]), b'{"event":{"line":"', b'"', True)


def encode_json(records: Sequence[Record]) -> bytes:
    """Encode events whose ``line`` is the JSON that was written, where it is JSON, else a text."""
    found = [_json(record.line) for record in records]
    texts = iter(strings([record.line for record, value in zip(records, found, strict=True) if value is None]))
    values = [b'"%b"' % next(texts) if value is None else value for value in found]
    return _encode(records, values, b'{"event":{"line":', b"", True)


def encode_raw(records: Sequence[Record]) -> bytes:
    """Encode events that are texts: tag, attributes and line. Blank lines are left out: Splunk would refuse them."""
    kept = [record for record in records if not _is_blank(record.line)]
    texts = strings([record.prepared.prefix + record.line for record in kept])
    return _encode(kept, texts, b'{"event":"', b'"', False)


def _encode(records: Sequence[Record], values: list[bytes], opening: bytes, closing: bytes, is_object: bool) -> bytes:
    """Put each value between ``opening`` and ``closing`` into its event, which is an object with more fields or not."""
    parts: list[bytes] = []
    digits = THREE_DIGITS
    prepared: PreparedEvents | None = None
    source = ""
    second = NO_SECOND
    after_value = begin = after_time = b""
    for number, record in enumerate(records):
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            after_value = closing + (record.prepared.after_line[source] if is_object else b',"time":"')
            after_time = record.prepared.after_time
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second or time_nano < 0:
            second = time_nano // 1_000_000_000
            begin = b"%d." % second
            if time_nano < 0:
                begin, nanos = before_1970(time_nano)
        parts.extend(
            (
                opening,
                values[number],
                after_value
                if not is_object or (record.fields is None and record.severity == 0)
                else closing + members_of(record) + record.prepared.after_line[source],
                begin,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                digits[nanos % 1_000],
                after_time,
            )
        )
    return b"".join(parts)


ENCODERS: dict[str, Encoder] = {"inline": encode_inline, "json": encode_json, "raw": encode_raw}


def _json(line: bytes) -> bytes | None:
    """Return the JSON that a line is, None if it is none."""
    if line[:1] in _JSON_STARTS:
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
        else:
            # Not written again, so that numbers keep all their digits.
            return line.strip(b" \t\r\n")
    return None


def _is_blank(line: bytes) -> bool:
    return not text(line).strip()

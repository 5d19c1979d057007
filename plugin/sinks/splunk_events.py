"""Events for Splunk's HTTP event collector, in the three formats of Docker's driver.

Source: ``daemon/logger/splunk/splunk.go`` in moby. Times have nine digits after the point, six there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from plugin.sinks.base import Origin, Record
from plugin.sinks.text import text

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

    prefix: str
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
        prefix="".join(f"{word} " for word in words),
        after_line={source: _rest({"source": source, **extra}) + b',"time":"' for source in ("stdout", "stderr")},
        after_time=b'"' + _rest(after),
    )


def _rest(fields: dict[str, object]) -> bytes:
    """Write fields as the rest of an object that has some already."""
    return b"," + orjson.dumps(fields)[1:]


def encode_inline(records: Sequence[Record]) -> bytes:
    """Encode events whose ``line`` is a text."""
    return _encode_lines(records, _text)


def encode_json(records: Sequence[Record]) -> bytes:
    """Encode events whose ``line`` is the JSON that was written, where it is JSON, else a text."""
    return _encode_lines(records, _json_or_text)


def _encode_lines(records: Sequence[Record], write: Callable[[bytes], bytes]) -> bytes:
    parts: list[bytes] = []
    for record in records:
        prepared = record.prepared
        moment = b"%010d" % record.time_nano
        parts += (
            b'{"event":{"line":',
            write(record.line),
            prepared.after_line[record.source],
            moment[:-9],
            b".",
            moment[-9:],
            prepared.after_time,
        )
    return b"".join(parts)


def encode_raw(records: Sequence[Record]) -> bytes:
    """Encode events that are texts: tag, attributes and line. Blank lines are left out: Splunk would refuse them."""
    parts: list[bytes] = []
    dumps = orjson.dumps
    for record in records:
        line = text(record.line)
        if not line or line.isspace():
            continue
        prepared = record.prepared
        moment = b"%010d" % record.time_nano
        parts += (
            b'{"event":',
            dumps(prepared.prefix + line),
            b',"time":"',
            moment[:-9],
            b".",
            moment[-9:],
            prepared.after_time,
        )
    return b"".join(parts)


ENCODERS: dict[str, Encoder] = {"inline": encode_inline, "json": encode_json, "raw": encode_raw}


def _json_or_text(line: bytes) -> bytes:
    if line[:1] in _JSON_STARTS:
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
        else:
            # Not written anew, so that numbers keep all their digits.
            return line.strip(b" \t\r\n")
    return _text(line)


def _text(line: bytes) -> bytes:
    return orjson.dumps(text(line))

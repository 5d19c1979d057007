"""Events for Splunk's HTTP event collector, in the three formats of Docker's driver.

Source: ``daemon/logger/splunk/splunk.go`` in moby. Times have nine digits after the point, six there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from plugin.sinks.base import Origin, Record
from plugin.sinks.json_strings import strings
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
    return _encode_lines(records, _texts([record.line for record in records]))


def encode_json(records: Sequence[Record]) -> bytes:
    """Encode events whose ``line`` is the JSON that was written, where it is JSON, else a text."""
    found = [_json(record.line) for record in records]
    texts = iter(_texts([record.line for record, value in zip(records, found, strict=True) if value is None]))
    return _encode_lines(records, [next(texts) if value is None else value for value in found])


def _encode_lines(records: Sequence[Record], values: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for record, value in zip(records, values, strict=True):
        prepared = record.prepared
        moment = b"%010d" % record.time_nano
        parts += (
            b'{"event":{"line":',
            value,
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
    kept = [record for record in records if not _is_blank(record.line)]
    texts = _texts([record.prepared.prefix + record.line for record in kept])
    for record, event in zip(kept, texts, strict=True):
        moment = b"%010d" % record.time_nano
        parts += (
            b'{"event":',
            event,
            b',"time":"',
            moment[:-9],
            b".",
            moment[-9:],
            record.prepared.after_time,
        )
    return b"".join(parts)


ENCODERS: dict[str, Encoder] = {"inline": encode_inline, "json": encode_json, "raw": encode_raw}


def _json(line: bytes) -> bytes | None:
    """Give the JSON that a line is, None if it is none."""
    if line[:1] in _JSON_STARTS:
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
        else:
            # Not written anew, so that numbers keep all their digits.
            return line.strip(b" \t\r\n")
    return None


def _texts(lines: Sequence[bytes]) -> list[bytes]:
    return [b'"%b"' % string for string in strings(lines)]


def _is_blank(line: bytes) -> bool:
    return not text(line).strip()

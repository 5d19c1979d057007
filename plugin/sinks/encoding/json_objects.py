"""Records as JSON objects: end to end, or one by one. Also runs compiled (see ``json_objects.pxd``)."""

from collections.abc import Mapping, Sequence

import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]


def after_lines(fields: Mapping[str, object], before_offset: bytes) -> dict[str, bytes]:
    """Return what follows a line in its object, by source: ``fields``, which all have, and what leads to the offset."""
    return {
        source: b'",%b,%b' % (orjson.dumps({"source": source, **fields})[1:-1], before_offset)
        for source in ("stdout", "stderr")
    }


def fields_after_line(origin: Origin, fields: Mapping[str, object]) -> dict[str, bytes]:
    """Return what follows a line up to its offset in an ``id``, by source: see `after_lines`.

    The id is the same whenever the record is sent and that of no other: the container's short id, the birth of its
    journal and the offset there.
    """
    return after_lines(fields, f'"id":"{origin.info.id}-{origin.birth:x}-'.encode())


def join_objects(records: Sequence[Record], opening: bytes, separator: bytes, closing: bytes) -> bytes:
    """Write records as objects in UTF-8 with an ``id``, with ``separator`` between them.

    What is prepared for each has what `fields_after_line` returns, as ``after_line``.
    """
    return _join(records, b'"', opening, separator, closing)


def encode_objects(records: Sequence[Record], ending: bytes) -> list[bytes]:
    """Encode each record as an object in UTF-8.

    What is prepared for each has what `after_lines` returns, as ``after_line``; ``ending`` follows the offset.
    """
    return _join(records, ending, b"", b"\n", b"").split(b"\n") if records else []  # none has a line feed in itself


def _join(records: Sequence[Record], ending: bytes, opening: bytes, separator: bytes, closing: bytes) -> bytes:
    """Write objects of time, line, what the lines of their container share, offset, ``ending``, level and fields.

    ``timestamp`` is RFC 3339 in UTC with nine digits after the point.
    """
    parts = [opening]
    lines = strings([record.line for record in records])
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    prepared: object = None
    source = ""
    second = NO_SECOND
    begin = after_line = b""
    end = ending + b"}"
    for number, record in enumerate(records):
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            after_line = record.prepared.after_line[source]
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            begin = f'{{"timestamp":"{format_second(second)}.'.encode()
        parts.extend(
            (
                begin,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                last_digits[nanos % 1_000],
                lines[number],
                after_line,
                b"%d" % record.offset,
                end if record.fields is None and record.severity == 0 else ending + members_of(record) + b"}",
                separator,
            )
        )
    parts[-1] = closing
    return b"".join(parts)

"""Records as JSON objects. Also runs compiled (see ``json_objects.pxd``)."""

from collections.abc import Mapping, Sequence

import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]


def fields_after_line(origin: Origin, fields: Mapping[str, object]) -> dict[str, bytes]:
    """Return what follows a line up to its offset, by source: ``fields`` are the same for all lines of a container."""
    id_field = f',"id":"{origin.info.id}-{origin.birth:x}-'.encode()
    return {
        source: b'",' + orjson.dumps({"source": source, **fields})[1:-1] + id_field for source in ("stdout", "stderr")
    }


def encode_objects(records: Sequence[Record], opening: bytes, separator: bytes, closing: bytes) -> bytes:
    """Write records as JSON objects in UTF-8, with ``separator`` between them.

    ``timestamp`` is RFC 3339 in UTC with nine digits after the point. ``id`` is the same whenever the record is sent
    and that of no other: the container's short id, the birth of its journal and the offset there. What is prepared for
    each record has what `fields_after_line` gives, as ``after_line``.
    """
    parts = [opening]
    lines = strings([record.line for record in records])
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    prepared: object = None
    source = ""
    second = NO_SECOND
    begin = after_line = b""
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
                b'%d"}' % record.offset if record.fields is None and record.severity == 0 else _end_with_more(record),
                separator,
            )
        )
    parts[-1] = closing
    return b"".join(parts)


def _end_with_more(record: Record) -> bytes:
    """Write the end of an object that has a level or fields."""
    return b'%d"%b}' % (record.offset, members_of(record))

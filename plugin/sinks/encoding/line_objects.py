"""Records as objects of JSON, one each, for the sinks that put one or many into a message.

This module also runs compiled (see ``line_objects.pxd``).
"""

from collections.abc import Mapping, Sequence

import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]


def after_lines(fields: Mapping[str, object], before_offset: bytes) -> dict[str, bytes]:
    """Make what follows a line in its object, by source: ``fields``, which all have, and what leads to the offset."""
    return {
        source: b'",%b,%b' % (orjson.dumps({"source": source, **fields})[1:-1], before_offset)
        for source in ("stdout", "stderr")
    }


def encode_objects(records: Sequence[Record], ending: bytes) -> list[bytes]:
    """Encode each record as an object in UTF-8: time, line, what its container's lines share, offset, level, fields.

    The ``prepared`` of each has ``after_line``, made by `after_lines`; ``ending`` follows the offset.
    """
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    lines = strings([record.line for record in records])
    objects: list[bytes] = []
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
        objects.append(
            b"".join(
                (
                    begin,
                    digits[nanos // 1_000_000],
                    digits[nanos // 1_000 % 1_000],
                    last_digits[nanos % 1_000],
                    lines[number],
                    after_line,
                    b"%d" % record.offset,
                    end if record.fields is None and record.severity == 0 else ending + members_of(record) + b"}",
                )
            )
        )
    return objects


def ends_of_messages(objects: Sequence[bytes], most: int, room: int) -> list[int]:
    """Return where messages end that hold ``most`` objects each; one ends early once it fills ``room`` bytes."""
    if most == 1:
        return list(range(1, len(objects) + 1))
    ends: list[int] = []
    start = size = 0
    for number, text in enumerate(objects):
        if number - start == most or size >= room:
            ends.append(number)
            start, size = number, 0
        size += len(text)
    if objects:
        ends.append(len(objects))
    return ends

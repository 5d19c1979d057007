"""Records as messages: lines of JSON, and what of the records says where a container's messages go on.

This module also runs compiled (see ``encoder.pxd``).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack
import msgspec
import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """Where a container's messages go, and what is constant for its lines."""

    subject: str
    id: str
    """Names the container and its journal for good."""
    name: str
    after_line: Mapping[str, bytes]
    """What follows a line up to its offset, by source."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published at once: lines of one container.

    ``places`` are end and offset of each line's record, in turn.
    """

    subject: str
    container: str
    name: str
    places: "array[int]"
    text: bytes


def make_container(subject: str, id_: str, name: str, fields: Mapping[str, object]) -> Container:
    """Make what is the same for all records of a container; ``fields`` are of each line."""
    after = {source: orjson.dumps({"source": source, **fields})[1:-1] for source in ("stdout", "stderr")}
    return Container(subject, id_, name, {source: b'",' + text for source, text in after.items()})


def encode_messages(records: Sequence[Record], most: int) -> bytes:
    """Encode messages of at most ``most`` lines each, container by container, as `messages` takes them apart."""
    groups: dict[Container, list[Record]] = {}
    group: list[Record] = []
    container: Container | None = None
    for record in records:
        if record.prepared is not container:
            container = record.prepared
            group = groups.setdefault(record.prepared, [])
        group.append(record)
    parts: list[bytes] = []
    for container, of_container in groups.items():
        start = 0
        while start < len(of_container):
            text, end = encode_lines(of_container, start, most, _MOST_BYTES)
            places = places_of(of_container, start, end).tobytes()
            parts.append(msgpack.packb((container.subject, container.id, container.name, places, text)))
            start = end
    return b"".join(parts)


def places_of(records: list[Record], start: int, end: int) -> "array[int]":
    """List where these records end, and their offsets, in turn."""
    numbers: list[int] = []
    for record in records[start:end]:
        numbers.append(record.end)
        numbers.append(record.offset)
    return array("q", numbers)


def encode_lines(records: list[Record], start: int, most: int, room: int) -> tuple[bytes, int]:
    """Encode the records from ``start`` on, ``most`` of them, as objects with a newline behind each.

    Ends early once they fill ``room`` bytes. Returns the text, and where it ends.
    """
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    parts: list[bytes] = []
    source = ""
    second = NO_SECOND
    begin = after_line = b""
    count = 0
    chosen = records[start : start + most]
    lines = strings([record.line for record in chosen])
    for record in chosen:
        if record.source != source:
            source = record.source
            after_line = record.prepared.after_line[source]
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            begin = f'{{"timestamp":"{format_second(second)}.'.encode()
        line = lines[count]
        parts.extend(
            (
                begin,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                last_digits[nanos % 1_000],
                line,
                after_line,
            )
        )
        room -= len(line) + len(after_line)
        if record.severity:
            parts.append(b',"severity":%d' % record.severity)
        if record.fields is not None:
            fields = msgspec.json.encode(record.fields)
            parts.extend((b',"fields":', fields))
            room -= len(fields)
        parts.append(f',"offset":{record.offset}}}\n'.encode())
        count += 1
        if room <= 0:
            break
    return b"".join(parts), start + count


def messages(payload: bytes) -> Iterator[Message]:
    """Take a payload apart again."""
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=max(1, len(payload)))
    unpacker.feed(payload)
    for subject, container, name, places, text in unpacker:
        yield Message(subject, container, name, array("q", places), text)


def without_first(message: Message, count: int) -> Message:
    """Leave out the first lines of a message."""
    text = message.text.split(b"\n", count)[count]
    return Message(message.subject, message.container, message.name, message.places[2 * count :], text)

"""Records as messages: lines of JSON, and what of the records says where a container's messages go on.

This module also runs compiled (see ``encoder.pxd``).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from plugin.records.record import Record
from plugin.sinks.encoding.json_objects import after_lines, encode_objects
from plugin.sinks.encoding.message_ends import ends_of_messages

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
    return Container(subject, id_, name, after_lines(fields, b'"offset":'))


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
        lines = encode_objects(of_container, b"")
        start = 0
        for end in ends_of_messages(lines, most, _MOST_BYTES):
            text = b"".join((b"\n".join(lines[start:end]), b"\n"))
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

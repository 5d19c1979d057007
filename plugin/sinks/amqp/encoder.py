"""Records as messages: lines of JSON, each message of one container."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from plugin.records.record import Record
from plugin.sinks.encoding.json_objects import after_lines, encode_objects

_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where a container's messages go, and what is constant for its lines."""

    exchange: str
    routing_key: str
    identity: str
    """Names the container and its journal for good: with a record's offset behind it, the record."""
    after_line: Mapping[str, bytes]
    """What follows a line up to its offset, by source."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published at once: ``lines`` lines of one container, the first of which the id names."""

    exchange: str
    routing_key: str
    id: str
    second: int
    lines: int
    text: bytes


def make_route(exchange: str, routing_key: str, identity: str, fields: Mapping[str, object]) -> Route:
    """Make what is the same for all records of a container; ``fields`` are of each line."""
    return Route(exchange, routing_key, identity, after_lines(fields, b'"id":"%b' % identity.encode()))


def encode_messages(records: Sequence[Record], most: int) -> bytes:
    """Encode messages of at most ``most`` lines each, in order of their first records, as `messages` reads them.

    With one line each, all keep their order; else the lines of each container do.
    """
    groups: dict[Route, list[int]] = {}
    chunks: list[list[int]] = []
    sizes: dict[Route, int] = {}
    texts = encode_objects(records, b'"')
    for number, record in enumerate(records):
        route = record.prepared
        chunk = groups.get(route)
        if chunk is None or len(chunk) >= most or sizes[route] >= _MOST_BYTES:
            chunk = groups[route] = []
            sizes[route] = 0
            chunks.append(chunk)
        chunk.append(number)
        sizes[route] += len(texts[number])
    parts: list[bytes] = []
    for chunk in chunks:
        first = records[chunk[0]]
        route = first.prepared
        text = texts[chunk[0]] if len(chunk) == 1 else b"\n".join([texts[number] for number in chunk])
        id_ = f"{route.identity}{first.offset}"
        second = first.time_nano // 1_000_000_000
        parts.append(msgpack.packb((route.exchange, route.routing_key, id_, second, len(chunk), text)))
    return b"".join(parts)


def messages(payload: bytes) -> Iterator[Message]:
    """Take a payload apart again."""
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=max(1, len(payload)))
    unpacker.feed(payload)
    for parts in unpacker:
        yield Message(*parts)

"""Records as messages: lines of JSON, each message of one container. Also runs compiled (see ``encoder.pxd``)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack
import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]
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
    after = {
        source: b'",%b,"id":"%b' % (orjson.dumps({"source": source, **fields})[1:-1], identity.encode())
        for source in ("stdout", "stderr")
    }
    return Route(exchange, routing_key, identity, after)


def encode_messages(records: Sequence[Record], most: int) -> bytes:
    """Encode messages of at most ``most`` lines each, in order of their first records, as `messages` reads them.

    With one line each, all keep their order; else the lines of each container do.
    """
    groups: dict[Route, list[int]] = {}
    chunks: list[list[int]] = []
    sizes: dict[Route, int] = {}
    texts = encode_lines(records)
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


def encode_lines(records: Sequence[Record]) -> list[bytes]:
    """Encode an object for each record."""
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    lines = strings([record.line for record in records])
    objects: list[bytes] = []
    route: Route | None = None
    source = ""
    second = NO_SECOND
    begin = after_line = b""
    for number, record in enumerate(records):
        if record.prepared is not route or record.source != source:
            route, source = record.prepared, record.source
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
                    b'%d"' % record.offset,
                    b"}" if record.fields is None and record.severity == 0 else members_of(record) + b"}",
                )
            )
        )
    return objects


def messages(payload: bytes) -> Iterator[Message]:
    """Take a payload apart again."""
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=max(1, len(payload)))
    unpacker.feed(payload)
    for parts in unpacker:
        yield Message(*parts)

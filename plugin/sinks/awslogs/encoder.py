"""Batches as requests of PutLogEvents, with the messages of Docker's awslogs driver.

Sources: "PutLogEvents" in the API reference of CloudWatch Logs, moby's ``daemon/logger/awslogs``. This module also runs
compiled (see ``encoder.pxd``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgpack
import orjson

from plugin.records.record import Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.text import text
from plugin.sinks.encoding.timestamps import tell_out_of_range

EVENT_OVERHEAD = 26
"""Bytes that an event counts besides its message in UTF-8."""
LONGEST_MESSAGE = 262_144 - EVENT_OVERHEAD
MOST_BYTES = 1_048_576
MOST_EVENTS = 10_000
LONGEST_SPAN = 24 * 3600 * 1000
"""Milliseconds between the first and the last event of a request."""
BETWEEN_EVENTS = b",\n"
"""What parts the events of a request; JSON has no newline in itself."""

_END = b'"}' + BETWEEN_EVENTS


@dataclass(frozen=True, slots=True, eq=False)
class LogStream:
    """Where a container's events go."""

    name: str
    container_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, taken apart again: how many records it was made of, and by stream the events of each request."""

    records: int
    requests: dict[str, list[bytes]]


def encode_batch(records: Sequence[Record]) -> bytes:
    """Encode events stream by stream, each in the order of their milliseconds, in as many requests as limits ask for.

    An empty line is left out, as CloudWatch Logs takes none, and one that is too long for an event is several.
    """
    streams: dict[str, list[tuple[int, int, bytes]]] = {}
    lines = strings([record.line for record in records])
    prepared: LogStream | None = None
    events: list[tuple[int, int, bytes]] = []
    for number, record in enumerate(records):
        if record.prepared is not prepared:
            prepared = record.prepared
            events = streams.setdefault(record.prepared.name, [])
        line = record.line
        milliseconds = record.time_nano // 1_000_000
        if milliseconds < 0:
            tell_out_of_range(record.prepared.container_id, "awslogs", record.time_nano)
            milliseconds = 0
        if record.fields:
            events.extend(_pieces(milliseconds, _with_fields(record)))
            continue
        size = len(line) if line.isascii() else len(text(line).encode())
        if size > LONGEST_MESSAGE:
            events.extend(_pieces(milliseconds, text(line).encode()))
        elif size:
            events.append((milliseconds, size, lines[number]))
    requests = {name: list(_requests(found)) for name, found in streams.items() if found}
    packed: bytes = msgpack.packb((len(records), requests))
    return packed


def read_batch(payload: bytes) -> Batch:
    """Take apart what `encode_batch` has made."""
    records, requests = msgpack.unpackb(payload)
    return Batch(records, requests)


def _requests(events: list[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """Yield events as JSON with `BETWEEN_EVENTS` between them, as many at once as a request may have."""
    events.sort(key=itemgetter(0))
    parts: list[bytes] = []
    count = total = 0
    first = last = -1
    begin = b""
    for milliseconds, size, message in events:
        total += size + EVENT_OVERHEAD
        if count == MOST_EVENTS or total > MOST_BYTES or milliseconds - first > LONGEST_SPAN:
            if count:
                yield b"".join(parts)[: -len(BETWEEN_EVENTS)]
            parts = []
            count = 0
            first = milliseconds
            total = size + EVENT_OVERHEAD
        if milliseconds != last:
            last = milliseconds
            begin = b'{"timestamp":%d,"message":"' % milliseconds
        parts.extend((begin, message, _END))
        count += 1
    yield b"".join(parts)[: -len(BETWEEN_EVENTS)]


def _with_fields(record: Record) -> bytes:
    """Write a line that has parsed fields as a JSON object, of which CloudWatch Logs Insights finds the members."""
    return b'{"log":%b%b}' % (orjson.dumps(text(record.line)), members_of(record))


def _pieces(milliseconds: int, message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield a message in UTF-8 as events, cut between characters."""
    start = 0
    while start < len(message):
        end = min(start + LONGEST_MESSAGE, len(message))
        while end < len(message) and message[end] & 0xC0 == 0x80:
            end -= 1
        yield milliseconds, end - start, orjson.dumps(text(message[start:end]))[1:-1]
        start = end

"""Records as messages of Kafka: runs of one container's lines, each a value with what is the same for all of them.

This module also runs compiled (see ``encoder.pxd``).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack
import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import json_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","log":"' for digits in THREE_DIGITS]


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """Where a container's lines go, and what is constant for them."""

    topic: str
    key: bytes
    """Empty for none."""
    id: str
    """Names the container and its journal for good."""
    headers: Mapping[str, Sequence[tuple[str, bytes]]]
    """The headers of each record, by source."""
    after_line: Mapping[str, bytes]
    """What follows a line up to its offset, by source; nothing where the line alone is sent."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lines of one container and one source that follow one another; ``times`` are in milliseconds since 1970 UTC."""

    topic: str
    key: bytes
    container: str
    headers: Sequence[tuple[str, bytes]]
    times: "array[int]"
    offsets: "array[int]"
    values: Sequence[bytes]


def make_container(
    topic: str, key: bytes, id_: str, headers: Mapping[str, str], fields: Mapping[str, object], *, as_json: bool
) -> Container:
    """Make what is the same for all records of a container; ``fields`` are of each line, where it is an object."""
    named = [(name, value.encode(errors="replace")) for name, value in headers.items()]
    by_source: dict[str, Sequence[tuple[str, bytes]]] = {}
    after: dict[str, bytes] = {}
    for source in ("stdout", "stderr"):
        by_source[source] = named if as_json else [*named, ("source", source.encode())]
        after[source] = b'",' + orjson.dumps({"source": source, **fields})[1:-1] if as_json else b""
    return Container(topic, key, id_, by_source, after)


def encode_runs(records: Sequence[Record], *, as_json: bool) -> bytes:
    """Encode runs of records, as `runs` takes them apart."""
    values = encode_objects(records) if as_json else [record.line for record in records]
    parts: list[bytes] = []
    start = 0
    while start < len(records):
        end = end_of_run(records, start)
        of_run = records[start:end]
        first = of_run[0]
        container: Container = first.prepared
        parts.append(
            msgpack.packb(
                (
                    container.topic,
                    container.key,
                    container.id,
                    container.headers[first.source],
                    array("q", [record.time_nano // 1_000_000 for record in of_run]).tobytes(),
                    array("q", [record.offset for record in of_run]).tobytes(),
                    values[start:end],
                )
            )
        )
        start = end
    return b"".join(parts)


def end_of_run(records: Sequence[Record], start: int) -> int:
    """Return where the records end that are of the same container and source as the first."""
    first = records[start]
    end = start + 1
    while end < len(records):
        record = records[end]
        if record.prepared is not first.prepared or record.source != first.source:
            break
        end += 1
    return end


def encode_objects(records: Sequence[Record]) -> list[bytes]:
    """Encode each record as an object of JSON in UTF-8."""
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    values: list[bytes] = []
    prepared: Container | None = None
    source = ""
    second = NO_SECOND
    begin = after_line = b""
    lines = strings([record.line for record in records])
    for number, record in enumerate(records):
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            after_line = record.prepared.after_line[source]
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            begin = f'{{"timestamp":"{format_second(second)}.'.encode()
        values.append(
            b"".join(
                (
                    begin,
                    digits[nanos // 1_000_000],
                    digits[nanos // 1_000 % 1_000],
                    last_digits[nanos % 1_000],
                    lines[number],
                    after_line,
                    b"" if record.fields is None and record.severity == 0 else more_of(record),
                    b',"offset":%d}' % record.offset,
                )
            )
        )
    return values


def more_of(record: Record) -> bytes:
    """Write severity and fields, as far as there are any, as members of an object with a comma in front."""
    severity = b',"severity":%d' % record.severity if record.severity else b""
    return severity if record.fields is None else severity + b',"fields":' + json_of(record.fields)


def runs(payload: bytes) -> Iterator[Run]:
    """Take apart what `encode_runs` has made."""
    unpacker = msgpack.Unpacker(max_buffer_size=0, use_list=False)
    unpacker.feed(payload)
    for topic, key, container, headers, times, offsets, values in unpacker:
        yield Run(topic, key, container, headers, array("q", times), array("q", offsets), values)

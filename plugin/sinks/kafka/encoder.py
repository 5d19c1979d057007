"""Records as messages of Kafka: runs of one container's lines, each message a line or several.

This module also runs compiled (see ``encoder.pxd``).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from plugin.records.record import Record
from plugin.sinks.encoding.json_objects import after_lines, encode_objects
from plugin.sinks.encoding.message_ends import ends_of_messages


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """Where a container's lines go, and what is constant for them."""

    topic: str
    key: bytes
    """Empty for none."""
    id: str
    """Names the container and its journal for good."""
    headers: Mapping[str, Sequence[tuple[str, bytes]]]
    """The headers of each message, by source."""
    after_line: Mapping[str, bytes]
    """What follows a line up to its offset, by source; nothing where the line alone is sent."""


@dataclass(frozen=True, slots=True)
class Run:
    """Messages of one container, one after the other.

    ``times``
        of the first line of each, in milliseconds since 1970 UTC
    ``counts``
        how many lines each has
    ``offsets``
        of all lines
    """

    topic: str
    key: bytes
    container: str
    headers: Sequence[tuple[str, bytes]]
    times: "array[int]"
    counts: "array[int]"
    offsets: "array[int]"
    values: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Shape:
    """What messages are made of: objects, ``most`` to a message and about ``room`` bytes, or the line alone."""

    as_json: bool
    most: int
    room: int


def make_container(
    topic: str, key: bytes, id_: str, headers: Mapping[str, str], fields: Mapping[str, object], *, as_json: bool
) -> Container:
    """Make what is the same for all records of a container; ``fields`` are of each line, where it is an object."""
    named = [(name, value.encode(errors="replace")) for name, value in headers.items()]
    if as_json:
        by_source: dict[str, Sequence[tuple[str, bytes]]] = dict.fromkeys(("stdout", "stderr"), named)
        return Container(topic, key, id_, by_source, after_lines(fields, b'"offset":'))
    by_source = {source: [*named, ("source", source.encode())] for source in ("stdout", "stderr")}
    return Container(topic, key, id_, by_source, dict.fromkeys(by_source, b""))


def encode_runs(records: Sequence[Record], shape: Shape) -> bytes:
    """Encode runs of records, as `runs` takes them apart; all records keep their order."""
    objects = encode_objects(records, b"") if shape.as_json else [record.line for record in records]
    parts: list[bytes] = []
    start = 0
    while start < len(records):
        end = end_of_run(records, start)
        values = objects[start:end]
        ends = ends_of_messages(values, shape.most, shape.room)
        begins = [0, *ends[:-1]]
        if len(ends) < len(values):
            values = [b"\n".join(values[first:behind]) for first, behind in zip(begins, ends, strict=True)]
        first = records[start]
        container: Container = first.prepared
        parts.append(
            msgpack.packb(
                (
                    container.topic,
                    container.key,
                    container.id,
                    container.headers[first.source],
                    array("q", [records[start + begin].time_nano // 1_000_000 for begin in begins]).tobytes(),
                    array("q", [behind - begin for begin, behind in zip(begins, ends, strict=True)]).tobytes(),
                    array("q", [record.offset for record in records[start:end]]).tobytes(),
                    values,
                )
            )
        )
        start = end
    return b"".join(parts)


def end_of_run(records: Sequence[Record], start: int) -> int:
    """Return where the records end that are of the same container and have the same headers as the first."""
    first = records[start]
    container: Container = first.prepared
    headers = container.headers[first.source]
    source = first.source
    end = start + 1
    while end < len(records):
        record = records[end]
        if record.prepared is not container:
            break
        if record.source != source:
            if container.headers[record.source] is not headers:
                break
            source = record.source
        end += 1
    return end


def runs(payload: bytes) -> Iterator[Run]:
    """Take apart what `encode_runs` has made."""
    unpacker = msgpack.Unpacker(max_buffer_size=0, use_list=False)
    unpacker.feed(payload)
    for topic, key, container, headers, times, counts, offsets, values in unpacker:
        yield Run(topic, key, container, headers, array("q", times), array("q", counts), array("q", offsets), values)

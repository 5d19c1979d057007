"""Batches as commands of Redis: one EVALSHA of `plugin.sinks.redis.script` for the records of a stream.

Source of the encoding: https://redis.io/docs/latest/develop/reference/protocol-spec/. This module also runs compiled
(see ``encoder.pxd``).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.record_fields import json_of, level_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS
from plugin.sinks.redis.script import SHA

_LONGEST_FRACTION = 11  # the point, nine digits and Z
_LAST_DIGITS = [digits + b"Z\r\n" for digits in THREE_DIGITS]
_WHOLE = {"stdout": b"$1\r\no\r\n", "stderr": b"$1\r\ne\r\n"}
_SHAPED = {"stdout": b"$1\r\nO\r\n", "stderr": b"$1\r\nE\r\n"}
_SHORT_HEADERS = [b"$%d\r\n" % length for length in range(1024)]
_OWN_ARGUMENTS = 5  # of a whole record
_MOST_RECORDS = 5_000
_MOST_BYTES = 8 << 20
_COMMAND_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Where a container's entries go, and what is constant for them."""

    key: bytes
    arguments: int
    """How many arguments of the command are the same each time."""
    head: bytes
    """Those arguments, encoded."""


@dataclass(frozen=True, slots=True)
class Command:
    """What one stream is sent."""

    key: bytes
    text: memoryview


def bulk(value: bytes) -> bytes:
    """Encode one argument as a bulk string."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def pack(*arguments: bytes) -> bytes:
    """Encode a command."""
    return b"*%d\r\n%b" % (len(arguments), b"".join(map(bulk, arguments)))


def make_stream(key: bytes, birth: int, most: int, *, ours: bool, touches: bool, constant: Mapping[str, str]) -> Stream:
    """Make what is constant for a container's records.

    ``birth`` is its journal's, nanoseconds since 1970 UTC. The stream keeps ``most`` entries, 0 for all. It is ``ours``
    if no other container uses it. ``touches`` has the script write something also where all is there already.
    ``constant`` are fields of each entry.
    """
    fixed = [text.encode(errors="replace") for pair in constant.items() for text in pair]
    birth_ms = max(1, birth // 1_000_000)
    settings = [b"%d" % birth_ms, b"%d" % most, b"%d" % ours, b"%d" % touches, b"%d" % len(fixed)]
    arguments = [b"EVALSHA", SHA, b"1", key, *settings, *fixed]
    return Stream(key, len(arguments), b"".join(map(bulk, arguments)))


def encode_commands(records: Sequence[Record]) -> bytes:
    """Encode commands, container by container; each has in front of it the lengths of its stream's key and of itself.

    One command is at most 5,000 records and some 8 MiB, as Redis serves nobody else while it runs a script.
    """
    groups: dict[Stream, list[Record]] = {}
    group: list[Record] = []
    stream: Stream | None = None
    for record in records:
        if record.prepared is not stream:
            stream = record.prepared
            group = groups.setdefault(record.prepared, [])
        group.append(record)
    parts: list[bytes] = []
    for stream, of_stream in groups.items():
        start = 0
        while start < len(of_stream):
            command, start = encode_command(stream, of_stream, start, _MOST_RECORDS, _MOST_BYTES)
            parts.extend((_COMMAND_HEAD.pack(len(stream.key), len(command)), stream.key, command))
    return b"".join(parts)


def encode_command(stream: Stream, records: list[Record], start: int, most: int, room: int) -> tuple[bytes, int]:
    """Encode a command of the records from ``start`` on, ``most`` of them; it ends early once they fill ``room`` bytes.

    Returns it, and where it ends. Of each record there are: the position where it ends, its offset, its time, whether
    it is of stdout or stderr, the line; where these are known, level and parsed fields.
    """
    headers, digits, last_digits = _SHORT_HEADERS, THREE_DIGITS, _LAST_DIGITS
    short = len(headers)
    parts: list[bytes] = []
    second = NO_SECOND
    begin = b""
    kind = b""
    source = ""
    arguments = stream.arguments
    count = 0
    for record in records[start : start + most]:
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            written = format_second(second).encode()
            begin = b"$%d\r\n%b." % (len(written) + _LONGEST_FRACTION, written)
        if record.source != source:
            source = record.source
            kind = _WHOLE[source]
        position = f"{record.end}"
        offset = f"{record.offset}"
        line = record.line
        length = len(line)
        shaped = record.severity != 0 or record.fields is not None
        parts.extend(
            (
                f"${len(position)}\r\n{position}\r\n${len(offset)}\r\n{offset}\r\n".encode(),
                begin,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                last_digits[nanos % 1_000],
                _SHAPED[source] if shaped else kind,
                headers[length] if length < short else b"$%d\r\n" % length,
                line,
                b"\r\n",
            )
        )
        arguments += _OWN_ARGUMENTS
        room -= length
        if shaped:
            fields = json_of(record.fields) if record.fields else b""
            parts.append(bulk(level_of(record).encode()))
            parts.append(bulk(fields))
            arguments += 2
            room -= len(fields)
        count += 1
        if room <= 0:
            break
    return b"".join((b"*%d\r\n" % arguments, stream.head, *parts)), start + count


def commands(payload: bytes) -> Iterator[Command]:
    """Take a payload apart again."""
    view = memoryview(payload)
    position = 0
    while position < len(view):
        key_length, length = _COMMAND_HEAD.unpack_from(view, position)
        position += _COMMAND_HEAD.size
        key = bytes(view[position : position + key_length])
        position += key_length
        yield Command(key, view[position : position + length])
        position += length

"""A decoder of Loki's push requests that shares nothing with the sink.

Messages: Google's protobuf library, with the descriptors of ``pkg/push/push.proto`` in grafana/loki. Compression: the
block format as google/snappy's ``format_description.txt`` says, written out.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2


@dataclass(frozen=True)
class Entry:
    """An entry as Loki would store it."""

    labels: str
    time_nano: int
    line: str
    metadata: dict[str, str]


def push_request_class() -> Any:
    """The class of PushRequest."""
    field = descriptor_pb2.FieldDescriptorProto
    text, message, uint64 = field.TYPE_STRING, field.TYPE_MESSAGE, field.TYPE_UINT64
    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    messages: dict[str, list[tuple[str, int, Any, Any, str | None]]] = {
        "PushRequest": [("streams", 1, message, many, ".logproto.StreamAdapter"), ("format", 2, text, one, None)],
        "StreamAdapter": [
            ("labels", 1, text, one, None),
            ("entries", 2, message, many, ".logproto.EntryAdapter"),
            ("hash", 3, uint64, one, None),
        ],
        "LabelPairAdapter": [("name", 1, text, one, None), ("value", 2, text, one, None)],
        "EntryAdapter": [
            ("timestamp", 1, message, one, ".google.protobuf.Timestamp"),
            ("line", 2, text, one, None),
            ("structuredMetadata", 3, message, many, ".logproto.LabelPairAdapter"),
            ("parsed", 4, message, many, ".logproto.LabelPairAdapter"),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="push.proto", package="logproto", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    for name, fields in messages.items():
        described = file.message_type.add(name=name)
        for field_name, number, kind, label, type_name in fields:
            described.field.add(name=field_name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("logproto.PushRequest"))


PUSH_REQUEST = push_request_class()


def decode_push(payload: bytes) -> list[Entry]:
    """Decode an uncompressed request; raises for anything that is not one, UTF-8 included."""
    return [
        Entry(
            stream.labels,
            entry.timestamp.seconds * 10**9 + entry.timestamp.nanos,
            entry.line,
            {pair.name: pair.value for pair in entry.structuredMetadata},
        )
        for stream in PUSH_REQUEST.FromString(payload).streams
        for entry in stream.entries
    ]


def decode_body(body: bytes) -> list[Entry]:
    """Decode the body of a push."""
    return decode_push(unsnap(body))


def unsnap(block: bytes) -> bytes:
    """Uncompress a Snappy block."""
    size, position = _varint(block, 0)
    out = bytearray()
    while position < len(block):
        tag = block[position]
        position += 1
        kind, upper = tag & 3, tag >> 2
        if kind == 0:
            length = upper + 1
            if upper >= 60:
                width = upper - 59
                length = int.from_bytes(block[position : position + width], "little") + 1
                position += width
            out += block[position : position + length]
            position += length
            continue
        if kind == 1:
            length, offset = (upper & 7) + 4, (upper >> 3) << 8 | block[position]
            position += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = upper + 1, int.from_bytes(block[position : position + width], "little")
            position += width
        assert 0 < offset <= len(out)
        while length:
            piece = out[-offset:][:length]
            out += piece
            length -= len(piece)
    assert len(out) == size
    return bytes(out)


def _varint(block: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = block[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position

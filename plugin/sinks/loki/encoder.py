"""Loki's push request, written directly.

Its protobuf messages, from ``pkg/push/push.proto`` in grafana/loki::

    PushRequest   { 1 streams (repeated StreamAdapter) }
    StreamAdapter { 1 labels (string)  2 entries (repeated EntryAdapter) }
    EntryAdapter  { 1 timestamp { 1 seconds  2 nanos }  2 line (string)
                    3 structuredMetadata (repeated { 1 name  2 value }) }

This module also runs compiled (see ``encoder.pxd``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from plugin.docker.frames import encode_varint
from plugin.records.record import Record
from plugin.sinks.encoding.record_fields import texts_of
from plugin.sinks.encoding.text import text

_SECOND = 1_000_000_000
_NO_SECOND = -(2**62)
_LOW = 0x3FFF
_CONTINUED = 0x80
# Of an entry, besides line and metadata: the timestamp, and key and size of the line.
_LARGEST_OVERHEAD = 32

# Where Go's bytes.Fields finds nothing; spelt out, since Python's own idea of blank differs.
_is_blank = re.compile(
    rb"(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*"
).fullmatch
_UNNAMEABLE = re.compile(r"^(?=[0-9])|[^a-zA-Z0-9_]")
_BLANK_STARTS = b"\t\n\v\f\r \xc2\xe1\xe2\xe3"


def bytes_field(number: int, content: bytes) -> bytes:
    """Write a field of strings, bytes or a message."""
    return encode_varint(number << 3 | 2) + encode_varint(len(content)) + content


# A varint is put together of pieces that lie ready: 14 bits at a time, as its end or with more to follow, and the
# beginning of field 2, which entries and lines both are, for each length below 16 KiB.
_VARINTS = [encode_varint(number) for number in range(_LOW + 1)]
_MORE = [bytes((number & 0x7F | _CONTINUED, number >> 7 | _CONTINUED)) for number in range(_LOW + 1)]
_FIELD_2 = [b"\x12" + size for size in _VARINTS]


def labels_field(labels: Mapping[str, str]) -> bytes:
    """Write the labels of a stream as its field 1: LogQL's ``{name="value", …}``, sorted by name, as Grafana's driver.

    Labels with an empty value are left out: to Loki they are not there.
    """
    pairs = ", ".join(f"{name}={_quoted(value)}" for name, value in sorted(labels.items()) if value)
    return bytes_field(1, f"{{{pairs}}}".encode("utf-8", "replace"))


def metadata_fields(metadata: Mapping[str, str]) -> bytes:
    """Write structured metadata as the fields 3 of an entry; what is empty is left out."""
    return b"".join(
        bytes_field(3, bytes_field(1, name.encode()) + bytes_field(2, value.encode("utf-8", "replace")))
        for name, value in metadata.items()
        if value
    )


_ESCAPES = {ordinal: f"\\x{ordinal:02x}" for ordinal in (*range(0x20), 0x7F)} | {
    ord(char): escape
    for char, escape in {
        "\a": r"\a",
        "\b": r"\b",
        "\f": r"\f",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\v": r"\v",
        "\\": r"\\",
        '"': r"\"",
    }.items()
}


def _quoted(value: str) -> str:
    """Quote as Go's ``strconv.Quote``, which Loki's parser undoes."""
    return f'"{value.translate(_ESCAPES)}"'


class ContainerStream:
    """What the entries of one container and source have in common: labels (field 1) and metadata (fields 3).

    ``tenant`` is whose stream it is, where that is not the destination's; with it, ``key`` names the stream.
    """

    __slots__ = ("key", "labels", "metadata", "tenant")

    def __init__(self, labels: bytes, metadata: bytes, tenant: str = "") -> None:
        self.labels = labels
        self.metadata = metadata
        self.tenant = tenant
        self.key = stream_key(labels, tenant)


def stream_key(labels: bytes, tenant: str) -> bytes:
    """Return what names a stream: its labels as field 1, behind the tenant where it has one of its own."""
    return b"%b\0%b" % (tenant.encode(), labels) if tenant else labels


class EncodedStream:
    """The entries of one stream in a batch.

    ``tenant``
        whose it is, where that is not the destination's
    ``parts``
        what its ``StreamAdapter`` is put together of: its labels, then the entries
    ``earliest``, ``latest``
        the seconds since 1970 of its first and last entry by time
    ``falls``
        whether any entry is a second or more before one in front of it
    """

    __slots__ = ("earliest", "falls", "labels", "latest", "parts", "tenant")

    def __init__(self, labels: bytes, tenant: str = "") -> None:
        self.labels = labels
        self.tenant = tenant
        self.parts: list[bytes] = [labels]
        self.earliest = _NO_SECOND
        self.latest = _NO_SECOND
        self.falls = False

    def note(self, second: int) -> None:
        """Take account of the second of an entry that is added."""
        if self.latest == _NO_SECOND:
            self.earliest = self.latest = second
        elif second > self.latest:
            self.latest = second
        elif second < self.latest:
            self.falls = True
            self.earliest = min(self.earliest, second)

    def field(self) -> bytes:
        """Write the stream as a field 1 of a push request; requests can be put together of these."""
        return bytes_field(1, b"".join(self.parts))


def encode_streams(records: Sequence[Record], longest: int) -> list[EncodedStream]:
    """Encode the streams of a batch; none if no entry is in it.

    The ``prepared`` of each record gives the `ContainerStream` by source. Records of a source that it does not have are
    left out, and so are blank lines. Streams come in the order of their first records, and records keep theirs within a
    stream. A line over ``longest`` bytes becomes several entries of the same time.
    """
    streams: dict[bytes, EncodedStream] = {}
    parts: list[bytes] = []
    prepared: Mapping[str, ContainerStream] | None = None
    source = ""
    wanted = True
    metadata = b""
    room = 0
    second = _NO_SECOND
    stamps: list[bytes] = []
    blank_starts, field_2, varints, more = _BLANK_STARTS, _FIELD_2, _VARINTS, _MORE
    for record in records:
        line = record.line
        if not line or (line[0] in blank_starts and _is_blank(line) is not None):
            continue
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            stream = record.prepared.get(source)
            wanted = stream is not None
            if wanted:
                metadata = stream.metadata
                # What the line must not exceed for all sizes to be in the tables.
                room = min(longest, _LOW - len(metadata) - _LARGEST_OVERHEAD)
                if stream.key not in streams:
                    streams[stream.key] = EncodedStream(stream.labels, stream.tenant)
                encoded = streams[stream.key]
                parts = encoded.parts
                second = _NO_SECOND  # to be noted for this stream too
        if not wanted:
            continue
        if not line.isascii():
            line = text(line).encode()
        time_nano = record.time_nano
        nanos = time_nano % _SECOND
        if time_nano // _SECOND != second:
            second = time_nano // _SECOND
            stamps = _stamps(second)
            encoded.note(second)
        if metadata and (record.fields is not None or record.severity):  # without any, it is not wanted
            more_metadata = metadata + metadata_fields(_metadata_of(record))
            parts += [_entry(second, nanos, piece, more_metadata) for piece in _pieces(line, longest)]
            continue
        size = len(line)
        high = nanos >> 14
        if not high or size > room:
            parts += [_entry(second, nanos, piece, metadata) for piece in _pieces(line, longest)]
            continue
        if high > _LOW:
            middle, end = more[high & _LOW], varints[high >> 14]
        else:
            middle, end = b"", varints[high]
        stamp = stamps[len(middle) + len(end)]
        field = field_2[size]
        parts.extend(
            (
                field_2[len(stamp) + 2 + len(middle) + len(end) + len(field) + size + len(metadata)],
                stamp,
                more[nanos & _LOW],
                middle,
                end,
                field,
                line,
                metadata,
            )
        )
    return list(streams.values())


def _metadata_of(record: Record) -> dict[str, str]:
    """Return the structured metadata of a record that has a level or fields, with names that Loki takes for labels."""
    return {_UNNAMEABLE.sub("_", name): value for name, value in texts_of(record).items()}


def _entry(second: int, nanos: int, line: bytes, metadata: bytes) -> bytes:
    stamp = (b"\x08" + encode_varint(second) if second else b"") + (b"\x10" + encode_varint(nanos) if nanos else b"")
    return bytes_field(2, bytes_field(1, stamp) + bytes_field(2, line) + metadata)


def _stamps(second: int) -> list[bytes]:
    """Begin field 1 of an entry, the timestamp, up to its nanoseconds.

    Those follow in 2 bytes and as many as the index says.
    """
    content = (b"\x08" + encode_varint(second) if second else b"") + b"\x10"
    return [bytes((0x0A, len(content) + 2 + further)) + content for further in range(4)]


def _pieces(line: bytes, longest: int) -> Iterator[bytes]:
    """Cut UTF-8 into pieces of at most ``longest`` bytes, never within a character."""
    start = 0
    while len(line) - start > longest:
        end = start + longest
        while line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[start:end]
        start = end
    yield line[start:]

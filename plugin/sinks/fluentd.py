"""``fluentd``: Fluentd, Fluent Bit and whatever else takes the Forward protocol."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugin.engine.option_schema import SinkOptions
from plugin.engine.options import SinkChoice
from plugin.engine.secrets import Secret
from plugin.sinks import fluentd_options as options
from plugin.sinks import forward
from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.connection import StreamConnection
from plugin.sinks.dialling import Limits
from plugin.sinks.forward_client import ForwardClient

_TIME_LIMIT = 30.0

# Fluent Bit refuses messages of more than 6 MB, and prefers them below 2.
_MESSAGE_SIZE = 1024 * 1024
_NANO = 1_000_000_000
_LATEST = forward.LATEST_SECOND * _NANO


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """What is constant for a container's records."""

    id: str
    birth: int
    tag: str
    fields: Mapping[str, str]
    """Of every record, but for its source and the line."""
    starts: Mapping[str, bytes]
    """The record of a whole line up to the line, packed, by source."""


class FluentdSink(Sink[Container]):
    """A Forward server.

    One payload holds a message, or several, for each tag; each is a chunk that the server acknowledges.
    """

    declaration = SinkOptions(
        name="fluentd",
        prefix="fluentd-",
        help="Fluentd, Fluent Bit and others that take the Forward protocol.",
        options=options.OPTIONS,
        defaults={"retry-min": "1s"},
        check=options.faults,
    )
    joins_parts = False

    def __init__(self, choice: SinkChoice) -> None:
        server = choice.get(options.ADDRESS)
        tls = options.TLS.open(choice) if server.tls else None
        patience = choice.get(options.READ_TIMEOUT) or _TIME_LIMIT
        limits = Limits(write=choice.get(options.WRITE_TIMEOUT) or _TIME_LIMIT, read=patience)
        key = choice.get(options.SHARED_KEY)
        credentials = key and forward.Credentials(
            host=socket.gethostname(),
            shared_key=key,
            username=choice.get(options.USERNAME),
            password=choice.get(options.PASSWORD) or Secret(""),
        )
        self._asks = choice.get(options.REQUEST_ACK)
        self._precise = choice.get(options.SUB_SECOND_PRECISION)
        self._compresses = choice.get(options.COMPRESS) == "gzip"
        self._client = ForwardClient(
            StreamConnection(server.address, tls, limits),
            credentials,
            patience=patience,
            lifetime=choice.get(options.RECONNECT_INTERVAL),
        )

    def prepare(self, origin: Origin) -> Container:
        """Pack what Docker's driver sends; a label or variable of the same name replaces a field, but not the line."""
        info = origin.info
        fields = {"container_id": info.container_id, "container_name": info.container_name}
        attributes = {name: value for name, value in origin.attributes.items() if name != "log"}
        starts = {}
        for source in ("stdout", "stderr"):
            whole = fields | {"source": source} | attributes
            starts[source] = forward.map_start(len(whole) + 1, whole) + _LINE
        return Container(info.container_id, origin.birth, origin.tag, fields | attributes, starts)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode messages in PackedForward mode, tag by tag.

        Lines are made valid UTF-8, else Fluentd's JSON formatter throws the connection away, again and again.
        """
        by_tag: dict[str, list[Record]] = {}
        for record in records:
            tag = record.prepared.tag
            if tag in by_tag:
                by_tag[tag].append(record)
            else:
                by_tag[tag] = [record]
        messages: list[bytes] = []
        for tag, of_tag in by_tag.items():
            start = 0
            while start < len(of_tag):
                entries, end = self._entries(of_tag, start)
                chunk = _chunk_id(len(messages), tag, of_tag[start:end]) if self._asks else None
                messages.append(forward.message(tag, entries, end - start, chunk=chunk, compress=self._compresses))
                start = end
        return messages[0] if len(messages) == 1 else b"".join(messages)

    async def send(self, payload: bytes) -> None:
        """Send the messages; return when all are acknowledged or, if that is not asked for, all bytes have arrived."""
        if self._asks:
            await self._client.send_acknowledged(payload)
        else:
            await self._client.send(payload)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    def _entries(self, records: Sequence[Record], start: int) -> tuple[bytes, int]:
        """Pack entries from ``start`` on until the message is large enough; give them, and the end."""
        pack_time, event_time = forward.pack_event_time, forward.EVENT_TIME_START
        pack_seconds, seconds_start = forward.pack_seconds, forward.SECONDS_START
        headers, long_header = forward.SHORT_STR_HEADERS, forward.str_header
        short = len(headers)
        precise = self._precise
        parts: list[bytes] = []
        extend = parts.extend
        room = _MESSAGE_SIZE
        end = start
        for record in records[start:] if start else records:
            time_nano = record.time_nano
            if not 0 <= time_nano <= _LATEST:
                time_nano = 0 if time_nano < 0 else _LATEST
            if precise:
                time = pack_time(event_time, time_nano // _NANO, time_nano % _NANO)
            else:
                time = pack_seconds(seconds_start, time_nano // _NANO)
            fields = _part_start(record) if record.part_ordinal else record.prepared.starts[record.source]
            line = record.line
            if not line.isascii():
                line = _utf8(line)
            length = len(line)
            extend((time, fields, headers[length] if length < short else long_header(length), line))
            end += 1
            room -= length + len(fields)
            if room <= 0:
                break
        return b"".join(parts), end


_LINE = forward.str_header(3) + b"log"


def _utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace").encode()
    return line


def _part_start(record: Record) -> bytes:
    """Pack the record of a part of a line, up to the line, with the fields that Docker's driver adds."""
    prepared = record.prepared
    fields = {"source": record.source} | prepared.fields
    fields |= {
        "partial_message": "true",
        "partial_id": record.part_id,
        "partial_ordinal": str(record.part_ordinal),
        "partial_last": "true" if record.part_last else "false",
    }
    return forward.map_start(len(fields) + 1, fields) + _LINE


def _chunk_id(number: int, tag: str, records: Sequence[Record]) -> str:
    """Name the chunk of a payload by its first and its last record."""
    ends = (records[0], records[-1])
    names = ((record.prepared.id, record.prepared.birth, record.offset) for record in ends)
    return forward.chunk_id(number, tag, len(records), *(part for name in names for part in name))


SINK = FluentdSink

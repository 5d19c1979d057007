"""``fluentd``: Fluentd, Fluent Bit and whatever else takes the Forward protocol."""

import socket
from collections.abc import Sequence

from plugin.config.secrets import Secret
from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.fluentd import protocol
from plugin.sinks.fluentd.client import ForwardClient
from plugin.sinks.fluentd.encoder import PreparedEntries, encode_entries, record_start, records_by_tag
from plugin.sinks.fluentd.options import FluentdOptions
from plugin.sinks.transport.dial import Limits
from plugin.sinks.transport.stream import StreamConnection

_TIME_LIMIT = 30.0

# Fluent Bit refuses messages of more than 6 MB, and prefers them below 2.
_MESSAGE_SIZE = 1024 * 1024
_ATTRIBUTES = Bounds(size=256 * 1024, value=256 * 1024)


class FluentdSink(Sink[PreparedEntries]):
    """A Forward server.

    One payload holds a message, or several, for each tag; each is a chunk that the server acknowledges.
    """

    declaration = FluentdOptions
    joins_parts = False

    def __init__(self, options: FluentdOptions) -> None:
        server = options.address
        self._label = f"fluentd@{server.address}"
        tls = options.tls.open() if server.tls else None
        patience = options.read_timeout or _TIME_LIMIT
        limits = Limits(write=options.write_timeout or _TIME_LIMIT, read=patience)
        key = options.shared_key
        credentials = key and protocol.Credentials(
            host=socket.gethostname(),
            shared_key=key,
            username=options.username,
            password=options.password or Secret(""),
        )
        self._asks = options.request_ack
        self._precise = options.sub_second_precision
        self._compresses = options.compress == "gzip"
        self._client = ForwardClient(
            StreamConnection(server.address, tls, limits),
            credentials,
            patience=patience,
            lifetime=options.reconnect_interval,
        )

    def prepare(self, origin: Origin) -> PreparedEntries:
        """Pack what Docker's driver sends; a label or variable of the same name replaces a field, but not the line."""
        origin = bounded(origin, self._label, _ATTRIBUTES)
        info = origin.info
        fields = {"container_id": info.container_id, "container_name": info.container_name}
        attributes = {name: value for name, value in origin.attributes.items() if name != "log"}
        starts = {}
        for source in ("stdout", "stderr"):
            whole = fields | {"source": source} | attributes
            starts[source] = record_start(whole)
        # Fluentd routes by the tag, and drops what has none.
        tag = origin.tag if origin.tag.strip() else info.id
        return PreparedEntries(info.container_id, origin.birth, tag, fields | attributes, starts)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode messages in PackedForward mode, tag by tag."""
        messages: list[bytes] = []
        for tag, of_tag in records_by_tag(records).items():
            start = 0
            while start < len(of_tag):
                entries, end = encode_entries(of_tag, start, _MESSAGE_SIZE, self._precise)
                chunk = _chunk_id(len(messages), tag, of_tag[start:end]) if self._asks else None
                messages.append(protocol.message(tag, entries, end - start, chunk=chunk, compress=self._compresses))
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


def _chunk_id(number: int, tag: str, records: Sequence[Record]) -> str:
    """Name the chunk of a payload by its first and its last record."""
    ends = (records[0], records[-1])
    names = ((record.prepared.id, record.prepared.birth, record.offset) for record in ends)
    return protocol.chunk_id(number, tag, len(records), *(part for name in names for part in name))


SINK = FluentdSink

"""GELF 1.1, as Graylog and others take it: over UDP, compressed and in chunks, or over TCP."""

import zlib
from collections.abc import Sequence
from hashlib import blake2b

from plugin.sinks.base import Origin, Record, RejectError, Sink, Trouble
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.gelf.encoder import Frame, encode_each, encode_stream, is_blank, prepare_frame
from plugin.sinks.gelf.options import GelfOptions
from plugin.sinks.transport import datagram
from plugin.sinks.transport.datagram import DatagramConnection
from plugin.sinks.transport.resending_stream import UnansweredStream
from plugin.sinks.transport.stream import StreamConnection

_BEST_SPEED = 1
# What zlib calls the size of its window also says what it writes around the data.
_WINDOWS = {"gzip": 31, "zlib": 15, "none": None}

_CHUNK_MAGIC = b"\x1e\x0f"
_LONGEST_DATAGRAM = 1420
_LONGEST_CHUNK = _LONGEST_DATAGRAM - 12
_MOST_CHUNKS = 128

# Graylog stores fields as keywords, and its index refuses a message with one above 32,766 bytes. Its inputs take
# messages of up to 2 MiB over TCP; over UDP 128 chunks hold 180,224 bytes, compressed or not.
_OVER_TCP = Bounds(size=256 * 1024, value=32_766)
_OVER_UDP = Bounds(size=16 * 1024, value=16 * 1024)


class GelfSink(Sink[Frame]):
    """One GELF server."""

    declaration = GelfOptions

    def __init__(self, options: GelfOptions) -> None:
        target = options.address
        self._is_udp = target.scheme == "udp"
        self._label = f"gelf@{target.address}"
        level = options.compression_level
        self._level = _BEST_SPEED if level is None else level
        self._window = _WINDOWS[options.compression_type or "gzip"]
        self._route: DatagramConnection | UnansweredStream = (
            DatagramConnection(target.address) if self._is_udp else UnansweredStream(StreamConnection(target.address))
        )

    @property
    def trouble(self) -> Trouble | None:
        """Return why what the server may not have read cannot be sent again now."""
        return self._route.trouble if isinstance(self._route, UnansweredStream) else None

    def prepare(self, origin: Origin) -> Frame:
        """Write all fields but the line and its time."""
        bounds = _OVER_UDP if self._is_udp else _OVER_TCP
        return prepare_frame(bounded(origin, self._label, bounds), end=b"" if self._is_udp else b"\0")

    def encode(self, records: Sequence[Record]) -> bytes:
        """Write the messages, over UDP compressed and in chunks; blank lines are left out.

        Raises `RejectError` for a message that 128 chunks do not hold.
        """
        if not self._is_udp:
            return encode_stream(records)
        kept = [record for record in records if not is_blank(record.line)]
        packets: list[bytes] = []
        for record, message in zip(kept, encode_each(kept), strict=True):
            packet = message if self._window is None else zlib.compress(message, self._level, self._window)
            if len(packet) <= _LONGEST_DATAGRAM:
                packets.append(packet)
            else:
                packets += _chunks(packet, record)
        return datagram.pack(packets)

    async def send(self, payload: bytes) -> None:
        """Send: over TCP the server's kernel acknowledges, datagrams are just sent."""
        if payload:
            await self._route.send(payload)

    async def close(self) -> None:
        """Close the connection."""
        await self._route.close()


def _chunks(message: bytes, record: Record) -> list[bytes]:
    """Cut a message into chunks: magic bytes, 8 bytes that name the message, the chunk's number, their number, data."""
    count = -(-len(message) // _LONGEST_CHUNK)
    if count > _MOST_CHUNKS:
        raise RejectError(
            f"a line of {len(record.line):,} bytes is too long for GELF over UDP: it would take {count} chunks,"
            f" and at most {_MOST_CHUNKS} are allowed (tcp:// has no limit)"
        )
    frame: Frame = record.prepared
    seed = b"%b %d %d" % (frame.identity, record.offset, record.part_ordinal)
    # The same batch has the same ids: a repetition completes what arrived in part.
    name = blake2b(message, digest_size=8, key=blake2b(seed).digest()).digest()
    return [
        b"".join((_CHUNK_MAGIC, name, bytes((number, count)), message[start : start + _LONGEST_CHUNK]))
        for number, start in enumerate(range(0, len(message), _LONGEST_CHUNK))
    ]


SINK = GelfSink

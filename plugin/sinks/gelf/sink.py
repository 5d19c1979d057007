"""GELF 1.1, as Graylog and others take it: over UDP, compressed and in chunks, or over TCP."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.base import Origin, Record, RejectError, Sink, Trouble
from plugin.sinks.gelf.encoder import Frame, encode_each, encode_stream, prepare_frame
from plugin.sinks.transport import datagram
from plugin.sinks.transport.address import Target, parse_target
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


def _parse_address(text: str) -> Target:
    return parse_target(text, ("udp", "tcp"))


ADDRESS: Option[Target] = Option(
    name="gelf-address",
    kind=Kind(parse=_parse_address, accepts="udp://host:port or tcp://host:port"),
    required=True,
    help="Where the GELF server listens.",
)
COMPRESSION_TYPE: Option[str | None] = Option(
    name="gelf-compression-type",
    kind=types.choice(*_WINDOWS),
    shown_default="gzip",
    help="How messages are compressed, for UDP only.",
)
COMPRESSION_LEVEL: Option[int | None] = Option(
    name="gelf-compression-level",
    kind=types.integer(-1, 9),
    shown_default="1",
    help="The effort of compression, for UDP only: 1 is the fastest, 9 the best, 0 is none and -1 is zlib's default.",
)
TCP_MAX_RECONNECT: Option[int | None] = Option(
    name="gelf-tcp-max-reconnect",
    kind=types.integer(0),
    help="How often Docker's driver connects anew before it drops a message, for TCP only.",
    superseded="messages are sent again until they arrive: the journal holds them",
)
TCP_RECONNECT_DELAY: Option[int | None] = Option(
    name="gelf-tcp-reconnect-delay",
    kind=types.integer(0),
    help="How many seconds Docker's driver waits before it connects anew, for TCP only.",
    superseded="the pause is that of retry-min and retry-max",
)


def _check(values: Mapping[str, Any]) -> Iterable[str]:
    target: Target = values[ADDRESS.name]
    scheme = "udp" if target.scheme == "tcp" else "tcp"
    others = (COMPRESSION_TYPE, COMPRESSION_LEVEL) if scheme == "udp" else (TCP_MAX_RECONNECT, TCP_RECONNECT_DELAY)
    for option in others:
        if values[option.name] is not None:
            yield f"log-opt '{option.name}' is for {scheme}:// only, and gelf-address is {target.scheme}://"


class GelfSink(Sink[Frame]):
    """One GELF server."""

    declaration = SinkOptions(
        name="gelf",
        prefix="gelf-",
        help="Sends GELF to Graylog, Logstash or another server that takes it.",
        options=(ADDRESS, COMPRESSION_TYPE, COMPRESSION_LEVEL, TCP_MAX_RECONNECT, TCP_RECONNECT_DELAY),
        check=_check,
    )

    def __init__(self, choice: SinkChoice) -> None:
        target = choice.get(ADDRESS)
        self._is_udp = target.scheme == "udp"
        level = choice.get(COMPRESSION_LEVEL)
        self._level = _BEST_SPEED if level is None else level
        self._window = _WINDOWS[choice.get(COMPRESSION_TYPE) or "gzip"]
        self._route: DatagramConnection | UnansweredStream = (
            DatagramConnection(target.address) if self._is_udp else UnansweredStream(StreamConnection(target.address))
        )

    @property
    def trouble(self) -> Trouble | None:
        """Tell why what the server may not have read cannot be sent again now."""
        return self._route.trouble if isinstance(self._route, UnansweredStream) else None

    def prepare(self, origin: Origin) -> Frame:
        """Write all fields but the line and its time."""
        return prepare_frame(origin, end=b"" if self._is_udp else b"\0")

    def encode(self, records: Sequence[Record]) -> bytes:
        """Write the messages, over UDP compressed and in chunks; blank lines are left out.

        Raises `RejectError` for a message that 128 chunks do not hold.
        """
        if not self._is_udp:
            return encode_stream(records)
        kept = [record for record in records if record.line and not record.line.isspace()]
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

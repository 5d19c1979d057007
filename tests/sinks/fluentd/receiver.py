"""A receiver of Fluentd's Forward protocol."""

import socket
import time
import zlib
from dataclasses import replace

import msgpack

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver, pieces
from tests.sinks.receiving.times import SECOND


def serve_forward(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Speak the Forward protocol in PackedForward mode, and acknowledge chunks."""
    messages = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 28)
    for content in pieces(receiver, connection):
        messages.feed(content)
        for _, packed, options in messages:
            plain = zlib.decompress(packed, wbits=31) if options.get("compressed") == "gzip" else packed
            events = msgpack.Unpacker(raw=False, ext_hook=_event_time, max_buffer_size=1 << 28)
            events.feed(plain)
            receiver.take(replace(_of_forward(*event), connection=number) for event in events)
            receiver.pause()
            time.sleep(receiver.delay)
            answer = msgpack.packb({"ack": options["chunk"]})
            if receiver.breaks:
                receiver.breaks -= 1
                connection.sendall(answer[:-3])
                return
            connection.sendall(answer)


def _event_time(code: int, data: bytes) -> int:
    assert code == 0
    return int.from_bytes(data[:4], "big") * SECOND + int.from_bytes(data[4:], "big")


def _of_forward(moment: int, record: dict[str, str]) -> Received:
    is_part = record.get("partial_last") == "false"
    name = record["container_name"].removeprefix("/")
    return Received(name, record["source"], record["log"].encode(), moment, is_part)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"fluentd-address": address, "fluentd-read-timeout": "2m", "fluentd-retry-wait": "50ms"}


PROTOCOL = serve_forward

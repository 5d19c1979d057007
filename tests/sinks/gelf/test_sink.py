"""The GELF sink: its options, and servers at UDP and TCP."""

import asyncio
import json
import socket
import time

import pytest

from plugin.errors import OptionError
from plugin.sinks.base import RetryError
from tests.sinks.factories import NOISE, records_of, sink_of
from tests.sinks.gelf.decoder import Reassembly, decode_stream
from tests.testbed.ports import HeldPort
from tests.testbed.waiting import wait_until

UDP = "udp://127.0.0.1:12201"
TCP = "tcp://127.0.0.1:12201"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"gelf_compression_level": "1"}, "needs log-opt 'gelf-address'"),
        ({"gelf_address": "udp://host"}, "has no port"),
        ({"gelf_address": "host:12201"}, "scheme"),
        ({"gelf_address": "http://host:1"}, "unsupported scheme 'http'"),
        ({"gelf_address": "udp://host:70000"}, "out of range"),
        ({"gelf_address": UDP, "gelf_compression_type": "lz4"}, "is not one of gzip, zlib, none"),
        ({"gelf_address": UDP, "gelf_compression_level": "10"}, "out of range"),
        ({"gelf_address": TCP, "gelf_compression_type": "gzip"}, "is for udp:// only"),
        ({"gelf_address": UDP, "gelf_tcp_max_reconnect": "3"}, "is for tcp:// only"),
        ({"gelf_address": TCP, "gelf_tcp_reconnect_delay": "-1"}, "out of range"),
    ],
)
def test_options_are_refused_where_dockers_driver_refuses_them(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        sink_of(**options)


def test_a_password_in_the_address_is_not_shown() -> None:
    with pytest.raises(OptionError) as caught:
        sink_of(gelf_address="udp://me:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_messages_arrive_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        sink = sink_of(gelf_address=f"udp://127.0.0.1:{server.getsockname()[1]}")
        lines = [b"one", NOISE[:30_000].encode(), b"three"]
        asyncio.run(sink.send(sink.encode(records_of(sink, lines))))
        reader = Reassembly()
        while len(reader.messages) < 3:
            reader.take(server.recv(65_536))
        assert [message["short_message"].encode() for message in reader.messages] == lines


def test_messages_arrive_over_tcp_and_a_new_connection_is_made_when_the_server_comes_back() -> None:
    with HeldPort() as port:
        asyncio.run(_server_that_restarts(port.number))


async def _server_that_restarts(port: int) -> None:
    streams: list[bytearray] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        streams.append(bytearray())
        stream = streams[-1]
        while data := await reader.read(65_536):
            stream += data
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    sink = sink_of(gelf_address=f"tcp://localhost:{port}")
    await sink.send(sink.encode(records_of(sink, [b"one"])))
    await sink.send(sink.encode(records_of(sink, [b"two"])))
    await asyncio.to_thread(wait_until, lambda: streams[0].count(0) == 2, "the server has read both")
    server.close()
    writers[0].close()
    await writers[0].wait_closed()
    with pytest.raises(RetryError, match="refused"):
        await sink.send(sink.encode(records_of(sink, [b"three"])))
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await sink.send(sink.encode(records_of(sink, [b"three"])))
    await sink.close()
    await asyncio.to_thread(wait_until, lambda: len(streams) == 2 and streams[1], "the new server has read")
    server.close()
    first, second = ([m["short_message"] for m in decode_stream(bytes(stream))] for stream in streams)
    assert (first, second) == (["one", "two"], ["three"])


def test_timestamps_read_as_floating_point_are_right_to_the_microsecond() -> None:
    sink = sink_of(gelf_address=TCP)
    now = time.time_ns()
    message = json.loads(sink.encode(records_of(sink, [b"x"], time=now)).rstrip(b"\0"))
    assert abs(message["timestamp"] - now / 1e9) < 1e-6

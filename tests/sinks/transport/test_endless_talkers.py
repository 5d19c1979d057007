"""Peers that talk without end: nobody else waits for them, and nothing of it is kept."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from plugin.sinks.base import RetryError, SinkError
from plugin.sinks.transport.dial import Address, Limits
from plugin.sinks.transport.stream import StreamConnection
from tests.sinks.factories import records_of, sink_of

LIMITS = Limits(connect=120, write=120, read=120, trial=0.2)
MUCH = 64 << 20
"""What the talkers say before they end, so that a test that fails does not last for ever."""

Behaviour = Callable[[socket.socket], None]


def talk(connection: socket.socket, said: bytes = b"x" * 65_536) -> None:
    """Send much, while another thread reads."""
    threading.Thread(target=read_all, args=(connection,), daemon=True).start()
    for _ in range(MUCH // len(said)):
        connection.sendall(said)
    connection.recv(1)


def read_all(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65_536):
            pass


def reply(connection: socket.socket) -> None:
    """Answer whatever comes with 10 KiB."""
    while connection.recv(65_536):
        connection.sendall(b"y" * 10_240)


@contextlib.contextmanager
def server(behave: Behaviour) -> Iterator[Address]:
    """Serve connections one after the other."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                behave(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address("127.0.0.1", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_talker_is_given_up_while_bytes_drain() -> None:
    async def drive(address: Address) -> None:
        connection = StreamConnection(address, limits=LIMITS)
        with pytest.raises(RetryError, match="talks without end: 65,536 bytes that nobody asked for"):
            await connection.send(b"abc")
        assert not connection.is_open

    with server(talk) as address:
        asyncio.run(drive(address))


def test_a_talker_is_given_up_where_an_answer_is_read_too_late() -> None:
    async def drive(address: Address) -> None:
        connection = StreamConnection(address, limits=LIMITS)
        await connection.open()
        assert len(await connection.read()) <= 65_536
        while await connection.open() is False:  # noqa: ASYNC110 (what is waited for is what this call finds)
            await asyncio.sleep(0)
        await connection.close()

    with server(talk) as address:
        asyncio.run(drive(address))


def test_one_that_says_something_now_and_then_is_listened_to_and_all_of_it_dropped() -> None:
    async def drive(address: Address) -> None:
        connection = StreamConnection(address, limits=LIMITS)
        is_new = []
        for _ in range(30):
            is_new.append(await connection.open())
            await connection.write(b"abc")
            await connection.drained()
            await asyncio.sleep(0.005)
        assert is_new == [True] + [False] * 29
        await connection.close()

    with server(reply) as address:
        asyncio.run(drive(address))


def test_a_connection_is_closed_that_is_only_watched() -> None:
    async def drive(address: Address) -> None:
        connection = StreamConnection(address, limits=LIMITS)
        await connection.open()
        await connection.ended()
        assert not connection.is_open

    with server(talk) as address:
        asyncio.run(drive(address))


@pytest.mark.parametrize(
    "options",
    [
        {"syslog_address": "tcp://{}"},
        {"gelf_address": "tcp://{}"},
        {"fluentd_address": "{}", "fluentd_request_ack": "false"},
        {"fluentd_address": "{}"},
        {"fluentd_address": "{}", "fluentd_shared_key": "k"},
    ],
    ids=str,
)
@pytest.mark.parametrize("said", [b"x" * 65_536, msgpack.packb({"ack": "another"}) * 5_000], ids=["x", "acks"])
def test_no_sink_waits_for_a_talker_nor_holds_others_up(options: dict[str, str], said: bytes) -> None:
    async def drive(address: Address) -> None:
        sink = sink_of(**{name: value.format(address) for name, value in options.items()})
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        with pytest.raises(SinkError):
            await sink.send(sink.encode(records_of(sink, [b"hello"])))
        task.cancel()
        await sink.close()
        assert turns > 0

    with server(lambda connection: talk(connection, said)) as address:
        asyncio.run(drive(address))


def h2(connection: socket.socket) -> None:
    """Answer a request with a message that is announced with 4 GiB, as fast as the client makes room for it."""
    peer = H2Connection(H2Configuration(client_side=False))
    peer.initiate_connection()
    connection.sendall(peer.data_to_send())
    stream = told = 0
    while told < MUCH and (content := connection.recv(65_536)):
        for event in peer.receive_data(content):
            if isinstance(event, StreamEnded):
                stream = event.stream_id
                peer.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
                peer.send_data(stream, b"\0\xff\xff\xff\xff")
        while stream and (room := min(peer.local_flow_control_window(stream), peer.max_outbound_frame_size)):
            peer.send_data(stream, b"x" * room)
            told += room
        connection.sendall(peer.data_to_send())
    if told < MUCH:
        raise ConnectionError("the client has hung up")


def behind(greeting: bytes, waits: int = 1, said: bytes = b"x" * 65_536) -> Behaviour:
    """Return what says something first, once so many requests have come, and then the same without end."""

    def behave(connection: socket.socket) -> None:
        for _ in range(waits):
            connection.recv(65_536)
        connection.sendall(greeting)
        talk(connection, said)

    return behave


INFO = b'INFO {"server_id":"A","max_payload":1048576,"headers":true,"jetstream":true}\r\n'
HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n"


@pytest.mark.parametrize(
    ("options", "behave"),
    [
        ({"redis_url": "redis://{}"}, behind(b"$500000000\r\n")),
        ({"redis_url": "redis://{}"}, behind(b"+")),
        ({"redis_url": "redis://{}"}, behind(b"", said=b"+OK\r\n" * 10_000)),
        ({"nats_url": "nats://{}"}, behind(INFO + b"PONG\r\nMSG a 1 4000000000\r\n", waits=0)),
        ({"nats_url": "nats://{}"}, behind(INFO + b"PONG\r\n", waits=0)),
        ({"nats_url": "nats://{}"}, behind(b"INFO {", waits=0)),
        ({"amqp_url": "amqp://{}"}, behind(b"\1\0\0\xee\0\0\0")),
        ({"kafka_brokers": "{}"}, behind(b"\x7f\0\0\0")),
        ({"otlp_endpoint": "http://{}", "otlp_protocol": "grpc"}, h2),
        ({"http_url": "http://{}"}, behind(HTTP)),
        ({"http_url": "http://{}"}, behind(b"HTTP/1.1 200 OK\r\nX: ")),
        ({"elasticsearch_url": "http://{}"}, behind(HTTP)),
        ({"clickhouse_url": "http://{}"}, behind(HTTP)),
    ],
    ids=[
        *("redis bulk", "redis line", "redis replies", "nats message", "nats line", "nats greeting", "amqp", "kafka"),
        *("grpc", "http body", "http header", "elasticsearch", "clickhouse"),
    ],
)
def test_no_answer_is_collected_without_end(options: dict[str, str], behave: Behaviour) -> None:
    """A client that gives up has read less than the talker would say, so that this is cut off in the middle."""
    heard: list[bool] = []

    def listen(connection: socket.socket) -> None:
        try:
            behave(connection)
            heard.append(True)
        except OSError:
            heard.append(False)
            raise

    async def drive(address: Address) -> None:
        sink = sink_of(**{name: value.format(address) for name, value in options.items()})
        with contextlib.suppress(SinkError):
            await sink.send(sink.encode(records_of(sink, [b"hello"])))
        await sink.close()

    with server(listen) as address:
        asyncio.run(drive(address))
    assert heard
    assert not any(heard)

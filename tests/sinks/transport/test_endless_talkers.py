"""Peers that talk without end: nobody else waits for them, and nothing of it is kept."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest

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

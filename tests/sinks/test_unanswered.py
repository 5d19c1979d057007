import asyncio
import socket
from collections.abc import Iterator

import pytest

from plugin.sinks.base import RetryError
from plugin.sinks.connection import StreamConnection
from plugin.sinks.dialling import Address, Limits
from plugin.sinks.unanswered import UnansweredStream

QUICK = Limits(connect=2, write=0.5, read=0.5, trial=0.05)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def stream_to(listener: socket.socket) -> UnansweredStream:
    return UnansweredStream(StreamConnection(Address("127.0.0.1", listener.getsockname()[1]), limits=QUICK))


def read_all(server: socket.socket) -> bytes:
    server.settimeout(5)
    data = b""
    while part := server.recv(65_536):
        data += part
    return data


def test_what_a_server_left_unread_when_it_died_is_sent_again(listener: socket.socket) -> None:
    async def drive() -> bytes:
        stream = stream_to(listener)
        await stream.send(b"one ")
        first, _ = listener.accept()
        assert first.recv(100) == b"one "
        await stream.send(b"two ")
        first.close()
        await stream.send(b"three ")
        await stream.close()
        second, _ = listener.accept()
        with second:
            return read_all(second)

    # What was read cannot be told from what was not.
    assert asyncio.run(drive()) == b"one two three "


def test_what_a_server_has_read_before_it_closed_is_not_sent_again(listener: socket.socket) -> None:
    async def drive() -> bytes:
        stream = stream_to(listener)
        await stream.send(b"one ")
        first, _ = listener.accept()
        assert first.recv(100) == b"one "
        first.close()
        await stream.send(b"two ")
        await stream.close()
        second, _ = listener.accept()
        with second:
            return read_all(second)

    assert asyncio.run(drive()) == b"two "


def test_a_frozen_server_gets_again_what_it_may_never_have_read(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    large = b"x" * 8_000_000

    async def drive() -> bytes:
        stream = stream_to(listener)
        await stream.send(b"one ")
        frozen, _ = listener.accept()
        with pytest.raises(RetryError, match=r"has taken nothing|has not confirmed"):
            await stream.send(large)
        with frozen:
            await stream.send(b"two ")
            await stream.close()
            second, _ = listener.accept()
            with second:
                return read_all(second)

    assert asyncio.run(drive()) == b"one two "


def test_no_more_than_4_mib_are_sent_again(listener: socket.socket) -> None:
    payloads = [bytes([number]) * 1_500_000 for number in range(4)]

    async def drive() -> bytes:
        stream = stream_to(listener)
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(stream.send(payloads[0]))
        first, _ = await loop.run_in_executor(None, listener.accept)
        reading = loop.run_in_executor(None, _read, first, 4 * 1_500_000)
        await sending
        for payload in payloads[1:]:
            await stream.send(payload)
        await reading
        _reset(first)
        sending = asyncio.create_task(stream.send(b"end"))
        second, _ = await loop.run_in_executor(None, listener.accept)
        with second:
            reading = loop.run_in_executor(None, _read, second, 2 * 1_500_000 + 3)
            await sending
            await stream.close()
            return await reading

    assert asyncio.run(drive()) == payloads[2] + payloads[3] + b"end"


def _read(server: socket.socket, count: int) -> bytes:
    server.settimeout(10)
    data = b""
    while len(data) < count:
        data += server.recv(65_536)
    return data


def _reset(server: socket.socket) -> None:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()

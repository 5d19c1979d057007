import asyncio
import select
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plugin.sinks.base import RetryError
from plugin.sinks.transport import resending_stream
from plugin.sinks.transport.dial import Address, Limits
from plugin.sinks.transport.resending_stream import UnansweredStream
from plugin.sinks.transport.stream import StreamConnection
from tests.testbed.ports import HeldPort

LIMITS = Limits(connect=120, write=120, read=120, trial=0.05)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def stream_to(listener: socket.socket, limits: Limits = LIMITS) -> UnansweredStream:
    return UnansweredStream(StreamConnection(Address("127.0.0.1", listener.getsockname()[1]), limits=limits))


def wait_for_the_end(stream: UnansweredStream) -> None:
    """Wait until the kernel knows that the server has ended the connection; the stream itself is given no chance."""
    connection = stream._connection._socket
    assert connection is not None
    readable = select.poll()
    readable.register(connection, select.POLLIN)
    assert readable.poll(120_000)


async def with_one_read(listener: socket.socket) -> tuple[UnansweredStream, socket.socket]:
    """Send "one " to a server that reads it; return the server's end, too."""
    stream = stream_to(listener)
    await stream.send(b"one ")
    first, _ = listener.accept()
    assert first.recv(100) == b"one "
    return stream, first


async def left_with_bytes_unread(listener: socket.socket) -> UnansweredStream:
    """Send to a server that reads "one ", and dies before it has read "two "."""
    stream, first = await with_one_read(listener)
    await stream.send(b"two ")
    first.close()
    wait_for_the_end(stream)
    return stream


def read_all(server: socket.socket) -> bytes:
    server.settimeout(60)
    data = b""
    while part := server.recv(65_536):
        data += part
    return data


def read_next(listener: socket.socket) -> bytes:
    """Read all that comes over the next connection."""
    connection, _ = listener.accept()
    with connection:
        return read_all(connection)


def test_what_a_server_left_unread_when_it_died_is_sent_again(listener: socket.socket) -> None:
    async def drive() -> bytes:
        stream = await left_with_bytes_unread(listener)
        await stream.send(b"three ")
        await stream.close()
        return read_next(listener)

    # What was read cannot be told from what was not.
    assert asyncio.run(drive()) == b"one two three "


def test_it_is_sent_again_although_nothing_follows(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending_stream, "_FIRST_PAUSE", 0.01)

    async def drive() -> bytes:
        stream = await left_with_bytes_unread(listener)
        loop = asyncio.get_running_loop()
        for _ in range(2):  # a server that resets what it has accepted, as one that is not ready yet
            second, _ = await loop.run_in_executor(None, listener.accept)
            _reset(second)
        third, _ = await loop.run_in_executor(None, listener.accept)
        with third:
            received = await loop.run_in_executor(None, _read, third, 8)
            await stream.send(b"three ")
            await stream.close()
            return received + read_all(third)

    assert asyncio.run(drive()) == b"one two three "


def test_nothing_is_sent_when_a_server_closes_in_order(listener: socket.socket) -> None:
    async def drive() -> None:
        stream, first = await with_one_read(listener)
        first.close()
        while stream._connection.is_open:  # noqa: ASYNC110 (nothing else tells)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert not stream._connection.is_open
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        await stream.close()

    asyncio.run(drive())


def test_what_is_sent_again_in_vain_goes_with_the_next_payload() -> None:
    async def drive() -> bytes:
        stream = stream_to(listener)
        await stream.send(b"one ")
        first, _ = listener.accept()
        listener.close()
        first.close()
        wait_for_the_end(stream)
        with pytest.raises(RetryError):
            await stream.send(b"two ")
        with socket.create_server(("127.0.0.1", port.number)) as again:
            await stream.send(b"two ")
            await stream.close()
            return read_next(again)

    with HeldPort() as port, socket.create_server(("127.0.0.1", port.number)) as listener:
        assert asyncio.run(drive()) == b"one two "


def test_what_a_server_has_read_before_it_closed_is_not_sent_again(listener: socket.socket) -> None:
    async def drive() -> bytes:
        stream, first = await with_one_read(listener)
        first.close()
        wait_for_the_end(stream)
        await stream.send(b"two ")
        await stream.close()
        return read_next(listener)

    assert asyncio.run(drive()) == b"two "


def test_a_frozen_server_gets_again_what_it_may_never_have_read(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    large = b"x" * 8_000_000

    async def drive() -> bytes:
        stream = stream_to(listener, replace(LIMITS, write=0.5))
        await stream.send(b"one ")
        frozen, _ = listener.accept()
        with pytest.raises(RetryError, match=r"has taken nothing|has not confirmed"):
            await stream.send(large)
        with frozen:
            await stream.send(b"two ")
            await stream.close()
            return read_next(listener)

    assert asyncio.run(drive()) == b"one two "


def test_a_server_that_resets_all_connections_does_not_get_the_same_for_ever(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resending_stream, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(resending_stream, "_LAST_PAUSE", 0.02)
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(100))
        await asyncio.sleep(0.1)
        _reset(writer.get_extra_info("socket").dup())
        writer.transport.abort()

    async def drive() -> None:
        async with await asyncio.start_server(serve, sock=listener.dup()):
            stream = stream_to(listener)
            await stream.send(b"one ")
            while "is not sent again" not in caplog.text:  # noqa: ASYNC110 (nothing else tells)
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            await stream.close()

    asyncio.run(asyncio.wait_for(drive(), 300))
    assert received == [b"one "] * 9


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
    server.settimeout(60)
    data = b""
    while len(data) < count:
        data += server.recv(65_536)
    return data


def _reset(server: socket.socket) -> None:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()

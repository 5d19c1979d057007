"""Whoever reaches the TCP address is bounded: in connections, in what they send, and in how long they take."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from plugin.api import tcp_protocol
from plugin.api.tcp_protocol import BoundedProtocol, Connections

GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("x" * (10_000_000 if scope["path"] == "/large" else 5))(scope, receive, send)


class Address:
    """A server on a loopback address, and connections to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = Connections()

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))

    async def ask(self, request: bytes) -> bytes:
        """Send bytes; return all that comes until the end."""
        reader, writer = await self.connect()
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            return await reader.read()
        return b""


@contextlib.asynccontextmanager
async def serving(hosts: tuple[str, ...] = ()) -> AsyncIterator[Address]:
    config = uvicorn.Config(app, log_config=None, ws="none")
    config.load()
    state = uvicorn.server.ServerState()
    address = Address(0)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedProtocol(config, state, {}, address.connections, hosts), "127.0.0.1", 0
    )
    address.port = server.sockets[0].getsockname()[1]
    try:
        yield address
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()


def run(test: Callable[[Address], Awaitable[None]], hosts: tuple[str, ...] = ()) -> None:
    async def main() -> None:
        async with serving(hosts) as address:
            await test(address)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.001)


async def is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


def test_a_request_is_answered_and_the_connection_kept() -> None:
    async def test(address: Address) -> None:
        reader, writer = await address.connect()
        for _ in range(3):
            writer.write(GET)
            answer = await reader.readuntil(b"xxxxx")
            assert answer.startswith(b"HTTP/1.1 200 ")

    run(test)


def test_one_address_has_a_share_of_the_connections() -> None:
    async def test(address: Address) -> None:
        held = [await address.connect() for _ in range(tcp_protocol.MOST_PER_ADDRESS)]
        refused, _ = await address.connect()
        assert await is_ended(refused)
        other, writer = await address.connect("127.0.0.2")
        writer.write(GET)
        assert b"200" in await other.readline()
        held[0][1].close()
        await held[0][1].wait_closed()
        await until(lambda: address.connections._by_address["127.0.0.1"] < tcp_protocol.MOST_PER_ADDRESS)
        reader, writer = await address.connect()
        writer.write(GET)
        assert b"200" in await reader.readline()

    run(test)


def test_all_together_are_bounded() -> None:
    async def test(address: Address) -> None:
        held = [await address.connect(f"127.0.0.{2 + number % 8}") for number in range(tcp_protocol.MOST_CONNECTIONS)]
        refused, _ = await address.connect()
        assert await is_ended(refused)
        assert address.connections._by_address.total() == len(held), "no other was ended"

    run(test)


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3_000, b"GET /" + b"x" * 20_000, b"X" * 300_000]
)
def test_a_request_that_is_too_large_ends_the_connection(request_: bytes) -> None:
    async def test(address: Address) -> None:
        assert b"200" not in await address.ask(request_)

    run(test)


def test_so_does_one_that_comes_in_many_pieces() -> None:
    async def test(address: Address) -> None:
        reader, writer = await address.connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(tcp_protocol.LARGEST_REQUEST):
                writer.write(b"X: y\r\n")
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")

    run(test)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET])
def test_one_who_is_idle_is_ended(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_protocol, "REQUEST_WITHIN", 0.05)

    async def test(address: Address) -> None:
        assert (b"200" in await address.ask(sent)) == (sent == GET)

    run(test)


def test_one_who_sends_a_byte_now_and_then_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_protocol, "REQUEST_WITHIN", 0.05)

    async def test(address: Address) -> None:
        reader, writer = await address.connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        ended = asyncio.create_task(is_ended(reader))
        while not ended.done():
            writer.write(b"X")
            await asyncio.sleep(0.01)
        assert await ended

    run(test)


def test_one_who_does_not_take_the_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_protocol, "ANSWER_WITHIN", 0.05)

    async def test(address: Address) -> None:
        _, writer = await address.connect()
        writer.write(GET.replace(b"/", b"/large", 1))
        await until(lambda: bool(address.connections._by_address))
        await until(lambda: not address.connections._by_address)

    run(test)


def test_requests_that_do_not_wait_for_answers_end_the_connection() -> None:
    async def test(address: Address) -> None:
        assert (await address.ask(GET * 100)).count(b"HTTP/1.1 200") <= 1

    run(test)


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:9464", None, 200),
        ("localhost", None, 200),
        ("LOCALHOST:1", "http://localhost:1", 200),
        ("[::1]:9464", None, 200),
        ("10.1.2.3", None, 200),
        ("logs.example.com:9464", None, 200),
        ("evil.example.com", None, 421),
        ("127.0.0.1.evil.com:80", None, 421),
        ("localhost.evil.com", None, 421),
        ("", None, 421),
        ("127.0.0.1:9464", "http://evil.example.com", 403),
        ("127.0.0.1:9464", "null", 403),
        ("127.0.0.1:9464", "http://127.0.0.1:9465", 403),
    ],
)
def test_other_hosts_and_pages_of_others_are_not_answered(host: str, origin: str | None, status: int) -> None:
    async def test(address: Address) -> None:
        extra = "" if origin is None else f"Origin: {origin}\r\n"
        answer = await address.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode())
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())

    run(test, ("logs.example.com",))


def test_a_client_without_a_host_is_no_browser() -> None:
    async def test(address: Address) -> None:
        assert b"200" in await address.ask(b"GET / HTTP/1.0\r\n\r\n")

    run(test)

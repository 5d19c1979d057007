"""HTTP servers for the tests of sinks: pytest-httpserver (Werkzeug) for answers, raw sockets for faults."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.sinks.base import Sink, SinkError
from tests.sinks.factories import records_of

ANY_PATH = re.compile(".*")

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.contextmanager
def http_server(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[HTTPServer]:
    """A server on a port (0: a free one) that answers as a test says; with a TLS context, by https."""
    with HTTPServer(host="127.0.0.1", port=port, ssl_context=tls) as server:
        yield server


def answer(server: HTTPServer, status: int = 204, body: str = "", **headers: str) -> None:
    """Let it answer everything so from now on; ``_`` in the names of headers stands for ``-``."""
    server.clear_all_handlers()
    server.expect_request(ANY_PATH).respond_with_data(
        body, status, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def answer_by(server: HTTPServer, handler: Callable[[Request], Response]) -> None:
    """Let a function answer from now on."""
    server.clear_all_handlers()
    server.expect_request(ANY_PATH).respond_with_handler(handler)


def requests_of(server: HTTPServer) -> list[Request]:
    """The requests that it got."""
    return [request for request, _ in server.log]


def deliver(sink: Sink[Any], *lines: bytes) -> None:
    """Encode lines and send them, in a loop of its own."""
    asyncio.run(_deliver(sink, lines))


async def _deliver(sink: Sink[Any], lines: Sequence[bytes]) -> None:
    try:
        await sink.send(sink.encode(records_of(sink, lines)))
    finally:
        await sink.close()


def failure_of(sink: Sink[Any], *lines: bytes) -> SinkError:
    """Send lines, which must fail; give the failure."""
    with pytest.raises(SinkError) as caught:
        deliver(sink, *lines)
    return caught.value


@contextlib.asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[int]:
    """A TCP server that does with each connection what a function does; return its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Read one request; give its head and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
    return head, await reader.readexactly(int(length[1]) if length else 0)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test, and files with what it issued."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    authority: trustme.CA

    def server_context(self, name: str = "127.0.0.1", *, asks_for_certificate: bool = False) -> ssl.SSLContext:
        """TLS of a server with a certificate for a name, which may ask for one of the same authority.

        With TLS 1.3 a client may have sent a request when it is refused, and then hear of nothing but a reset.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        if asks_for_certificate:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def make_authority(folder: Path) -> Authority:
    """Make an authority, and write its certificate and one for a client into a folder."""
    authority = trustme.CA()
    client = authority.issue_cert("client.example")
    made = Authority(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", authority)
    authority.cert_pem.write_to_path(made.ca_file)
    client.cert_chain_pems[0].write_to_path(made.cert_file)
    client.private_key_pem.write_to_path(made.key_file)
    return made

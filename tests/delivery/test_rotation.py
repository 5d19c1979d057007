"""Tokens, keys and certificates that are replaced in their files while logs are delivered: nothing is restarted."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.delivery.timing import Timing
from plugin.delivery.worker import Worker
from tests.delivery.worker_harness import WorkerHarness, until, working
from tests.sinks.fluentd.fluent_bit_server import ForwardServer
from tests.sinks.http.receiver import decode_objects
from tests.sinks.http_servers import Authority, answer_by, http_server, make_authority
from tests.testbed.ports import HeldPort

QUICK_TO_LOOK = Timing(look=0.05)


@pytest.fixture
def forward_server() -> Iterator[Callable[..., ForwardServer]]:
    """Starts a server at a port with these options; it is ended with the test."""
    servers: list[ForwardServer] = []

    def start(port: HeldPort, **options: Any) -> ForwardServer:
        server = ForwardServer(listenOptions={"host": "127.0.0.1", "port": port.number}, **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def port() -> Iterator[HeldPort]:
    """A port at which servers can follow one another."""
    with HeldPort() as held:
        yield held


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file with the old token."""
    path = tmp_path / "token"
    path.write_text("old\n")
    return path


def renew(token: Path) -> None:
    """Put the new token in its file."""
    token.write_text("new\n")


def with_token(server: HTTPServer, token: Path) -> dict[str, str]:
    """The log-opts for a server that wants the token of a file."""
    return {"http-url": server.url_for("/"), "http-bearer-token-file": str(token)}


@asynccontextmanager
async def delivering(folder: Path, options: Mapping[str, str]) -> AsyncIterator[tuple[WorkerHarness, Worker]]:
    """Have the log of a container with these log-opts delivered meanwhile."""
    harness = WorkerHarness(folder, options)
    async with working(harness.data, timing=QUICK_TO_LOOK) as worker:
        yield harness, worker
    harness.journal.close()


def take(server: HTTPServer, token: str = "") -> list[bytes]:
    """Let a server take records, with a token if one is given; returns the lines as they arrive."""
    lines: list[bytes] = []

    def serve(request: Request) -> Response:
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            return Response(status=401)
        lines.extend(record.line for record in decode_objects(request.get_data()))
        return Response(status=204)

    answer_by(server, serve)
    return lines


@pytest.mark.parametrize("first", ["server", "file"])
def test_a_token(tmp_path: Path, token: Path, first: str) -> None:
    async def story() -> None:
        with http_server() as server:
            lines = take(server, "old")
            async with delivering(tmp_path, with_token(server, token)) as (harness, worker):
                before = harness.journal.lines(0, 10)
                await until(lambda: lines == before)
                ((_, destination),) = worker._destinations

                if first == "file":
                    renew(token)
                lines = take(server, "new")
                after = harness.journal.lines(10, 10)
                if first == "server":
                    await until(lambda: destination.state.misconfigured)
                    renew(token)
                await until(lambda: lines == after)
                await until(lambda: not destination.state.failing_since)

    asyncio.run(story())


def test_a_token_that_was_replaced_before_it_is_refused_is_used_at_once(tmp_path: Path, token: Path) -> None:
    async def story() -> None:
        with http_server() as server:
            lines = take(server, "old")
            slow = {"retry-min": "1h", "retry-max": "1h"}
            async with delivering(tmp_path, with_token(server, token) | slow) as (harness, _):
                before = harness.journal.lines(0, 10)
                await until(lambda: lines == before)
                renew(token)
                lines = take(server, "new")
                after = harness.journal.lines(10, 10)
                await until(lambda: lines == after)

    asyncio.run(story())


def test_a_token_whose_file_is_away_for_a_while(tmp_path: Path, token: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        with http_server() as server:
            lines = take(server, "new")
            async with delivering(tmp_path, with_token(server, token)) as (harness, worker):
                await until(lambda: list(worker._destinations))
                os.unlink(token)
                printed = harness.journal.lines(0, 10)
                await until(lambda: str(token) in caplog.text)
                renew(token)
                await until(lambda: lines == printed)

    asyncio.run(story())


def write_certificate(authority: Authority, folder: Path) -> None:
    """Put what an authority has made in the place of what is in the files, one file after the other."""
    for file in (authority.ca_file, authority.cert_file, authority.key_file):
        (folder / file.name).write_bytes(file.read_bytes())


@pytest.mark.parametrize("first", ["server", "files"])
def test_certificates(tmp_path: Path, port: HeldPort, first: str) -> None:
    folders = [tmp_path / name for name in ("old", "new", "used")]
    for folder in folders:
        folder.mkdir()
    old, new = make_authority(folders[0]), make_authority(folders[1])
    used = folders[2]
    write_certificate(old, used)

    async def story() -> None:
        with http_server(old.server_context(asks_for_certificate=True), port.number) as server:
            options = {
                "http-url": server.url_for("/"),
                "http-tls-ca-file": str(used / "ca.pem"),
                "http-tls-cert-file": str(used / "cert.pem"),
                "http-tls-key-file": str(used / "key.pem"),
            }
            lines = take(server)
            async with delivering(tmp_path, options) as (harness, worker):
                before = harness.journal.lines(0, 10)
                await until(lambda: lines == before)
                ((_, destination),) = worker._destinations

                if first == "files":
                    write_certificate(new, used)
                server.stop()
                with http_server(new.server_context(asks_for_certificate=True), port.number) as other:
                    lines = take(other)
                    after = harness.journal.lines(10, 10)
                    if first == "server":
                        await until(lambda: destination.state.misconfigured)
                        write_certificate(new, used)
                    await until(lambda: lines == after)

    asyncio.run(story())


def test_the_shared_key_of_a_forward_server(
    tmp_path: Path, forward_server: Callable[..., ForwardServer], port: HeldPort
) -> None:
    key = tmp_path / "key"
    key.write_text("old\n")

    def serve(shared_key: str) -> ForwardServer:
        return forward_server(port, security={"serverHostname": "server", "sharedKey": shared_key})

    async def story() -> None:
        server = serve("old")
        options = {"fluentd-address": server.address, "fluentd-shared-key-file": str(key)}
        async with delivering(tmp_path, options) as (harness, worker):
            harness.journal.lines(0, 10)
            await until(lambda: len(server.entries) == 10)
            ((_, destination),) = worker._destinations
            server.kill()
            server = serve("new")
            harness.journal.lines(10, 10)
            await until(lambda: destination.state.misconfigured)
            key.write_text("new\n")
            await until(lambda: len(server.entries) == 10)

    asyncio.run(story())


def test_tls_of_a_forward_server(tmp_path: Path, forward_server: Callable[..., ForwardServer], port: HeldPort) -> None:
    ca = tmp_path / "ca.pem"

    def serve() -> ForwardServer:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca)
        own = authority.issue_cert("127.0.0.1")
        pem = b"".join(blob.bytes() for blob in own.cert_chain_pems).decode()
        return forward_server(port, tlsOptions={"key": own.private_key_pem.bytes().decode(), "cert": pem})

    async def story() -> None:
        server = serve()
        options = {"fluentd-address": f"tls://{server.address}", "fluentd-tls-ca-cert": str(ca)}
        async with delivering(tmp_path, options) as (harness, _):
            harness.journal.lines(0, 10)
            await until(lambda: len(server.entries) == 10)
            server.kill()
            server = serve()
            harness.journal.lines(10, 10)
            await until(lambda: len(server.entries) == 10)

    asyncio.run(story())

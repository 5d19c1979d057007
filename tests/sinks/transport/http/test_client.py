"""What the client makes of servers that behave, and of those that do not."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_httpserver import HTTPServer

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.http import client
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.headers import Headers
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import parse_url
from tests.sinks.http_servers import (
    Authority,
    Handler,
    answer,
    http_server,
    make_authority,
    raw_server,
    read_request,
    requests_of,
)
from tests.testbed.ports import CLOSED_PORT

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server)
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


def settings_for(url: str, timeout: float = 120) -> HttpSettings:
    return HttpSettings(url=parse_url(url), timeout=timeout)


async def send_once(settings: HttpSettings, body: bytes = b"body") -> bytes:
    client = HttpClient(settings)
    try:
        return await client.send(body)
    finally:
        await client.close()


def send(settings: HttpSettings, body: bytes = b"body") -> bytes:
    return asyncio.run(send_once(settings, body))


def failure_of(settings: HttpSettings) -> SinkError:
    with pytest.raises(SinkError) as caught:
        send(settings)
    return caught.value


def failure_at(handler: Handler, timeout: float = 120, scheme: str = "http") -> SinkError:
    """Send to a server that does this; give the failure."""

    async def run() -> None:
        async with raw_server(handler) as port:
            await send_once(settings_for(f"{scheme}://127.0.0.1:{port}", timeout))

    with pytest.raises(SinkError) as caught:
        asyncio.run(run())
    return caught.value


def test_a_request_arrives_whole(server: HTTPServer) -> None:
    body = bytes(range(256)) * 20_000
    settings = replace(settings_for(server.url_for("/in?a=%2Fb")), headers={"Content-Type": "text/x-test"})
    send(settings, body)
    (request,) = requests_of(server)
    assert (request.method, request.full_path) == ("POST", "/in?a=/b")
    assert request.get_data() == body
    assert request.headers["Content-Type"] == "text/x-test"
    assert request.headers["User-Agent"] == "peavey"
    assert "Authorization" not in request.headers


def test_the_answer_is_given_back(server: HTTPServer) -> None:
    answer(server, 200, '{"ackId":1}')
    assert send(settings_for(server.url_for("/"))) == b'{"ackId":1}'


def test_user_and_password_of_the_url_authenticate(server: HTTPServer) -> None:
    url = f"http://Aladdin:open%20sesame@127.0.0.1:{server.port}/"
    send(settings_for(url))
    send(replace(settings_for(url), authorization=Secret("Bearer t")))
    send(replace(settings_for(url), given_headers=Headers(authorization="Mine x")))
    assert [request.headers["Authorization"] for request in requests_of(server)] == [
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Bearer t",
        "Mine x",
    ]


def test_connections_are_kept_and_closed_ones_are_rebuilt() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await read_request(reader)
            writer.write(OK)

    async def run() -> None:
        async with raw_server(serve) as port:
            client = HttpClient(settings_for(f"http://127.0.0.1:{port}"))
            for _ in range(4):
                await client.send(b"x")
                await asyncio.sleep(0.05)
            await client.close()
            await client.send(b"after close")
            await client.close()

    asyncio.run(run())
    assert connections == 3


def test_a_connection_is_not_used_again_after_an_error() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read_request(reader)
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")

    async def run() -> None:
        async with raw_server(serve) as port:
            client = HttpClient(settings_for(f"http://127.0.0.1:{port}"))
            for _ in range(2):
                with pytest.raises(RetryError, match="busy"):
                    await client.send(b"x")
            await client.close()

    asyncio.run(run())
    assert connections == 2


def test_names_are_resolved_for_each_connection(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def getaddrinfo(_loop: object, host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)

    async def run() -> None:
        # Werkzeug answers in HTTP/1.0: a connection for each request.
        client = HttpClient(settings_for(f"http://logs.example:{server.port}"))
        for _ in range(2):
            await client.send(b"x")
        await client.close()

    asyncio.run(run())
    assert asked == ["logs.example"] * 2


def test_nobody_listens() -> None:
    port = CLOSED_PORT
    fault = failure_of(settings_for(f"http://user:s3cret@127.0.0.1:{port}/path"))
    assert isinstance(fault, RetryError)
    assert str(fault) == f"cannot connect to http://127.0.0.1:{port}: connection refused"


def test_a_name_that_does_not_exist() -> None:
    fault = failure_of(settings_for("http://nowhere.invalid:1/"))
    assert isinstance(fault, RetryError)
    assert "cannot connect to http://nowhere.invalid:1" in str(fault)


def test_a_name_that_dns_cannot_have() -> None:
    with pytest.raises(ValueError, match="there is no such name"):
        settings_for(f"http://{'a' * 70}.example/")


def test_no_answer_in_time() -> None:
    async def never(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    fault = failure_at(never, timeout=0.3)
    assert isinstance(fault, RetryError)
    assert "did not answer within 0.3 s" in str(fault)


def test_an_answer_that_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await asyncio.sleep(0.05)

    assert isinstance(failure_at(drip, timeout=0.3), RetryError)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "closed it before it had answered"),
        (b"HTTP/1.1 20", "closed it before it had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "in the middle of its answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not HTTP"),
    ],
)
def test_a_server_that_closes_or_speaks_otherwise(sent: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(sent)

    fault = failure_at(serve)
    assert isinstance(fault, RetryError)
    assert reason in str(fault)


def test_a_status_counts_although_its_body_is_cut_off() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 10\r\n\r\nhalf")

    assert isinstance(failure_at(serve), RejectError)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async def run() -> bytes:
        async with raw_server(serve) as port:
            return await send_once(settings_for(f"http://127.0.0.1:{port}"))

    assert 65_536 <= len(asyncio.run(run())) < 65_536 + 8_192


def test_a_connection_that_is_reset() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    assert isinstance(failure_at(serve), RetryError)


def test_redirects_are_not_followed(server: HTTPServer) -> None:
    answer(server, 307, Location="http://elsewhere.example/")
    fault = failure_of(settings_for(server.url_for("/")))
    assert isinstance(fault, MisconfiguredError)
    assert "redirect" in str(fault)
    assert len(requests_of(server)) == 1


def test_secrets_do_not_come_back_in_messages(server: HTTPServer) -> None:
    answer(server, 401, "no: Basic dTpwYXNzdzByZA== passw0rd k3yk3y")
    url = f"http://u:passw0rd@127.0.0.1:{server.port}/"
    settings = replace(settings_for(url), given_headers=Headers({"X-Key": "k3yk3y"}))
    assert str(failure_of(settings)).endswith("no: *** *** ***")
    assert not any(secret in repr(settings) for secret in ("passw0rd", "k3yk3y", "dTpw"))


def test_a_path_or_a_query_that_is_a_key_does_not_come_back_in_messages(server: HTTPServer) -> None:
    answer(server, 404, "Cannot POST /hooks/k3y%2Fk3y?token=t0%20ken, nor /hooks/k3y/k3y: no t0 ken in /hooks")
    fault = failure_of(settings_for(server.url_for("/hooks/k3y%2Fk3y?token=t0%20ken")))
    assert str(fault).endswith("Cannot POST ***?***, nor ***: no *** in /hooks")


def test_tls_with_an_authority_of_ones_own(authority: Authority) -> None:
    with http_server(authority.server_context()) as server:
        answer(server)
        send(replace(settings_for(server.url_for("/")), ca=authority.ca_file))
        send(replace(settings_for(server.url_for("/")), verify=False))
        assert len(requests_of(server)) == 2


def test_an_authority_that_is_not_known(authority: Authority) -> None:
    with http_server(authority.server_context()) as server:
        fault = failure_of(settings_for(server.url_for("/")))
    assert isinstance(fault, MisconfiguredError)
    assert "certificate of https://127.0.0.1" in str(fault)
    assert "unable to get local issuer certificate" in str(fault)


def test_a_certificate_for_another_name(authority: Authority) -> None:
    with http_server(authority.server_context("logs.example")) as server:
        answer(server)
        settings = replace(settings_for(server.url_for("/")), ca=authority.ca_file)
        fault = failure_of(settings)
        assert isinstance(fault, MisconfiguredError)
        assert "IP address mismatch" in str(fault)
        send(replace(settings, server_name="logs.example"))


def test_a_server_that_asks_for_a_certificate(authority: Authority) -> None:
    with http_server(authority.server_context(asks_for_certificate=True)) as server:
        answer(server)
        settings = replace(settings_for(server.url_for("/")), ca=authority.ca_file)
        assert isinstance(failure_of(settings), MisconfiguredError)
        send(replace(settings, cert=authority.cert_file, key=authority.key_file))


def test_https_at_a_server_without_tls() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    fault = failure_at(serve, scheme="https")
    assert isinstance(fault, MisconfiguredError)
    assert "no TLS with https://127.0.0.1" in str(fault)


def test_a_proxy_with_a_password(server: HTTPServer) -> None:
    proxy = parse_url(f"http://me:s3cret@127.0.0.1:{server.port}")
    send(replace(settings_for("http://logs.example:3100/in"), proxy=proxy))
    (request,) = requests_of(server)
    assert request.environ["REQUEST_URI"] == "http://logs.example:3100/in"
    assert request.headers["Proxy-Authorization"] == "Basic bWU6czNjcmV0"


def test_a_proxy_for_tls_that_refuses_us() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        assert head.startswith("CONNECT logs.example:443 ")
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

    async def run() -> None:
        async with raw_server(serve) as port:
            proxy = parse_url(f"http://127.0.0.1:{port}")
            await send_once(replace(settings_for("https://logs.example/"), proxy=proxy))

    with pytest.raises(MisconfiguredError, match=r"the proxy http://127.0.0.1:.*407.*password of the proxy"):
        asyncio.run(run())


def test_a_proxy_for_tls_lets_us_through(authority: Authority) -> None:
    with http_server(authority.server_context("logs.example")) as server:
        answer(server)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while content := await source.read(65536):
                    target.write(content)
                    await target.drain()
                target.close()

            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

        async def run() -> None:
            async with raw_server(relay) as port:
                proxy = parse_url(f"http://127.0.0.1:{port}")
                settings = replace(settings_for("https://logs.example/in"), proxy=proxy, ca=authority.ca_file)
                await send_once(settings)

        asyncio.run(run())
        assert [request.path for request in requests_of(server)] == ["/in"]


def test_a_proxy_that_is_down() -> None:
    proxy = parse_url(f"http://me:s3cret@127.0.0.1:{CLOSED_PORT}")
    fault = failure_of(replace(settings_for("http://logs.example/"), proxy=proxy))
    assert isinstance(fault, RetryError)
    assert "cannot connect to the proxy http://127.0.0.1" in str(fault)
    assert "s3cret" not in str(fault)


def test_the_proxy_of_the_environment(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "inside.example")
    send(settings_for("http://outside.example/"))
    assert isinstance(failure_of(settings_for("http://inside.example:1/")), UnavailableError)
    assert isinstance(failure_of(settings_for(f"http://127.0.0.1:{CLOSED_PORT}/")), UnavailableError)
    assert [request.environ["REQUEST_URI"] for request in requests_of(server)] == ["http://outside.example/"]


def test_a_host_from_which_nothing_comes_cannot_be_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_CONNECT_SECONDS", 0.3)
    with socket.socket() as full, contextlib.ExitStack() as others:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # once one waits to be accepted, the kernel drops what comes
        others.enter_context(socket.create_connection(full.getsockname()))
        for _ in range(2):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        fault = failure_of(settings_for(f"http://127.0.0.1:{full.getsockname()[1]}/"))
    assert isinstance(fault, UnavailableError)
    assert "cannot connect to http://127.0.0.1" in str(fault)
    assert "within 0.3 s" in str(fault)

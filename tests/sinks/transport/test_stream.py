import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from plugin.sinks.base import MisconfiguredError, RetryError, UnavailableError
from plugin.sinks.transport import stream as connection_module
from plugin.sinks.transport.dial import Address, Limits
from plugin.sinks.transport.stream import StreamConnection
from plugin.sinks.transport.tls.context import ClientTls
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.waiting import wait_until

Done = TypeVar("Done")

PATIENT = Limits(connect=120, write=120, read=120, trial=0.2)
"""For what is to come in time: a machine may be very busy."""
QUICK = Limits(connect=1, write=0.3, read=0.3, trial=0.2)
"""For what never comes."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
        # A thread that waits there would wait for ever, or at what gets the number of this file next.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def connection_to(
    listener: socket.socket, tls: ClientTls | None = None, host: str = "localhost", limits: Limits = PATIENT
) -> StreamConnection:
    return StreamConnection(Address(host, listener.getsockname()[1]), tls, limits)


def test_bytes_count_as_arrived_when_the_peers_kernel_has_them_all(listener: socket.socket) -> None:
    async def drive() -> None:
        connection = connection_to(listener)
        assert await connection.open()
        await connection.write(b"abc")
        await connection.drained()
        assert not await connection.open()
        await connection.close()
        assert not connection.is_open

    asyncio.run(drive())
    peer, _ = listener.accept()
    with peer:
        assert peer.recv(100) == b"abc"


def test_the_peer_answers(listener: socket.socket) -> None:
    async def drive() -> None:
        connection = connection_to(listener)
        await connection.open()
        peer, _ = listener.accept()
        with peer:
            peer.send(b"yes")
            assert await connection.read() == b"yes"
            peer.send(b"last")
            peer.shutdown(socket.SHUT_WR)
            assert await connection.read() == b"last"
            with pytest.raises(RetryError, match="has closed the connection"):
                await connection.read()
        assert not connection.is_open

    asyncio.run(drive())


def test_a_peer_that_closed_since_is_connected_to_anew(listener: socket.socket) -> None:
    async def drive() -> None:
        connection = connection_to(listener)
        await connection.open()
        listener.accept()[0].close()
        assert await connection.open()
        assert connection.ended_orderly
        await connection.close()

    asyncio.run(drive())


def test_a_peer_that_accepts_and_then_closes_has_not_got_anything(listener: socket.socket) -> None:
    def accept_and_close() -> None:
        peer, _ = listener.accept()
        peer.recv(1)
        threading.Event().wait(0.05)
        peer.close()

    async def drive() -> None:
        connection = connection_to(listener, limits=replace(PATIENT, trial=120))
        await connection.open()
        await connection.write(b"x")
        with pytest.raises(RetryError):
            await connection.drained()
        assert not connection.is_open

    closer = threading.Thread(target=accept_and_close)
    closer.start()
    asyncio.run(drive())
    closer.join()


def test_a_peer_that_takes_nothing_is_given_up(listener: socket.socket) -> None:
    async def drive() -> None:
        connection = connection_to(listener, limits=replace(PATIENT, write=0.3))
        await connection.open()
        with pytest.raises(RetryError, match=r"0\.3 s"):
            await connection.send(bytes(20_000_000))
        assert not connection.is_open

    asyncio.run(drive())


def test_a_slow_peer_that_goes_on_taking_is_not_given_up(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on by nearly the whole limit whenever the peer has taken something."""
    size = 8_000_000
    passed = [0.0]
    fewest = [size]

    def read_all() -> None:
        peer, _ = listener.accept()
        with peer:
            while peer.recv(400_000):
                pass

    async def drive() -> None:
        loop = asyncio.get_running_loop()
        now, write_slice, look = loop.time, StreamConnection._write_slice, connection_module._unacknowledged

        async def write_slowly(connection: StreamConnection, view: memoryview) -> None:
            await write_slice(connection, view)
            passed[0] += 0.8 * PATIENT.write
            await asyncio.sleep(0.001)  # whatever is over by now ends

        def look_at_slow_progress(connection: socket.socket) -> int:
            queued = look(connection)
            if queued < fewest[0]:
                passed[0] += 0.8 * PATIENT.write
            fewest[0] = min(fewest[0], queued)
            return queued

        monkeypatch.setattr(loop, "time", lambda: now() + passed[0])
        monkeypatch.setattr(StreamConnection, "_write_slice", write_slowly)
        monkeypatch.setattr(connection_module, "_unacknowledged", look_at_slow_progress)
        connection = connection_to(listener)
        await connection.send(bytes(size))
        await connection.close()

    reader = threading.Thread(target=read_all)
    reader.start()
    asyncio.run(drive())
    reader.join()
    assert passed[0] > 10 * PATIENT.write


def test_an_answer_that_does_not_come_is_not_waited_for(listener: socket.socket) -> None:
    async def drive() -> None:
        connection = connection_to(listener)
        await connection.open()
        with pytest.raises(RetryError, match=r"not answered within 0\.1 s"):
            await connection.read(0.1)

    asyncio.run(drive())


def test_nobody_listens() -> None:
    with pytest.raises(UnavailableError, match=f"cannot connect to localhost:{CLOSED_PORT}: Connection refused"):
        asyncio.run(StreamConnection(Address("localhost", CLOSED_PORT)).open())


@pytest.mark.parametrize("host", ["a" * 80, "name.invalid", "a..b"])
def test_a_name_that_cannot_be_found(host: str) -> None:
    with pytest.raises(UnavailableError, match="cannot connect"):
        asyncio.run(StreamConnection(Address(host, 1), limits=PATIENT).open())


def test_a_name_that_is_never_answered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", lambda *_arguments, **_options: loop.create_future())
        with pytest.raises(RetryError, match="within 1 s"):
            await StreamConnection(Address("name", 1), limits=QUICK).open()

    asyncio.run(drive())


def test_a_name_is_looked_up_for_each_connection_and_all_its_addresses_are_tried(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    async def drive() -> None:
        loop = asyncio.get_running_loop()
        good = (socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())
        bad = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))

        async def look_up(host: str, *_arguments: object, **_options: object) -> list[object]:
            calls.append(host)
            return [bad, good]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        connection = StreamConnection(Address("name", 1), limits=PATIENT)
        for _ in range(2):
            assert await connection.open()
            await connection.close()

    asyncio.run(drive())
    assert calls == ["name", "name"]


def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def drive() -> None:
        with pytest.raises(RetryError, match="/etc/peavey"):
            await StreamConnection(Address(path=path)).open()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            connection = StreamConnection(Address(path=path), limits=QUICK)
            await connection.open()
            peer, _ = server.accept()
            with peer:
                await connection.write(b"abc")
                with pytest.raises(RetryError, match="has not confirmed"):
                    await connection.drained()
                assert peer.recv(100) == b"abc"

    asyncio.run(drive())


# TLS


class TlsServer(threading.Thread):
    """Accepts TLS connections one after another, and keeps what they bring."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self.received: list[bytes] = []
        self._listener = listener
        self._tls = context
        self.start()

    def run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(60)
            try:
                with self._tls.wrap_socket(peer, server_side=True) as secure:
                    data = b""
                    while part := secure.recv(65_536):
                        data += part
                        if data.endswith(b"??"):
                            secure.sendall(b"answer")
                    self.received.append(data)
            except OSError:
                peer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def trusting(authority: trustme.CA, folder: Path) -> ClientTls:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return ClientTls(ca=folder / "ca.pem")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_all_bytes_go_over_tls_and_answers_come(
    listener: socket.socket, authority: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(authority)
    context.minimum_version = context.maximum_version = version
    server = TlsServer(listener, context)
    data = bytes(range(256)) * 8000

    async def drive() -> None:
        connection = connection_to(listener, trusting(authority, tmp_path))
        await connection.send(data)
        await connection.send(b"well?")
        await connection.write(b"?")
        answer = await connection.read()
        assert b"answer".startswith(answer[:6])
        assert not await connection.open()
        await connection.close()

    asyncio.run(drive())
    wait_until(lambda: server.received, "the server has seen the end")
    assert server.received == [data + b"well??"]


def test_a_certificate_for_another_name_is_refused(
    listener: socket.socket, authority: trustme.CA, tmp_path: Path
) -> None:
    TlsServer(listener, server_context(authority))
    with pytest.raises(MisconfiguredError, match=r"certificate of 127\.0\.0\.1"):
        asyncio.run(connection_to(listener, trusting(authority, tmp_path), "127.0.0.1").open())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_acknowledges_nothing_without_one(
    listener: socket.socket, authority: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(authority)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    server = TlsServer(listener, context)

    async def drive() -> None:
        connection = connection_to(listener, trusting(authority, tmp_path))
        with pytest.raises((MisconfiguredError, RetryError)):
            await connection.send(b"x")

    asyncio.run(drive())
    assert server.received == []


def test_a_server_that_does_not_speak_tls_is_a_misconfiguration(listener: socket.socket) -> None:
    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.send(b"220 mail.example.org ESMTP\r\n" * 10)
            peer.recv(10_000)

    server = threading.Thread(target=answer)
    server.start()
    with pytest.raises(MisconfiguredError, match="wrong version number"):
        asyncio.run(connection_to(listener, ClientTls(verify=False)).open())
    server.join()


def test_a_server_that_never_shakes_hands_is_given_up(listener: socket.socket) -> None:
    with pytest.raises(RetryError, match="within 1 s"):
        asyncio.run(connection_to(listener, ClientTls(verify=False), limits=QUICK).open())


class TlsByHand:
    """A TLS server that reads no more of its connection than it is told to."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        self._peer, _ = listener.accept()
        self._peer.settimeout(60)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._until_done(self._tls.do_handshake)

    def read(self) -> bytes:
        return self._until_done(lambda: self._tls.read(100))

    def say_goodbye_and_close(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._peer.sendall(self._outgoing.read())
        self._peer.close()

    def _until_done(self, step: Callable[[], Done]) -> Done:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._peer.sendall(self._outgoing.read())
                self._incoming.write(self._peer.recv(65_536))
            finally:
                self._peer.sendall(self._outgoing.read())


@pytest.mark.parametrize("left_unread", [b"", b"two"])
def test_a_goodbye_over_tls_does_not_say_that_all_was_read(
    listener: socket.socket, authority: trustme.CA, tmp_path: Path, left_unread: bytes
) -> None:
    async def drive() -> bool:
        connection = connection_to(listener, trusting(authority, tmp_path))
        accepting = asyncio.get_running_loop().run_in_executor(None, TlsByHand, listener, server_context(authority))
        sending = asyncio.create_task(connection.send(b"one"))
        server = await accepting
        await sending
        assert server.read() == b"one"
        if left_unread:
            await connection.send(left_unread)
        server.say_goodbye_and_close()
        await connection.ended()
        assert not connection.is_open
        return connection.ended_orderly

    assert asyncio.run(drive()) == (not left_unread)

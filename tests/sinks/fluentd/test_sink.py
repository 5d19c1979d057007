"""The sink ``fluentd``: its options, and servers of every kind."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trustme

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RetryError, Sink
from plugin.sinks.fluentd.options import FluentdOptions
from plugin.sinks.registry import schema
from tests.sinks.factories import INFO, origin_of, records_of, sink_of
from tests.sinks.fluentd.decoder import decode
from tests.sinks.fluentd.fluent_bit_server import ForwardServer
from tests.sinks.fluentd.scripted_server import Peer, ScriptedServer, stay_silent, take_all, take_one_and_close
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.waiting import wait_until

ID = INFO.container_id.encode()


def deliver(sink: Sink[Any], *payloads: bytes) -> None:
    """Send payloads one after the other, and close."""

    async def run() -> None:
        try:
            for payload in payloads:
                await sink.send(payload)
        finally:
            await sink.close()

    asyncio.run(run())


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [  # those of TestValidateLogOptAddress in moby's fluentd_test.go
            ("192.168.1.1", "192.168.1.1:24224"),
            ("192.168.1.1:", "192.168.1.1:24224"),
            ("192.168.1.1:123", "192.168.1.1:123"),
            ("[::1]", "[::1]:24224"),
            ("[::1]:65535", "[::1]:65535"),
            ("example.com:123", "example.com:123"),
            ("tcp://", "127.0.0.1:24224"),
            ("tcp://:123", "127.0.0.1:123"),
            ("tls://example.com", "example.com:24224"),
            ("unix:///some/socket.sock", "/some/socket.sock"),
            ("unix:///some/socket.sock:80", "/some/socket.sock:80"),
        ],
    )
    def test_addresses_are_read_as_docker_reads_them(self, text: str, expected: str) -> None:
        server = FluentdOptions.address.kind.parse(text)
        assert str(server.address) == expected
        assert server.tls == text.startswith("tls://")

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("://", "missing protocol scheme"),
            ("something://", "unsupported scheme: 'something'"),
            ("udp://", "unsupported scheme: 'udp'"),
            ("unixgram://", "unsupported scheme: 'unixgram'"),
            ("tcp+tls://", "unsupported scheme: 'tcp+tls'"),
            ("corrupted:c", "invalid port"),
            ("tcp://example.com:port", "invalid port"),
            ("tcp://example.com:-1", "invalid port"),
            ("tcp://example.com:65536", "invalid port"),
            ("tcp://example.com/", "should not contain a path element"),
            ("192.168.1.1:123/some-path", "should not contain a path element"),
            ("unix://", "path is empty"),
        ],
    )
    def test_addresses_that_docker_refuses_are_refused(self, text: str, fault: str) -> None:
        with pytest.raises(OptionError, match="log-opt 'fluentd-address': ") as raised:
            sink_of(fluentd_address=text)
        assert fault in str(raised.value)

    @pytest.mark.parametrize("text", ["-1", "1", "-1s", "99ms", "11s"])
    def test_reconnect_intervals_that_docker_refuses_are_refused(self, text: str) -> None:
        with pytest.raises(OptionError, match="fluentd-async-reconnect-interval"):
            sink_of(fluentd_async_reconnect_interval=text)

    def test_all_options_of_dockers_driver_are_accepted(self) -> None:
        options = {
            "fluentd-address": "tcp://127.0.0.1:24224",
            "fluentd-async": "true",
            "fluentd-async-connect": "true",
            "fluentd-async-reconnect-interval": "0",
            "fluentd-buffer-limit": "1m",
            "fluentd-max-retries": "4294967",
            "fluentd-request-ack": "true",
            "fluentd-retry-wait": "0s",
            "fluentd-sub-second-precision": "true",
            "fluentd-write-timeout": "100ms",
            "fluentd-read-timeout": "0",
        }
        validated = validate(options, schema=schema())
        assert {note.split("'")[1] for note in validated.notes} == {
            "fluentd-async",
            "fluentd-async-connect",
            "fluentd-buffer-limit",
            "fluentd-max-retries",
        }

    def test_the_retry_wait_is_dockers(self) -> None:
        def retry_min(**options: str) -> Any:
            (choice,) = validate({"sink": "fluentd"} | options, schema=schema()).sinks
            return choice.delivery.retry_min

        assert retry_min() == 1
        assert retry_min(**{"fluentd-retry-wait": "3s"}) == 3

    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            (
                {"fluentd_tls_ca_cert": "/ca.pem"},
                "'fluentd-tls-ca-cert' needs a fluentd-address that begins with tls://",
            ),
            ({"fluentd_password": "geheim"}, "need 'fluentd-shared-key'"),
            ({"fluentd_address": "tls://a", "fluentd_tls_key": "/key.pem"}, "needs 'fluentd-tls-cert'"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, options: dict[str, str], fault: str) -> None:
        with pytest.raises(OptionError) as raised:
            sink_of(**options)
        assert fault in str(raised.value)
        assert "geheim" not in str(raised.value)

    def test_a_missing_certificate_file_is_said_to_be_out_of_sight(self) -> None:
        with pytest.raises(MisconfiguredError, match="a managed plugin sees only one folder"):
            sink_of(fluentd_address="tls://127.0.0.1", fluentd_tls_ca_cert="/nowhere/ca.pem")

    def test_secrets_do_not_show(self) -> None:
        sink = sink_of(fluentd_shared_key="geheim", fluentd_username="joe", fluentd_password="vertraulich")  # noqa: S106
        held = repr(vars(sink)) + repr(vars(sink._client))  # type: ignore[attr-defined]
        assert "geheim" not in held
        assert "vertraulich" not in held


@pytest.fixture
def server() -> Iterator[Callable[..., ForwardServer]]:
    """Starts servers, which end with the test."""
    started: list[ForwardServer] = []

    def start(**options: Any) -> ForwardServer:
        started.append(ForwardServer(**options))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.close()


def payload_of(sink: Sink[Any], *lines: bytes, tag: str = "app") -> bytes:
    return sink.encode(records_of(sink, lines, origin_of(tag=tag)))


Start = Callable[..., ForwardServer]


@contextlib.contextmanager
def patience_of(sink: Sink[Any], seconds: float) -> Iterator[None]:
    """Have a sink wait no longer for an acknowledgement meanwhile: what is to come in time must not have this limit."""
    client = sink._client  # type: ignore[attr-defined]
    usual, client._patience = client._patience, seconds
    try:
        yield
    finally:
        client._patience = usual


class TestServers:
    @pytest.mark.parametrize("compression", ["none", "gzip"])
    def test_records_arrive_in_order_with_nanoseconds(self, server: Start, compression: str) -> None:
        receiver = server()
        options = {"fluentd_address": receiver.address, "fluentd_compress": compression}
        sink = sink_of(**options, fluentd_sub_second_precision="true")
        records = records_of(sink, [b"line %d" % number for number in range(20_000)])
        deliver(sink, *(sink.encode(records[start : start + 5000]) for start in range(0, 20_000, 5000)))
        entries = receiver.wait_for(20_000)
        assert [entry["record"]["log"] for entry in entries] == [f"line {number}" for number in range(20_000)]
        assert entries[1] == {
            "tag": "8c1f8c1f8c1f",
            "time": [1_700_000_000, 123_457_789],
            "record": {
                "container_id": INFO.container_id,
                "container_name": "/web",
                "source": "stdout",
                "log": "line 1",
            },
        }

    def test_several_tags_and_parts_arrive(self, server: Start) -> None:
        receiver = server()
        sink = sink_of(fluentd_address=f"tcp://{receiver.address}", fluentd_sub_second_precision="false")
        records = [records_of(sink, [b"x"], origin_of(tag=f"tag{number}"))[0] for number in range(300)]
        records[-1].part_ordinal, records[-1].part_id = 1, "1f00"
        deliver(sink, sink.encode(records))
        entries = receiver.wait_for(300)
        assert [entry["tag"] for entry in entries] == [f"tag{number}" for number in range(300)]
        assert entries[-1]["record"]["partial_id"] == "1f00"
        assert entries[0]["time"] == 1_700_000_000

    def test_a_unix_socket(self, server: Start, tmp_path: Path) -> None:
        receiver = server(listenOptions={"path": str(tmp_path / "fluent.sock")})
        sink = sink_of(fluentd_address=f"unix://{tmp_path}/fluent.sock")
        deliver(sink, payload_of(sink, b"hello"))
        assert receiver.wait_for(1)[0]["record"]["log"] == "hello"

    def test_without_acknowledgements(self, server: Start) -> None:
        receiver = server()
        sink = sink_of(fluentd_address=receiver.address, fluentd_request_ack="false")
        payload = payload_of(sink, b"hello")
        assert "chunk" not in decode(payload)[0][2]
        deliver(sink, payload)
        assert receiver.wait_for(1)[0]["record"]["log"] == "hello"

    def test_tls_is_verified(self, server: Start, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        own = authority.issue_cert("127.0.0.1")
        pem = b"".join(blob.bytes() for blob in own.cert_chain_pems).decode()
        receiver = server(tlsOptions={"key": own.private_key_pem.bytes().decode(), "cert": pem})
        address = f"tls://{receiver.address}"
        trusting = sink_of(fluentd_address=address, fluentd_tls_ca_cert=str(tmp_path / "ca.pem"))
        deliver(trusting, payload_of(trusting, b"trusted"))
        careless = sink_of(fluentd_address=address, fluentd_tls_skip_verify="true")
        deliver(careless, payload_of(careless, b"careless"))
        for other in (
            sink_of(fluentd_address=address),
            sink_of(
                fluentd_address=address.replace("127.0.0.1", "localhost"), fluentd_tls_ca_cert=f"{tmp_path}/ca.pem"
            ),
        ):
            with pytest.raises(MisconfiguredError, match="certificate"):
                deliver(other, payload_of(other, b"other"))
        assert [entry["record"]["log"] for entry in receiver.wait_for(2)] == ["trusted", "careless"]

    def test_the_handshake_with_a_shared_key_and_a_user(self, server: Start) -> None:
        security = {"serverHostname": "server", "sharedKey": "geheim", "authorize": True, "userDict": {"joe": "pw"}}
        receiver = server(security=security)

        def sink(**options: str) -> Sink[Any]:
            return sink_of(fluentd_address=receiver.address, **options)

        right = sink(fluentd_shared_key="geheim", fluentd_username="joe", fluentd_password="pw")  # noqa: S106
        deliver(right, payload_of(right, b"hello"), payload_of(right, b"again", b"and"))
        wrong_key = sink(fluentd_shared_key="other", fluentd_username="joe", fluentd_password="pw")  # noqa: S106
        with pytest.raises(MisconfiguredError, match="refuses us: shared key mismatch"):
            deliver(wrong_key, payload_of(wrong_key, b"x"))
        wrong_user = sink(fluentd_shared_key="geheim", fluentd_username="joe", fluentd_password="pass")  # noqa: S106
        with pytest.raises(MisconfiguredError, match="refuses us: username/password mismatch"):
            deliver(wrong_user, payload_of(wrong_user, b"x"))
        assert [entry["record"]["log"] for entry in receiver.wait_for(3)] == ["hello", "again", "and"]

    def test_a_server_that_is_restarted(self, server: Start) -> None:
        receiver = server()
        sink = sink_of(fluentd_address=receiver.address)

        async def run() -> None:
            await sink.send(payload_of(sink, b"before"))
            receiver.wait_for(1)
            receiver.kill()
            with pytest.raises(RetryError, match=r"cannot connect to .*: Connection refused"):
                await sink.send(payload_of(sink, b"meanwhile"))
            receiver.start()
            await sink.send(payload_of(sink, b"meanwhile"))
            await sink.send(payload_of(sink, b"after"))
            await sink.close()

        asyncio.run(run())
        assert [entry["record"]["log"] for entry in receiver.wait_for(3)] == ["before", "meanwhile", "after"]

    def test_a_server_that_is_frozen(self, server: Start) -> None:
        receiver = server()
        sink = sink_of(fluentd_address=receiver.address, fluentd_read_timeout="2m")
        payload = payload_of(sink, b"frozen")

        async def run() -> None:
            await sink.send(payload_of(sink, b"before"))
            receiver.wait_for(1)
            receiver.freeze()
            with patience_of(sink, 0.3), pytest.raises(RetryError, match=r"did not acknowledge within 0\.3 s$"):
                await sink.send(payload)
            receiver.thaw()
            await sink.send(payload)
            await sink.close()

        def arrived() -> set[str]:
            return {entry["record"]["log"] for entry in receiver.entries}

        asyncio.run(run())
        # What was under way when it froze may arrive twice.
        wait_until(lambda: arrived() == {"before", "frozen"}, "both lines arrive, and nothing else")


def pong(nonce: bytes, ping: Any) -> bytes:
    """Answer a PING as the server "server" with the key "geheim"."""
    key = hashlib.sha512(ping[2].encode() + b"server" + nonce + b"geheim").hexdigest()
    return bytes(msgpack.packb(["PONG", True, "", "server", key]))


class TestFaults:
    def test_a_server_that_never_acknowledges_is_said_to(self) -> None:
        with ScriptedServer(stay_silent) as receiver:
            sink = sink_of(fluentd_address=receiver.address, fluentd_read_timeout="100ms")
            with pytest.raises(RetryError, match="does not acknowledge at all, set fluentd-request-ack=false"):
                deliver(sink, payload_of(sink, b"x"))
            wait_until(lambda: receiver.tags, "the server has taken a connection")
            assert len(receiver.tags) == 1

    def test_a_server_that_falls_silent_gets_the_chunk_once_for_each_time_it_is_sent(self) -> None:
        def serve(peer: Peer) -> None:
            peer.acknowledge(peer.read())
            stay_silent(peer)

        async def run(sink: Sink[Any]) -> None:
            await sink.send(payload_of(sink, b"1", tag="a"))
            with patience_of(sink, 0.1), pytest.raises(RetryError, match=r"did not acknowledge within 0\.1 s$"):
                await sink.send(payload_of(sink, b"2", tag="b"))
            await sink.close()

        with ScriptedServer(serve) as receiver:
            asyncio.run(run(sink_of(fluentd_address=receiver.address, fluentd_read_timeout="2m")))
            wait_until(lambda: receiver.tags[0][1:], "the server has read what it does not acknowledge")
        assert receiver.tags == [["a", "b"]]

    def test_a_server_that_closes_without_acknowledging(self) -> None:
        with ScriptedServer(lambda peer: peer.read()) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            with pytest.raises(RetryError, match="has closed the connection before it acknowledged"):
                deliver(sink, payload_of(sink, b"x"))

    def test_what_was_acknowledged_before_the_server_closed_is_not_sent_again(self) -> None:
        with ScriptedServer(take_one_and_close, take_one_and_close, take_all) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            payload = b"".join(payload_of(sink, tag.encode(), tag=tag) for tag in ("a", "b", "c", "d"))
            deliver(sink, payload)
            acknowledged = [receiver.tags[0][0], receiver.tags[1][0], *receiver.tags[2]]
        assert acknowledged == ["a", "b", "c", "d"]

    def test_what_was_acknowledged_is_not_sent_again_with_the_payload_that_failed(self) -> None:
        with ScriptedServer(take_one_and_close, lambda peer: peer.read(), take_all) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            payload = b"".join(payload_of(sink, tag.encode(), tag=tag) for tag in ("a", "b"))
            with pytest.raises(RetryError):
                deliver(sink, payload)
            deliver(sink, payload)
            assert receiver.tags[1:] == [["b"], ["b"]]
            deliver(sink, payload)
            assert receiver.tags[-1] == ["a", "b"]

    def test_a_connection_that_was_closed_meanwhile_is_replaced_without_a_failure(self) -> None:
        with ScriptedServer(take_one_and_close, take_all) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            deliver(sink, payload_of(sink, b"1"), payload_of(sink, b"2"), payload_of(sink, b"3"))
            assert sum(map(len, receiver.tags)) == 3

    def test_a_server_that_wants_one_message_per_connection(self) -> None:
        def serve(peer: Peer) -> None:
            peer.send(msgpack.packb(["HELO", {"nonce": b"n", "auth": "", "keepalive": False}]))
            peer.read()
            peer.send(pong(b"n", peer.last))
            peer.acknowledge(peer.read())
            peer.read()

        with ScriptedServer(serve) as receiver:
            sink = sink_of(fluentd_address=receiver.address, fluentd_shared_key="geheim")
            deliver(sink, b"".join(payload_of(sink, b"x", tag=tag) for tag in ("a", "b")))
            assert receiver.tags == [["PING", "a"], ["PING", "b"]]

    def test_a_server_that_does_not_know_the_key_itself(self) -> None:
        def serve(peer: Peer) -> None:
            peer.send(msgpack.packb(["HELO", {"nonce": b"n", "auth": ""}]))
            peer.read()
            peer.send(msgpack.packb(["PONG", True, "", "server", "0" * 128]))
            peer.read()

        with ScriptedServer(serve) as receiver:
            sink = sink_of(fluentd_address=receiver.address, fluentd_shared_key="geheim")
            with pytest.raises(MisconfiguredError, match="does not know the shared key itself"):
                deliver(sink, payload_of(sink, b"x"))
            assert receiver.tags == [["PING"]]

    def test_a_server_that_wants_a_key_we_do_not_have(self) -> None:
        def serve(peer: Peer) -> None:
            peer.send(msgpack.packb(["HELO", {"nonce": b"n", "auth": ""}]))
            peer.read()
            peer.read()

        with ScriptedServer(serve) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            with pytest.raises(MisconfiguredError, match="asks for a shared key: set fluentd-shared-key"):
                deliver(sink, payload_of(sink, b"x"))

    @pytest.mark.parametrize(
        "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xc1", msgpack.packb({"ack": 7}), b"\xc0"]
    )
    def test_an_answer_that_is_not_of_the_protocol(self, answer: bytes) -> None:
        def serve(peer: Peer) -> None:
            peer.read()
            peer.send(answer)
            peer.read()

        with ScriptedServer(serve) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            with pytest.raises(RetryError, match="does not answer as a Forward server does"):
                deliver(sink, payload_of(sink, b"x"))

    def test_an_answer_in_pieces_and_one_for_another_chunk(self) -> None:
        def serve(peer: Peer) -> None:
            message = peer.read()
            peer.send(msgpack.packb({"ack": "another"}))
            for byte in msgpack.packb({"ack": message[2]["chunk"]}):
                peer.send(bytes((byte,)))
            peer.read()

        with ScriptedServer(serve) as receiver:
            sink = sink_of(fluentd_address=receiver.address)
            deliver(sink, payload_of(sink, b"x"))

    def test_no_server_at_all(self) -> None:
        sink = sink_of(fluentd_address=f"127.0.0.1:{CLOSED_PORT}")
        with pytest.raises(RetryError, match="Connection refused"):
            deliver(sink, payload_of(sink, b"x"))

    def test_connections_are_replaced_as_often_as_asked(self) -> None:
        with ScriptedServer(take_all) as receiver:
            sink = sink_of(fluentd_address=receiver.address, fluentd_async_reconnect_interval="100ms")

            async def run() -> None:
                await sink.send(payload_of(sink, b"1"))
                await sink.send(payload_of(sink, b"2"))
                await asyncio.sleep(0.12)
                await sink.send(payload_of(sink, b"3"))
                await sink.close()

            asyncio.run(run())
            assert len(receiver.tags) >= 2

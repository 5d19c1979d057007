"""The sink ``fluentd``: messages as the Forward protocol has them, and servers of every kind."""

import asyncio
import contextlib
import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RetryError, Sink
from plugin.sinks.fluentd.options import FluentdOptions
from plugin.sinks.registry import schema
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.fluentd.fluent_bit_server import ForwardServer
from tests.sinks.fluentd.scripted_server import Peer, ScriptedServer, stay_silent, take_all, take_one_and_close
from tests.sinks.strategies import SECOND, batches
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.waiting import wait_until

ID = INFO.container_id.encode()


def decoded(payload: bytes) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Take messages apart as a server does: tag, entries and option."""
    unpacker = msgpack.Unpacker(raw=False)
    unpacker.feed(payload)
    messages = []
    for tag, entries, option in unpacker:
        stream = msgpack.Unpacker(raw=False, max_buffer_size=2**31 - 1, object_pairs_hook=no_name_twice)
        stream.feed(gzip.decompress(entries) if option.get("compressed") == "gzip" else entries)
        messages.append((tag, list(stream), option))
    return messages


def no_name_twice(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def only_record(sink: Sink[Any], record: Record) -> dict[str, str]:
    """Encode a record, and give what a server makes of it."""
    ((_, ((_, fields),), _),) = decoded(sink.encode([record]))
    assert isinstance(fields, dict)
    return fields


def deliver(sink: Sink[Any], *payloads: bytes) -> None:
    """Send payloads one after the other, and close."""

    async def run() -> None:
        try:
            for payload in payloads:
                await sink.send(payload)
        finally:
            await sink.close()

    asyncio.run(run())


class TestEncoding:
    def test_a_record_is_packed_as_the_specification_says(self) -> None:
        sink = sink_of(fluentd_request_ack="false", fluentd_sub_second_precision="false")
        payload = sink.encode(records_of(sink, [b"hello"], origin_of(tag="app")))
        entry = (
            b"\x92"  # an array of two
            b"\xce\x65\x53\xf1\x00"  # 1700000000 as uint 32
            b"\x84"  # a map of four
            b"\xaccontainer_id\xd9\x40" + ID + b"\xaecontainer_name\xa4/web\xa6source\xa6stdout\xa3log\xa5hello"
        )
        assert payload == b"\x93\xa3app\xc4" + bytes((len(entry),)) + entry + b"\x81\xa4size\x01"

    def test_a_time_with_nanoseconds_is_an_extension_of_type_0(self) -> None:
        sink = sink_of(fluentd_sub_second_precision="true")
        ((_, ((time, _),), _),) = decoded(sink.encode(records_of(sink, [b"hello"])))
        assert time == msgpack.ExtType(0, (1_700_000_000).to_bytes(4, "big") + (123_456_789).to_bytes(4, "big"))

    @pytest.mark.parametrize(
        ("time", "seconds"), [(-1, 0), (0, 0), (2**31 * SECOND, 2**31 - 1), (2**63 - 1, 2**31 - 1)]
    )
    def test_a_time_that_cannot_be_expressed_becomes_the_nearest(self, time: int, seconds: int) -> None:
        for precise in ("true", "false"):
            sink = sink_of(fluentd_sub_second_precision=precise)
            ((_, ((found, _),), _),) = decoded(sink.encode(records_of(sink, [b""], time=time)))
            expected = msgpack.ExtType(0, seconds.to_bytes(4, "big") + bytes(4)) if precise == "true" else seconds
            assert found == expected

    @given(st.lists(st.one_of(st.text().map(str.encode), st.sampled_from([b"x" * 255, b"x" * 256, b"x" * 65_536]))))
    def test_every_line_arrives_as_it_is_and_in_order(self, lines: list[bytes]) -> None:
        sink = sink_of(sink="fluentd")
        messages = decoded(sink.encode(records_of(sink, lines)))
        assert [fields["log"].encode() for _, entries, _ in messages for _, fields in entries] == lines

    def test_what_is_not_utf8_is_replaced_since_fluentd_would_drop_the_connection(self) -> None:
        sink = sink_of(sink="fluentd")
        (record,) = records_of(sink, [b"caf\xc3\xa9 \xff\xe2\x82"])
        assert only_record(sink, record)["log"] == "café \ufffd\ufffd"

    def test_a_part_has_the_fields_that_docker_adds(self) -> None:
        sink = sink_of(sink="fluentd")
        assert not sink.joins_parts
        (record,) = records_of(sink, [b"part"], source="stderr")
        record.part_id, record.part_ordinal, record.part_last = "1f00", 2, True
        assert only_record(sink, record) == {
            "container_id": INFO.container_id,
            "container_name": "/web",
            "source": "stderr",
            "log": "part",
            "partial_message": "true",
            "partial_id": "1f00",
            "partial_ordinal": "2",
            "partial_last": "true",
        }
        record.part_last = False
        assert only_record(sink, record)["partial_last"] == "false"

    def test_attributes_go_along_and_may_replace_fields_but_not_the_line(self) -> None:
        sink = sink_of(sink="fluentd")
        attributes = {"app": "shop", "source": "label", "log": "label", "partial_id": "label"}
        (record,) = records_of(sink, [b"line"], origin_of(attributes=attributes))
        fields = only_record(sink, record)
        assert fields | {"app": "shop", "source": "label", "log": "line", "partial_id": "label"} == fields
        record.part_ordinal, record.part_id = 1, "1f00"
        fields = only_record(sink, record)
        assert fields | {"app": "shop", "source": "label", "log": "line", "partial_id": "1f00"} == fields

    def test_more_attributes_than_fit_a_small_map(self) -> None:
        sink = sink_of(sink="fluentd")
        attributes = {f"label{number}": "x" * number for number in range(100)}
        (record,) = records_of(sink, [b"line"], origin_of(attributes=attributes))
        assert only_record(sink, record) == {
            "container_id": INFO.container_id,
            "container_name": "/web",
            "source": "stdout",
            "log": "line",
            **attributes,
        }

    def test_there_is_a_message_per_tag(self) -> None:
        sink = sink_of(sink="fluentd")
        one, two = (records_of(sink, [b"1", b"2"], origin_of(tag=tag)) for tag in ("one", "two"))
        messages = decoded(sink.encode([one[0], two[0], two[1], one[1]]))
        assert [(tag, [fields["log"] for _, fields in entries]) for tag, entries, _ in messages] == [
            ("one", ["1", "2"]),
            ("two", ["1", "2"]),
        ]
        assert [option["size"] for _, _, option in messages] == [2, 2]

    def test_no_message_outgrows_what_fluent_bit_takes(self) -> None:
        sink = sink_of(sink="fluentd")
        records = records_of(sink, [b"x"] * 20_000)
        messages = decoded(sink.encode(records))
        assert len(messages) > 1
        assert sum(len(entries) for _, entries, _ in messages) == len(records)
        assert all(len(msgpack.packb(entries)) < 2_000_000 for _, entries, _ in messages)

    def test_chunks_are_gzipped_when_asked(self) -> None:
        sink = sink_of(fluentd_compress="gzip", fluentd_sub_second_precision="false")
        records = records_of(sink, [b"line"] * 1000)
        ((_, entries, option),) = decoded(sink.encode(records))
        assert option["compressed"] == "gzip"
        assert len(entries) == 1000
        assert len(sink.encode(records)) < 1000

    def test_a_chunk_has_the_same_id_when_it_is_sent_again_and_no_other_has(self) -> None:
        sink = sink_of(sink="fluentd")
        records = records_of(sink, [b"same", b"same", b"same"])
        other = records_of(sink, [b"same"], replace(origin_of(), birth=TIME + 1))
        batches = [records[:1], records[1:2], records[:2], records, other]
        ids = [decoded(sink.encode(batch))[0][2]["chunk"] for batch in batches]
        assert len(set(ids)) == len(batches)
        assert sink.encode(records) == sink.encode(records)

    @pytest.mark.parametrize("precise", ["true", "false"])
    @given(data=st.data())
    def test_any_batch_is_its_records_one_by_one_in_the_messages_of_their_tags(
        self, precise: str, data: st.DataObject
    ) -> None:
        sink = sink_of(fluentd_sub_second_precision=precise, fluentd_request_ack="false")
        origins = [origin_of(tag="web"), origin_of(tag="db", attributes={"app": "shop"}), origin_of(tag="web")]
        records = data.draw(batches([sink.prepare(origin) for origin in origins]))
        entries: dict[str, list[bytes]] = {}
        for record in records:
            entries.setdefault(record.prepared.tag, []).append(plainly(record, precise=precise == "true"))
        messages = [(tag, b"".join(packed), {"size": len(packed)}) for tag, packed in entries.items()]
        assert sink.encode(records) == b"".join(map(msgpack.packb, messages))


def plainly(record: Record, *, precise: bool) -> bytes:
    """Pack the entry of one record without regard to any other."""
    seconds, nanos = divmod(min(max(record.time_nano, 0), (2**31 - 1) * SECOND), SECOND)
    packed = seconds.to_bytes(4, "big")
    time = b"\xd7\x00" + packed + nanos.to_bytes(4, "big") if precise else b"\xce" + packed
    names = {name: value for name, value in record.prepared.fields.items() if name.startswith("container_")}
    others = {name: value for name, value in record.prepared.fields.items() if name not in names}
    if record.part_ordinal:
        fields = {"source": record.source, **names, **others}
        fields |= {"partial_message": "true", "partial_id": "1f00", "partial_ordinal": str(record.part_ordinal)}
        fields |= {"partial_last": "true" if record.part_last else "false"}
    else:
        fields = {**names, "source": record.source, **others}
    line = record.line.decode("utf-8", "replace")
    return b"\x92" + time + bytes(msgpack.packb({**fields, "log": line}))


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
        assert "chunk" not in decoded(payload)[0][2]
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

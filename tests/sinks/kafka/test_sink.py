"""The sink against brokers of librdkafka's, through a network that breaks."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka.admin import AdminClient

from plugin.sinks.base import (
    MisconfiguredError,
    Origin,
    Record,
    RejectError,
    RetryError,
    Sink,
    TooLargeError,
    UnavailableError,
)
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.kafka.cluster import (
    OUT_OF_ORDER,
    TOO_LARGE,
    UNAUTHORIZED_TOPIC,
    UNKNOWN_TOPIC,
    KafkaCluster,
    Message,
    kafka_cluster,
)
from tests.sinks.kafka.logins import PASSWORD, USER, asks_for_login, speaks_tls
from tests.sinks.receiving.received import without_repeats
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.waiting import wait_until


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    """Brokers of the test's own."""
    with kafka_cluster() as cluster:
        yield cluster


def make(cluster: KafkaCluster, **options: str) -> Sink[Any]:
    return sink_of(**{"kafka_brokers": cluster.address} | options)


def send(sink: Sink[Any], *batches: Sequence[Record]) -> None:
    async def run() -> None:
        try:
            for batch in batches:
                await sink.send(sink.encode(batch))
        finally:
            await sink.close()

    asyncio.run(run())


def arrived(cluster: KafkaCluster, count: int) -> list[Message]:
    wait_until(lambda: len(cluster.messages) >= count, f"{count} records arrive")
    return cluster.messages


def lines(cluster: KafkaCluster, count: int) -> list[bytes]:
    texts = [text for message in arrived(cluster, count) for text in message.value.split(b"\n")]
    return [json.loads(text)["log"].encode() for text in texts]


def test_what_a_consumer_gets(cluster: KafkaCluster) -> None:
    sink = make(cluster)
    send(sink, records_of(sink, [b"a", b"b"]))
    first, second = arrived(cluster, 2)
    assert first.key == INFO.container_id.encode()
    assert first.headers == {"container_id": INFO.container_id.encode(), "offset": b"0"}
    assert first.time == TIME // 1_000_000
    assert json.loads(first.value)["log"] == "a"
    assert (second.headers["offset"], second.partition) == (b"100", first.partition)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression(cluster: KafkaCluster, compression: str) -> None:
    sink = make(cluster, kafka_compression=compression)
    wanted = [b"line %d" % number for number in range(2_000)]
    send(sink, records_of(sink, wanted))
    assert lines(cluster, 2_000) == wanted
    passed = sum(proxy.passed for proxy in cluster.proxies)
    assert (passed > 400_000) == (compression == "none")


def test_topics_and_keys_by_template(cluster: KafkaCluster) -> None:
    cluster.add_topic("logs.web_1")
    reader = cluster.reader("logs.web_1")
    sink = make(cluster, kafka_topic="logs.{{.Name}}", kafka_key="{{.ImageName}}")
    info = INFO.__class__(container_id=INFO.container_id, container_name="/web/1", container_image_name="nginx")
    send(sink, records_of(sink, [b"a"], Origin(info, "node1", "", {}, TIME)))
    wait_until(lambda: len(reader.messages) == 1, "it arrives")
    assert (reader.messages[0].topic, reader.messages[0].key) == ("logs.web_1", b"nginx")


def test_without_a_key_a_container_still_has_one_partition(cluster: KafkaCluster) -> None:
    sink = make(cluster, kafka_key='{{index .ContainerLabels "none"}}')
    send(sink, *[records_of(sink, [b"%d" % number]) for number in range(20)])
    found = arrived(cluster, 20)
    assert {message.key for message in found} == {None}
    assert len({message.partition for message in found}) == 1


def test_a_batch_larger_than_kafka_takes_at_once(cluster: KafkaCluster) -> None:
    sink = make(cluster, kafka_max_batch_bytes="2k")
    wanted = [b"line %d" % number + b"x" * 300 for number in range(100)] + [b"y" * 10_000, b"z"]
    send(sink, records_of(sink, wanted))
    assert lines(cluster, 102) == wanted


def test_lines_of_a_message_that_are_under_way_are_not_sent_again(cluster: KafkaCluster) -> None:
    """The batch that comes again may be cut elsewhere: what was taken is left out of its messages."""
    sink = make(cluster, kafka_lines_per_message="3", kafka_max_batch_bytes="1k", kafka_metadata="false")
    records = records_of(sink, [b"%d" % number + b"x" * 300 for number in range(8)])  # a batch for each message

    async def run() -> None:
        cluster.refuse(0, TOO_LARGE)
        with pytest.raises(TooLargeError, match=r"3 records are larger than the topic logs takes"):
            await sink.send(sink.encode(records))
        for part in (records[:4], records[4:]):
            await sink.send(sink.encode(part))
        await sink.close()

    asyncio.run(run())
    assert [line[:1] for line in lines(cluster, 4)] == [b"%d" % number for number in range(8)]
    assert [message.headers["offset"] for message in cluster.messages] == [b"0", b"300", b"400", b"700"]


def test_one_line_of_a_message_that_is_too_large(cluster: KafkaCluster) -> None:
    sink = make(cluster, kafka_lines_per_message="2", kafka_max_batch_bytes="1k")
    records = records_of(sink, [b"%d" % number + b"x" * 300 for number in range(3)])

    async def run() -> None:
        cluster.refuse(0, TOO_LARGE)
        with pytest.raises(RejectError) as caught:
            await sink.send(sink.encode(records))
        assert caught.value.index == 2
        await sink.close()

    asyncio.run(run())
    assert [line[:1] for line in lines(cluster, 1)] == [b"0", b"1"]


def test_a_record_that_is_too_large(cluster: KafkaCluster) -> None:
    sink = make(cluster)
    records = records_of(sink, [b"a", b"b", b"c"])

    async def run() -> None:
        cluster.refuse(TOO_LARGE)
        with pytest.raises(TooLargeError, match=r"3 records are larger than the topic logs takes"):
            await sink.send(sink.encode(records))
        cluster.refuse(TOO_LARGE)
        with pytest.raises(RejectError, match="the record is larger than the topic logs takes") as caught:
            await sink.send(sink.encode(records[1:2]))
        assert (type(caught.value), caught.value.index) == (RejectError, 0)
        await sink.send(sink.encode(records[2:]))
        await sink.close()

    asyncio.run(run())
    assert lines(cluster, 1) == [b"c"]


def test_what_was_taken_beside_a_refusal_is_not_sent_again(cluster: KafkaCluster) -> None:
    sink = make(cluster, kafka_max_batch_bytes="1k")
    records = records_of(sink, [b"%d" % number + b"x" * 600 for number in range(4)])  # a batch each

    async def run() -> None:
        cluster.refuse(0, 0, TOO_LARGE)
        with pytest.raises(RejectError) as caught:
            await sink.send(sink.encode(records))
        assert caught.value.index == 2
        for part in (records[:2], records[3:]):
            await sink.send(sink.encode(part))
        await sink.close()

    asyncio.run(run())
    assert [line[:1] for line in lines(cluster, 3)] == [b"0", b"1", b"3"]


def test_numbers_that_the_brokers_do_not_expect(cluster: KafkaCluster) -> None:
    """Whatever becomes of a producer, a new one goes on."""
    sink = make(cluster)

    async def run() -> None:
        await sink.send(sink.encode(records_of(sink, [b"a"])))
        cluster.refuse(OUT_OF_ORDER)
        records = records_of(sink, [b"a", b"b"])[1:]
        with pytest.raises(RetryError):
            await sink.send(sink.encode(records))
        await sink.send(sink.encode(records))
        await sink.close()

    asyncio.run(run())
    assert lines(cluster, 2) == [b"a", b"b"]


def test_another_leader(cluster: KafkaCluster) -> None:
    sink = make(cluster)

    async def run() -> None:
        for number in range(6):
            for partition in range(4):
                cluster.lead(partition, 1 + number % 3)
            await sink.send(sink.encode(records_of(sink, [b"x"] * number + [b"%d" % number])[number:]))
        await sink.close()

    asyncio.run(run())
    assert lines(cluster, 6) == [b"%d" % number for number in range(6)]


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "black hole"])
def test_a_network_that_is_cut_in_mid_batch(cluster: KafkaCluster, reset: bool) -> None:
    """Only what was under way comes again, by its number: librdkafka's brokers keep that, Kafka's would drop it."""
    sink = make(cluster, kafka_timeout="1s", kafka_compression="none")
    records = records_of(sink, [b"line %04d" % number for number in range(2_000)])

    async def until_acknowledged(payload: bytes) -> None:
        while True:
            try:
                return await sink.send(payload)
            except RetryError:
                for proxy in cluster.proxies:
                    proxy.thaw()
                await asyncio.sleep(0.02)

    async def run() -> None:
        await until_acknowledged(sink.encode(records[:1]))
        for start in range(1, 2_000, 500):
            for proxy in cluster.proxies:
                proxy.cut_after(20_000, reset=reset)
            await until_acknowledged(sink.encode(records[start : start + 500]))
            assert not all(proxy.is_about_to_cut for proxy in cluster.proxies)
        await sink.close()

    asyncio.run(run())
    wait_until(lambda: len(set(lines(cluster, 0))) == 2_000, "all lines arrive")
    once = without_repeats(lines(cluster, 2_000))
    assert once.lines == [record.line for record in records]
    assert once.returns <= 4 * 3


def test_a_topic_that_is_missing(cluster: KafkaCluster) -> None:
    cluster.break_topic("missing", UNKNOWN_TOPIC)
    sink = make(cluster, kafka_topic="missing", kafka_timeout="500ms")
    with pytest.raises(MisconfiguredError, match=r"there is no topic missing: make it, such as by kafka-topics"):
        send(sink, records_of(sink, [b"a"]))


def test_a_topic_that_the_user_may_not_write_to(cluster: KafkaCluster) -> None:
    cluster.break_topic("secret", UNAUTHORIZED_TOPIC)
    sink = make(cluster, kafka_topic="secret", kafka_timeout="1s")
    with pytest.raises(MisconfiguredError, match=r"may not write to the topic secret"):
        send(sink, records_of(sink, [b"a"]))
    cluster.refuse(UNAUTHORIZED_TOPIC)
    sink = make(cluster)
    with pytest.raises(MisconfiguredError, match=r"may not write to the topic logs"):
        send(sink, records_of(sink, [b"a"]))


def test_nobody_listens_at_one_of_the_brokers(cluster: KafkaCluster) -> None:
    sink = make(cluster, kafka_brokers=f"127.0.0.1:{CLOSED_PORT}")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1: Connection refused"):
        send(sink, records_of(sink, [b"a"]))
    sink = make(cluster, kafka_brokers=f"127.0.0.1:{CLOSED_PORT},{cluster.proxies[0].address}")
    send(sink, records_of(sink, [b"a"]))
    assert lines(cluster, 1) == [b"a"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login(mechanism: str) -> None:
    with kafka_cluster(asks_for_login(mechanism)) as cluster:
        settings = {"sasl.mechanisms": mechanism, "sasl.username": USER, "sasl.password": PASSWORD}
        referee = AdminClient({"bootstrap.servers": cluster.address, "security.protocol": "SASL_PLAINTEXT", **settings})
        assert referee.list_topics(timeout=30).brokers, "librdkafka is let in"

        options = {"kafka_sasl_mechanism": mechanism.lower(), "kafka_username": USER}
        sink = make(cluster, kafka_password=PASSWORD, **options)
        send(sink, records_of(sink, [b"a"]))
        assert lines(cluster, 1) == [b"a"]

        sink = make(cluster, kafka_password="wrong-one", **options)  # noqa: S106 (it guards nothing)
        with pytest.raises(MisconfiguredError, match=r"refuses the login: .*see kafka-username") as caught:
            send(sink, records_of(sink, [b"a"]))
        assert "wrong-one" not in str(caught.value)
        sink = make(cluster, kafka_timeout="1s")
        with pytest.raises(RetryError, match=r"close the connection.*kafka-username"):
            send(sink, records_of(sink, [b"a"]))


def test_a_way_to_log_in_that_brokers_do_not_offer() -> None:
    with kafka_cluster(asks_for_login("SCRAM-SHA-512")) as cluster:
        sink = make(cluster, kafka_username=USER, kafka_password=PASSWORD)
        with pytest.raises(MisconfiguredError, match=r"kafka-sasl-mechanism"):
            send(sink, records_of(sink, [b"a"]))


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    ca, own = tmp_path / "ca.pem", tmp_path / "own.pem"
    authority.cert_pem.write_to_path(ca)
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(own)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with kafka_cluster(speaks_tls(context)) as cluster:
        options = {"kafka_tls": "true", "kafka_timeout": "3s"}
        sink = make(cluster, kafka_tls_ca_cert=str(ca), kafka_tls_cert=str(own), **options)
        send(sink, records_of(sink, [b"a"]))
        assert lines(cluster, 1) == [b"a"]
        sink = make(cluster, kafka_tls_ca_cert=str(tmp_path / "other.pem"), kafka_tls_cert=str(own), **options)
        with pytest.raises(MisconfiguredError, match=r"certificate of 127\.0\.0\.1:.* is not accepted"):
            send(sink, records_of(sink, [b"a"]))
        sink = make(cluster, kafka_tls_ca_cert=str(ca), **options)
        with pytest.raises((MisconfiguredError, RetryError)):
            send(sink, records_of(sink, [b"a"]))


def test_a_peer_that_is_no_broker() -> None:

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"\0\0\0\x04HTTP")

        thread = threading.Thread(target=answer)
        thread.start()
        sink = sink_of(kafka_brokers=f"127.0.0.1:{listener.getsockname()[1]}", kafka_timeout="1s")
        with pytest.raises(RetryError, match="kafka-tls=true"):
            send(sink, records_of(sink, [b"a"]))
        thread.join()


def test_nothing_is_printed(cluster: KafkaCluster, capfd: pytest.CaptureFixture[str]) -> None:
    sink = make(cluster, kafka_brokers=f"127.0.0.1:{CLOSED_PORT},{cluster.proxies[0].address}")
    cluster.refuse(OUT_OF_ORDER)
    with pytest.raises(RetryError):
        send(sink, records_of(sink, [b"a"]))
    send(sink, records_of(sink, [b"a"]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["nobody.invalid"])
def test_a_host_that_is_unknown(host: str) -> None:
    sink = sink_of(kafka_brokers=f"{host}:9092", kafka_timeout="20s")
    with pytest.raises(UnavailableError, match=rf"cannot connect to {host}:9092: "):
        send(sink, records_of(sink, [b"a"]))


def test_origins_are_bounded() -> None:
    sink = sink_of(kafka_brokers="127.0.0.1:1")
    prepared = sink.prepare(origin_of(attributes={"big": "x" * 2_000_000, "small": "y"}))
    assert b'"small":"y"' in prepared.after_line["stdout"]
    assert len(prepared.after_line["stdout"]) < 10_000

"""The sink against real servers."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Origin, Record, RetryError, Sink, UnavailableError
from plugin.sinks.redis.cluster import slot_of
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.redis.server import RedisServer, redis_cluster, redis_server, streams
from tests.testbed.ports import CLOSED_PORT

KEY = f"logs:web:{INFO.id}"
BIRTH_MS = TIME // 1_000_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> Iterator[RedisServer]:
    """A server that holds nothing, whose settings a test may change."""
    client = shared.client
    before = client.config_get("*")
    client.flushall()
    yield shared
    after = client.config_get("*")
    for name in ("maxmemory", "min-replicas-to-write"):
        if before[name] != after[name]:
            client.config_set(name, before[name])


def send(sink: Sink[Any], *batches: Sequence[Record]) -> None:
    async def run() -> None:
        try:
            for batch in batches:
                await sink.send(sink.encode(batch))
        finally:
            await sink.close()

    asyncio.run(run())


def batch(sink: Sink[Any], *places: tuple[int, int, bytes], origin: Origin | None = None) -> list[Record]:
    """Make records of offset, end and line."""
    prepared = sink.prepare(origin or origin_of())
    return [Record(prepared, "stdout", TIME + offset, line, offset, end) for offset, end, line in places]


def entries(server: RedisServer, key: str = KEY) -> list[tuple[str, bytes]]:
    return [(id_.partition("-")[2], fields["log"]) for id_, fields in streams(server.client).get(key, [])]


def test_what_an_entry_holds(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    prepared = sink.prepare(origin_of(attributes={"env": "prod", "log": "not this", "host": "nor this"}))
    record = Record(prepared, "stderr", TIME, b"\xff hello", 70, 95, fields={"user": {"id": 7}}, severity=17)
    send(sink, [record])
    ((id_, fields),) = streams(server.client)[KEY]
    assert id_ == f"{BIRTH_MS}-95"
    assert fields == {
        "timestamp": b"2023-11-14T22:13:20.123456789Z",
        "source": b"stderr",
        "log": b"\xff hello",
        "offset": b"70",
        "level": b"error",
        "fields": b'{"user":{"id":7}}',
        "container_id": INFO.container_id.encode(),
        "container_name": b"web",
        "image": b"nginx:1.27",
        "host": b"node1",
        "tag": b"8c1f8c1f8c1f",
        "env": b"prod",
    }


def test_without_metadata_an_entry_has_what_is_the_line_s_own(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}", redis_metadata="false")
    send(sink, batch(sink, (0, 30, b"a")))
    ((_, fields),) = streams(server.client)[KEY]
    assert fields.keys() == {"timestamp", "source", "log", "offset"}


def test_what_is_sent_again_is_there_once(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    first = batch(sink, (0, 30, b"a"), (30, 60, b"b"), (60, 90, b"c"))
    again = batch(sink, (30, 60, b"b"), (60, 90, b"c"), (90, 120, b"d"))
    send(sink, first, first)
    send(sink_of(redis_url=f"redis://{server.address}"), again, again)
    assert entries(server) == [("30", b"a"), ("60", b"b"), ("90", b"c"), ("120", b"d")]


def test_lines_that_end_at_one_position_are_all_there_once(server: RedisServer) -> None:
    """Lines that lack their last part are released by whatever comes, also two at once, with offsets that go back."""
    sink = sink_of(redis_url=f"redis://{server.address}")
    records = batch(
        sink, (100, 150, b"whole"), (0, 150, b"cut"), (50, 150, b"cut, too"), (150, 200, b"next"), (200, 200, b"odd")
    )
    send(sink, records)
    expected = [("150", b"whole"), ("151", b"cut"), ("152", b"cut, too"), ("200", b"next"), ("201", b"odd")]
    assert entries(server) == expected
    for start in range(5):
        send(sink, records[start:])
        assert entries(server) == expected
    server.client.flushall()
    for end in range(1, 6):  # killed behind each of them, and begun from the start
        send(sink, records[:end])
        assert entries(server) == expected[:end]
    server.client.flushall()
    for record in records:
        send(sink, [record])
    assert entries(server) == expected


def test_a_line_that_was_trimmed_away_is_not_added_again(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    records = batch(sink, *((30 * number, 30 * number + 30, b"%d" % number) for number in range(10)))
    send(sink, records)
    server.client.xtrim(KEY, maxlen=3, approximate=False)
    send(sink, records)
    assert [line for _, line in entries(server)] == [b"7", b"8", b"9"]
    server.client.xtrim(KEY, maxlen=0, approximate=False)
    send(sink, records)
    assert entries(server) == []


def test_a_journal_that_began_anew_goes_on(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    send(sink, batch(sink, (0, 30, b"old"), (30, 60, b"older")))
    later = Origin(INFO, "node1", "", {}, TIME + 5_000_000)
    records = batch(sink, (0, 30, b"new"), (10, 30, b"newer"), origin=later)
    send(sink, records, records)
    assert [line for _, line in entries(server)] == [b"old", b"older", b"new", b"newer"]


def test_a_stream_that_something_else_writes_to_is_told(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    server.client.xadd(KEY, {"a": "b"})
    with pytest.raises(MisconfiguredError, match="something else writes to it, or the clock was set back"):
        send(sink, batch(sink, (0, 30, b"a")))


def test_streams_are_kept_to_a_length(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}", redis_max_length="100")
    for start in range(0, 3_000, 500):
        send(sink, batch(sink, *((30 * n, 30 * n + 30, b"x") for n in range(start, start + 500))))
    assert 100 <= server.client.xlen(KEY) <= 300


def test_a_stream_of_several_containers_has_all_their_lines(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}", redis_stream="logs:{{.ImageName}}")
    send(sink, batch(sink, (0, 30, b"a"), (30, 60, b"b")))
    send(sink, batch(sink, (0, 30, b"c"), origin=Origin(INFO, "node2", "", {}, TIME - 10**12)))
    assert [line for _, line in entries(server, "logs:nginx:1.27")] == [b"a", b"b", b"c"]


def test_a_template_that_gives_nothing_is_told() -> None:
    sink = sink_of(redis_url="redis://localhost", redis_stream="{{with .Config}}x{{end}}")
    with pytest.raises(MisconfiguredError, match="renders to nothing"):
        sink.prepare(origin_of())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"redis_url": "http://localhost"}, "expected: redis://HOST:PORT"),
        ({"redis_url": "redis://a", "redis_stream": "{{.Nmae}}"}, "Nmae"),
        ({"redis_url": "redis://a", "redis_tls_ca_cert": "/x"}, "begins with rediss://"),
        ({"redis_url": "redis://a", "redis_username": "x"}, "redis-password"),
        ({"redis_url": "redis://a", "redis_strean": "x"}, "redis-stream"),
    ],
)
def test_options_that_are_wrong(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        sink_of(**options)


def test_nobody_listens() -> None:
    sink = sink_of(redis_url=f"redis://127.0.0.1:{CLOSED_PORT}")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        send(sink, batch(sink, (0, 30, b"a")))


def test_another_address_is_tried_where_one_does_not_answer(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://127.0.0.1:{CLOSED_PORT},{server.address}")

    async def run() -> None:
        payload = sink.encode(batch(sink, (0, 30, b"a")))
        with pytest.raises(UnavailableError):
            await sink.send(payload)
        await sink.send(payload)
        await sink.close()

    asyncio.run(run())
    assert entries(server) == [("30", b"a")]


def test_acl_users_and_their_passwords(server: RedisServer) -> None:
    client = server.client
    rights = ["+evalsha", "+script|load", "+xadd", "+xtrim", "+xrange", "+xinfo", "+select", "+wait", "+xsetid"]
    client.execute_command("ACL", "SETUSER", "peavey", "on", ">right", "~logs:*", *rights)
    client.execute_command("ACL", "SETUSER", "weak", "on", ">right", "~logs:*", "+evalsha", "+script|load")
    options = {"redis_url": f"redis://{server.address}/1", "redis_username": "peavey"}

    sink = sink_of(**options, redis_password="right")  # noqa: S106 (it guards nothing)
    send(sink, batch(sink, (0, 30, b"a")))
    assert [line for _, line in entries(server)] == []
    client.select(1)
    assert client.xlen(KEY) == 1

    sink = sink_of(**options, redis_password="wrong")  # noqa: S106
    with pytest.raises(MisconfiguredError, match="user or password are wrong: see redis-username") as caught:
        send(sink, batch(sink, (0, 30, b"a")))
    assert "wrong:" in str(caught.value)

    sink = sink_of(redis_url=f"redis://weak:right@{server.address}")
    with pytest.raises(MisconfiguredError, match="the ACL user may not do this"):
        send(sink, batch(sink, (0, 30, b"a")))
    sink = sink_of(redis_url=f"redis://peavey:right@{server.address}", redis_stream="other:{{.ID}}")
    with pytest.raises(MisconfiguredError, match="the ACL user may not do this"):
        send(sink, batch(sink, (0, 30, b"a")))
    client.execute_command("ACL", "DELUSER", "peavey", "weak")


def test_a_password_that_is_missing_or_that_nobody_asked_for(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "right", client={"password": "right"}) as server:
        sink = sink_of(redis_url=f"redis://{server.address}")
        with pytest.raises(MisconfiguredError, match="set redis-password"):
            send(sink, batch(sink, (0, 30, b"a")))
        (tmp_path / "secret").write_text("right\n")
        sink = sink_of(redis_url=f"redis://{server.address}", redis_password_file=str(tmp_path / "secret"))
        send(sink, batch(sink, (0, 30, b"a")))
        assert entries(server) == [("30", b"a")]


def test_a_password_for_a_server_without(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://:secret@{server.address}")
    with pytest.raises(MisconfiguredError, match="refuses the login") as caught:
        send(sink, batch(sink, (0, 30, b"a")))
    assert "secret" not in str(caught.value)


def test_a_key_that_holds_something_else(server: RedisServer) -> None:
    server.client.set(KEY, "x")
    sink = sink_of(redis_url=f"redis://{server.address}")
    with pytest.raises(MisconfiguredError, match="holds something else than a stream"):
        send(sink, batch(sink, (0, 30, b"a")))


def test_without_memory_nothing_of_a_batch_is_taken(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")
    records = batch(sink, (0, 30, b"a"), (30, 60, b"b"))
    server.client.config_set("maxmemory", "1mb")
    with pytest.raises(UnavailableError, match="no memory left"):
        send(sink, records)
    assert entries(server) == []
    server.client.config_set("maxmemory", "0")
    send(sink, records)
    assert entries(server) == [("30", b"a"), ("60", b"b")]


def test_replicas_that_are_not_there_are_waited_for(server: RedisServer, tmp_path: Path) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}", redis_wait_replicas="1", redis_timeout="2s")
    records = batch(sink, (0, 30, b"a"))
    with pytest.raises(UnavailableError, match="0 of its replicas have the entries"):
        send(sink, records)
    with redis_server(tmp_path, "--replicaof", f"127.0.0.1 {server.port}") as replica:
        sink = sink_of(redis_url=f"redis://{server.address}", redis_wait_replicas="1")

        async def until_acknowledged() -> None:
            payload = sink.encode(records)
            while True:
                try:
                    return await sink.send(payload)
                except UnavailableError:
                    await asyncio.sleep(0.05)

        asyncio.run(until_acknowledged())
        assert entries(replica) == [("30", b"a")]
        sink = sink_of(redis_url=f"redis://{replica.address}")
        with pytest.raises(UnavailableError, match="a replica, which takes no writes"):
            send(sink, records)


def test_what_is_there_already_still_waits_for_replicas(server: RedisServer) -> None:
    records = batch(sink_of(redis_url=f"redis://{server.address}", redis_wait_replicas="1"), (0, 30, b"a"))
    for _ in range(2):
        sink = sink_of(redis_url=f"redis://{server.address}", redis_wait_replicas="1", redis_timeout="200ms")
        with pytest.raises(UnavailableError, match="0 of its replicas"):
            send(sink, records)


def test_tls_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert = tmp_path / "ca.pem", tmp_path / "cert.pem"
    authority.cert_pem.write_to_path(ca)
    certificate.private_key_and_cert_chain_pem.write_to_path(cert)
    tls = ("--tls-cert-file", str(cert), "--tls-key-file", str(cert), "--tls-ca-cert-file", str(ca))
    client = {"ssl": True, "ssl_ca_certs": str(ca), "ssl_certfile": str(cert)}
    with redis_server(tmp_path, *tls, "--port", "0", "--tls-port", "TLS_PORT", client=client) as server:
        url = f"rediss://{server.address}"
        sink = sink_of(redis_url=url, redis_tls_ca_cert=str(ca), redis_tls_cert=str(cert))
        send(sink, batch(sink, (0, 30, b"a")))
        assert entries(server) == [("30", b"a")]
        sink = sink_of(redis_url=url, redis_tls_cert=str(cert))
        with pytest.raises(MisconfiguredError, match="certificate"):
            send(sink, batch(sink, (0, 30, b"a")))


def test_a_server_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        sink = sink_of(redis_url=f"redis://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(RetryError, match="does not answer as Redis does"):
            send(sink, batch(sink, (0, 30, b"a")))
        thread.join()


def test_a_script_that_the_server_has_forgotten_is_given_again(server: RedisServer) -> None:
    sink = sink_of(redis_url=f"redis://{server.address}")

    async def run() -> None:
        await sink.send(sink.encode(batch(sink, (0, 30, b"a"))))
        server.client.script_flush()
        await sink.send(sink.encode(batch(sink, (30, 60, b"b"))))
        await sink.close()

    asyncio.run(run())
    assert entries(server) == [("30", b"a"), ("60", b"b")]


def test_slots_are_those_of_the_specification(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:
        client = cluster.nodes[0].client
        for key in (b"123456789", b"{user}.a", b"x{}y", b"{a}{b}", b"logs:web:8c1f", b"a{b", "žluť".encode()):
            assert slot_of(key) == client.execute_command("CLUSTER", "KEYSLOT", key)


def test_a_cluster_takes_each_stream_at_its_node(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:
        sink = sink_of(redis_url=f"redis://{cluster.nodes[0].address}", redis_stream="logs:{{.ID}}:{{.Name}}")
        records = [
            record
            for number in range(20)
            for record in records_of(sink, [b"a", b"b"], origin_of(_named(f"web{number}")))
        ]
        for number, record in enumerate(records):
            record.end = number + 1
        send(sink, records, records)
        found = cluster.streams()
        assert len(found) == 20
        assert all([fields["log"] for _, fields in stream] == [b"a", b"b"] for stream in found.values())
        assert all(node.client.dbsize() for node in cluster.nodes)


def test_a_slot_that_moves_takes_its_stream_along(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:
        sink = sink_of(redis_url=cluster.url)
        send(sink, batch(sink, (0, 30, b"a")))
        slot = slot_of(KEY.encode())
        source = next(node for node in cluster.nodes if node.client.exists(KEY) == 1)
        target = next(node for node in cluster.nodes if node is not source)
        ids = {node.port: node.client.execute_command("CLUSTER", "MYID").decode() for node in cluster.nodes}
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        source.client.migrate("127.0.0.1", target.port, KEY, 0, 10_000)

        send(sink, batch(sink, (0, 30, b"a"), (30, 60, b"b")))  # led there by ASK

        for node in (target, source):
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
        send(sink, batch(sink, (30, 60, b"b"), (60, 90, b"c")))  # and by MOVED
        assert entries(target) == [("30", b"a"), ("60", b"b"), ("90", b"c")]


def _named(name: str) -> Any:
    return type(INFO)(container_id="8c1f" * 16, container_name=f"/{name}")

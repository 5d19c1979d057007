"""The sink against real servers."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nkeys
import pytest
import trustme
from nats.js import JetStreamContext

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
from plugin.sinks.transport.tls.context import client_context
from tests.sinks.factories import INFO, TIME, origin_of, sink_of
from tests.sinks.nats.server import NatsServer, nats_cluster, nats_server
from tests.testbed.ports import CLOSED_PORT

SUBJECT = "logs.{{.Name}}"
ID = f"{INFO.container_id}-{TIME:x}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def server(shared: NatsServer) -> NatsServer:
    """A server with an empty stream ``logs``."""

    async def anew(js: JetStreamContext) -> None:
        for stream in await js.streams_info():
            await js.delete_stream(stream.config.name or "")
        await js.add_stream(name="logs", subjects=["logs.>"])

    shared.run(anew)
    return shared


def make(server: NatsServer, **options: str) -> Sink[Any]:
    return sink_of(**{"nats_url": f"nats://{server.address}", "nats_subject": SUBJECT} | options)


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


def lines(server: NatsServer) -> list[bytes]:
    return [o["log"].encode() for message in server.published for o in message.objects]


def test_what_a_message_holds(server: NatsServer) -> None:
    sink = make(server)
    prepared = sink.prepare(origin_of(attributes={"env": "prod"}))
    records = [
        Record(prepared, "stderr", TIME, b"hello", 70, 95, fields={"user": {"id": 7}}, severity=17),
        Record(prepared, "stdout", TIME, b"there", 95, 120),
    ]
    send(sink, records)
    (message,) = server.published
    assert message.subject == "logs.web"
    assert message.headers["Nats-Msg-Id"] == f"{ID}-95"
    assert {name: value for name, value in message.headers.items() if name.startswith("Peavey")} == {
        "Peavey-Container": ID,
        "Peavey-Name": "web",
        "Peavey-End": "120",
        "Peavey-Offsets": "95",
    }
    constant = {
        "container_id": INFO.container_id,
        "container_name": "web",
        "image": "nginx:1.27",
        "host": "node1",
        "tag": "8c1f8c1f8c1f",
        "attributes": {"env": "prod"},
    }
    moment = "2023-11-14T22:13:20.123456789Z"
    assert message.objects == [
        {"timestamp": moment, "log": "hello", "source": "stderr", "offset": 70, "level": "error", **constant}
        | {"fields": {"user": {"id": 7}}},
        {"timestamp": moment, "log": "there", "source": "stdout", "offset": 95, **constant},
    ]


def test_without_metadata_a_line_has_what_is_its_own(server: NatsServer) -> None:
    sink = make(server, nats_metadata="false")
    send(sink, batch(sink, (0, 30, b"a")))
    ((line,),) = [message.objects for message in server.published]
    assert line.keys() == {"timestamp", "log", "source", "offset"}


def test_what_is_sent_again_is_there_once(server: NatsServer) -> None:
    sink = make(server)
    first = batch(sink, (0, 30, b"a"), (30, 60, b"b"), (60, 90, b"c"))
    again = batch(sink, (30, 60, b"b"), (60, 90, b"c"), (90, 120, b"d"))
    send(sink, first, first)
    send(make(server), again, again)
    assert lines(server) == [b"a", b"b", b"c", b"d"]


def test_what_is_sent_again_past_the_duplicate_window_is_there_once(server: NatsServer) -> None:
    async def forget_quickly(js: JetStreamContext) -> None:
        await js.update_stream(name="logs", subjects=["logs.>"], duplicate_window=0.1)

    server.run(forget_quickly)
    sink = make(server, nats_lines_per_message="2")
    first = batch(sink, (0, 30, b"a"), (30, 60, b"b"), (60, 90, b"c"))
    send(sink, first)
    asyncio.run(asyncio.sleep(0.5))
    send(make(server), [*first, *batch(sink, (90, 120, b"d"))])
    assert lines(server) == [b"a", b"b", b"c", b"d"]


def test_lines_that_end_at_one_position_are_all_there_once(server: NatsServer) -> None:
    """Lines that lack their last part are released by whatever comes, also two at once, with offsets that go back."""
    for most in ("1", "2", "500"):
        origin = Origin(INFO, "node1", "", {}, TIME + int(most))
        sink = make(server, nats_lines_per_message=most, nats_subject=f"logs.by{most}")
        records = batch(
            sink, (100, 150, b"whole"), (0, 150, b"cut"), (50, 150, b"cut, too"), (150, 200, b"next"), origin=origin
        )
        for end in range(1, 5):  # killed behind each of them, and begun from the start
            send(make(server, nats_subject=f"logs.by{most}", nats_lines_per_message=most), records[:end])
            there = [o["log"] for m in server.published if m.subject == f"logs.by{most}" for o in m.objects]
            assert there == ["whole", "cut", "cut, too", "next"][:end]


def test_a_message_whose_answer_is_lost_comes_late_and_once(server: NatsServer) -> None:
    """The one that was under way is stored while we ask where to go on: the server refuses whichever comes second."""
    sinks = [make(server), make(server)]
    first, late, again = (0, 30, b"a"), (30, 60, b"b"), (60, 90, b"c")

    async def run() -> None:
        for sink in sinks:  # both know where the subject ends
            await sink.send(sink.encode(batch(sink, first)))
        payloads = [sinks[0].encode(batch(sinks[0], late)), sinks[1].encode(batch(sinks[1], late, again))]
        await asyncio.gather(*(sink.send(payload) for sink, payload in zip(sinks, payloads, strict=True)))
        for sink in sinks:
            await sink.close()

    asyncio.run(run())
    assert lines(server) == [b"a", b"b", b"c"]


def test_a_journal_that_began_anew_goes_on(server: NatsServer) -> None:
    sink = make(server)
    send(sink, batch(sink, (0, 30, b"old"), (30, 60, b"older")))
    later = Origin(INFO, "node1", "", {}, TIME + 5_000_000)
    records = batch(sink, (0, 30, b"new"), (30, 60, b"newer"), origin=later)
    send(sink, records, records)
    assert lines(server) == [b"old", b"older", b"new", b"newer"]


def test_a_subject_of_several_hosts_has_all_their_lines(server: NatsServer) -> None:
    one, two = make(server, nats_subject="logs.all"), make(server, nats_subject="logs.all")
    other = Origin(INFO, "node2", "", {}, TIME + 1)

    async def run() -> None:
        for number in range(20):
            place = (30 * number, 30 * number + 30, b"%d" % number)
            await asyncio.gather(
                one.send(one.encode(batch(one, place))), two.send(two.encode(batch(two, place, origin=other)))
            )
        await one.close()
        await two.close()

    asyncio.run(run())
    for host in ("node1", "node2"):
        found = [o["log"] for m in server.published for o in m.objects if o["host"] == host]
        assert found == [str(number) for number in range(20)]


def test_no_stream_takes_the_subject(server: NatsServer) -> None:
    sink = make(server, nats_subject="other.{{.Name}}")
    with pytest.raises(
        MisconfiguredError, match=r"no stream takes the subject other.web: make one, .*nats-create-stream"
    ):
        send(sink, batch(sink, (0, 30, b"a")))


def test_a_stream_that_was_seen_and_is_gone_may_come_back(server: NatsServer) -> None:
    sink = make(server)

    async def delete(js: JetStreamContext) -> None:
        await js.delete_stream("logs")

    async def run() -> None:
        await sink.send(sink.encode(batch(sink, (0, 30, b"a"))))
        await asyncio.to_thread(server.run, delete)
        for _ in range(2):
            with pytest.raises(UnavailableError, match="logs is not there now"):
                await sink.send(sink.encode(batch(sink, (30, 60, b"b"))))
        await asyncio.to_thread(server.add_stream)
        await sink.send(sink.encode(batch(sink, (30, 60, b"b"))))
        await sink.close()

    asyncio.run(run())
    assert lines(server) == [b"b"]


def test_a_stream_is_made_where_there_is_none(server: NatsServer) -> None:
    options = {"nats_subject": "made.{{.Hostname}}.{{.Name}}", "nats_create_stream": "true", "nats_stream": "made"}
    sink = make(server, **options)
    send(sink, batch(sink, (0, 30, b"a")))
    send(sink, batch(sink, (30, 60, b"b")))

    async def look(js: JetStreamContext) -> tuple[list[str], int]:
        info = await js.stream_info("made")
        return info.config.subjects or [], info.state.messages

    assert server.run(look) == (["made.>"], 2)


def test_a_stream_that_is_not_the_one_expected(server: NatsServer) -> None:
    server.add_stream("other", "other.>")
    sink = make(server, nats_stream="other")
    with pytest.raises(MisconfiguredError, match="another stream than nats-stream takes the subject"):
        send(sink, batch(sink, (0, 30, b"a")))


def test_jetstream_is_not_enabled(tmp_path: Path) -> None:
    with nats_server(tmp_path, jetstream=False) as server:
        sink = make(server)
        with pytest.raises(MisconfiguredError, match="start nats-server with --jetstream"):
            send(sink, batch(sink, (0, 30, b"a")))


def test_a_message_that_is_too_large(tmp_path: Path) -> None:
    with nats_server(tmp_path, "max_payload: 8192") as server:
        server.add_stream()
        sink = make(server)
        records = batch(sink, (0, 30, b"x" * 5_000), (30, 60, b"y" * 5_000), (60, 90, b"z" * 9_000))
        with pytest.raises(TooLargeError, match=r"more than 127\.0\.0\.1:.* takes, 8192"):
            send(sink, records)
        send(sink, records[:1], records[1:2])
        with pytest.raises(RejectError, match="takes, 8192"):
            send(sink, records[2:])
        assert [len(line) for line in lines(server)] == [5_000, 5_000]


def test_nobody_listens_at_one_of_the_servers(server: NatsServer) -> None:
    sink = make(server, nats_url=f"nats://127.0.0.1:{CLOSED_PORT}")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1: "):
        send(sink, batch(sink, (0, 30, b"a")))
    sink = make(server, nats_url=f"nats://127.0.0.1:{CLOSED_PORT},{server.address}")
    send(sink, batch(sink, (0, 30, b"a")))
    assert lines(server) == [b"a"]


def test_a_server_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        sink = sink_of(nats_url=f"nats://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(RetryError, match="does not let us in"):
            send(sink, batch(sink, (0, 30, b"a")))
        thread.join()


USERS = """
authorization { users = [
    {user: peavey, password: right, permissions: {
        publish: ["logs.>", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.MSG.GET.>"], subscribe: ["_INBOX.>"]}}
    {user: weak, password: right, permissions: {publish: ["other.>"], subscribe: ["_INBOX.>"]}}
    {user: admin, password: right}
]}
"""


def test_users_and_their_permissions(tmp_path: Path) -> None:
    with nats_server(tmp_path, USERS, user="admin", password="right") as server:  # noqa: S106 (it guards nothing)
        server.add_stream()
        sink = make(server, nats_username="peavey", nats_password="right")  # noqa: S106
        send(sink, batch(sink, (0, 30, b"a")))
        assert lines(server) == [b"a"]
        sink = make(server, nats_url=f"nats://peavey:wrong@{server.address}")
        with pytest.raises(MisconfiguredError, match=r"refuses the login.*see nats-url") as caught:
            send(sink, batch(sink, (0, 30, b"a")))
        assert "wrong" not in str(caught.value)
        with pytest.raises(MisconfiguredError, match="refuses the login"):
            send(make(server), batch(sink, (0, 30, b"a")))
        sink = make(server, nats_username="weak", nats_password="right", nats_timeout="2s")  # noqa: S106
        with pytest.raises(MisconfiguredError, match=r"refuses: .*ermissions .*iolation.*needs to publish to"):
            send(sink, batch(sink, (0, 30, b"a")))


def test_a_token(tmp_path: Path) -> None:
    with nats_server(tmp_path, "authorization { token: right }", token="right") as server:  # noqa: S106
        server.add_stream()
        (tmp_path / "token").write_text("right\n")
        for options in ({"nats_token_file": str(tmp_path / "token")}, {"nats_url": f"nats://right@{server.address}"}):
            sink = make(server, **options)
            send(sink, batch(sink, (0, 30, b"a")))
        assert lines(server) == [b"a"]


def _user_key() -> tuple[str, str]:
    """Make an NKey: the public key and the seed."""
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(bytearray(seed)).public_key
    return public.decode(), bytes(seed).decode()


def test_an_nkey(tmp_path: Path) -> None:
    public, seed = _user_key()
    users = f'authorization {{ users = [ {{ nkey: "{public}" }} ] }}'
    with nats_server(tmp_path, users, nkeys_seed_str=seed) as server:
        server.add_stream()
        (tmp_path / "seed").write_text(seed + "\n")
        sink = make(server, nats_nkey_file=str(tmp_path / "seed"))
        send(sink, batch(sink, (0, 30, b"a")))
        assert lines(server) == [b"a"]
        with pytest.raises(MisconfiguredError, match="nats-nkey or nats-creds holds no seed"):
            send(make(server, nats_nkey="SUNOTASEED"), batch(sink, (0, 30, b"a")))


def test_tls_and_no_login_in_clear(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert = tmp_path / "ca.pem", tmp_path / "cert.pem"
    authority.cert_pem.write_to_path(ca)
    certificate.private_key_and_cert_chain_pem.write_to_path(cert)
    tls = f'tls {{ cert_file: "{cert}", key_file: "{cert}" }}'
    with nats_server(tmp_path, tls, tls=client_context(ca)) as server:
        server.add_stream()
        sink = make(server, nats_url=f"tls://{server.address}", nats_tls_ca_cert=str(ca))
        send(sink, batch(sink, (0, 30, b"a")))
        assert lines(server) == [b"a"]
        sink = make(server, nats_url=f"tls://{server.address}")
        with pytest.raises(MisconfiguredError, match=r"certificate of 127\.0\.0\.1:.* is not accepted"):
            send(sink, batch(sink, (0, 30, b"a")))


def test_where_tls_is_asked_for_nothing_is_said_in_clear() -> None:
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                info = {"server_id": "x", "version": "2.9.0", "max_payload": 1_000_000, "headers": True, "proto": 1}
                connection.sendall(b"INFO " + json.dumps(info).encode() + b"\r\n")
                said.append(connection.recv(65_536))

        thread = threading.Thread(target=answer)
        thread.start()
        sink = sink_of(nats_url=f"tls://user:secret@127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(MisconfiguredError, match="does not offer TLS"):
            send(sink, batch(sink, (0, 30, b"a")))
        thread.join()
    assert said == [b""]


def test_nothing_is_printed(server: NatsServer, capfd: pytest.CaptureFixture[str]) -> None:
    sink = make(server, nats_url=f"nats://127.0.0.1:{CLOSED_PORT},{server.address}")
    send(sink, batch(sink, (0, 30, b"a")))
    assert capfd.readouterr() == ("", "")


def test_a_cluster_goes_on_without_the_leader(tmp_path: Path) -> None:
    with nats_cluster(tmp_path) as cluster:
        sink = sink_of(nats_url=cluster.url, nats_subject=SUBJECT, nats_timeout="2s")

        async def until_acknowledged(records: Sequence[Record]) -> None:
            while True:
                try:
                    return await sink.send(sink.encode(records))
                except RetryError:
                    await asyncio.sleep(0.1)

        async def run() -> None:
            for number in range(3):
                await until_acknowledged(batch(sink, (30 * number, 30 * number + 30, b"%d" % number)))
                leader = -1
                while leader < 0:
                    leader = await asyncio.to_thread(cluster.leader)
                cluster.nodes[leader].stop()
                await asyncio.to_thread(cluster.nodes[leader].start)
            await sink.close()

        asyncio.run(run())
        assert [o["log"] for message in cluster.published() for o in message.objects] == ["0", "1", "2"]

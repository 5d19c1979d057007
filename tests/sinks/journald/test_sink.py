"""The sink against a real journald, read back by journalctl."""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.sinks.base import MisconfiguredError, Record, Sink, UnavailableError
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.sinks.journald.server import Journald, journald, message_of


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journald]:
    with journald(tmp_path_factory.mktemp("shared")) as server:
        yield server


def sink_at(path: Path, timeout: str = "2m") -> Sink[object]:
    return sink_of(sink="journald", journald_socket=str(path), journald_timeout=timeout)


async def deliver(sink: Sink[object], *batches: list[Record]) -> None:
    for batch in batches:
        await sink.send(sink.encode(batch))
    await sink.close()


def test_what_journald_stores(shared: Journald) -> None:
    sink = sink_at(shared.socket)
    origin = origin_of(tag="stored", attributes={"team": "a\nb", "1st": "x"})
    records = records_of(sink, [b"out"], origin) + records_of(sink, [b"err\xff"], origin, "stderr")
    records[1].fields = {"order": 7}
    asyncio.run(deliver(sink, records))

    out, err = [entry for entry in shared.wait_for(2) if entry["CONTAINER_TAG"] == "stored"]
    assert (out["MESSAGE"], out["PRIORITY"], out["TEAM"], out["FIELD_1ST"]) == ("out", "6", "a\nb", "x")
    assert (err["MESSAGE"], err["PRIORITY"], err["ORDER"]) == (b"err\xff", "3", "7")
    assert out["SYSLOG_TIMESTAMP"] == "2023-11-14T22:13:20.123456789Z"
    assert out["PEAVEY_RECORD_ID"] == f"{'8c1f' * 16}/{TIME}/0"


def test_an_entry_beyond_the_datagram_limit_goes_by_memfd(shared: Journald) -> None:
    sink = sink_at(shared.socket)
    sizes = [10, 20_000_000, 11, 1_000_000, 12]
    lines = [b"%d\n" % number + b"x" * size for number, size in enumerate(sizes)]
    asyncio.run(deliver(sink, records_of(sink, lines, origin_of(tag="large"))))

    def found() -> list[bytes]:
        return [message_of(entry) for entry in shared.entries if entry["CONTAINER_TAG"] == "large"]

    assert found() == lines, "all is read when it is acknowledged"


def test_thousands_at_once(shared: Journald) -> None:
    sink = sink_at(shared.socket)
    lines = [b"line %d" % number for number in range(5_000)]
    asyncio.run(deliver(sink, records_of(sink, lines, origin_of(tag="many"))))

    shared.wait_for(len(lines))
    assert [message_of(entry) for entry in shared.entries if entry["CONTAINER_TAG"] == "many"] == lines


def test_a_memfd_is_sealed(tmp_path: Path) -> None:
    """Of anybody but root, journald takes no other."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as server:
        server.bind(str(tmp_path / "socket"))
        sink = sink_at(tmp_path / "socket")
        entry = sink.encode(records_of(sink, [b"x" * 20_000_000]))

        async def read() -> tuple[int, bytes]:
            sending = asyncio.create_task(sink.send(entry))
            _, (descriptor,), _, _ = await asyncio.to_thread(socket.recv_fds, server, 10, 1)
            with os.fdopen(descriptor, "rb") as file:
                seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
                file.seek(0)
                content = file.read()
            await sending
            await sink.close()
            return seals, content

        seals, content = asyncio.run(read())
    assert seals == fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    assert content.endswith(b"MESSAGE=" + b"x" * 20_000_000 + b"\n")


class TestAway:
    def test_no_socket(self, tmp_path: Path) -> None:
        sink = sink_at(tmp_path / "socket")
        with pytest.raises(UnavailableError, match=r"No such file or directory \(a managed plugin .*journald\.source"):
            asyncio.run(deliver(sink, records_of(sink, [b"x"])))

    def test_nobody_listens_any_more(self, tmp_path: Path) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as server:
            server.bind(str(tmp_path / "socket"))
        sink = sink_at(tmp_path / "socket")
        with pytest.raises(UnavailableError, match="Connection refused"):
            asyncio.run(deliver(sink, records_of(sink, [b"x"])))

    @pytest.mark.parametrize("kind", ["file", "stream"])
    def test_something_else_is_there(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "socket"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as server:
            if kind == "file":
                path.touch()
            else:
                server.bind(str(path))
                server.listen()
            sink = sink_at(path)
            expected = UnavailableError if kind == "file" else MisconfiguredError  # to connect to a file is refused
            with pytest.raises(expected, match="cannot reach journald at"):
                asyncio.run(deliver(sink, records_of(sink, [b"x"])))


LINES = [b"%03d" % number for number in range(40)]


class StuckReader:
    """A socket as journald's whose reader does nothing but what a test has it do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listen()

    def listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.path))

    def read(self) -> list[bytes]:
        """Read all entries in the queue; an empty datagram is none."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(1 << 20))
        return [entry.partition(b"MESSAGE=")[2].strip() for entry in found if entry]

    def die(self) -> None:
        self._socket.close()


class TestStuck:
    """journald does not read: nothing is acknowledged, nothing is lost, and nothing is sent again that it has."""

    def test_it_waits_and_goes_on_where_it_was(self, tmp_path: Path) -> None:
        reader = StuckReader(tmp_path / "socket")
        sink = sink_at(reader.path, "20ms")
        payload = sink.encode(records_of(sink, LINES))

        async def run() -> list[bytes]:
            found = []
            for _ in range(len(LINES)):
                try:
                    await sink.send(payload)
                except UnavailableError as error:
                    assert "has read nothing for 0.02 s" in str(error)  # noqa: PT017
                    found += reader.read()
                else:
                    break
            await sink.close()
            return found

        assert asyncio.run(run()) == LINES
        reader.die()

    def test_what_it_had_not_read_when_it_died_is_sent_again(self, tmp_path: Path) -> None:
        reader = StuckReader(tmp_path / "socket")
        sink = sink_at(reader.path, "20ms")
        payload = sink.encode(records_of(sink, LINES[:5]))

        async def run() -> list[bytes]:
            with pytest.raises(UnavailableError, match="has read nothing"):
                await sink.send(payload)
            reader.die()
            with pytest.raises(UnavailableError, match="Connection refused"):
                await sink.send(payload)
            reader.listen()
            with pytest.raises(UnavailableError, match="has read nothing"):
                await sink.send(payload)
            found = reader.read()
            await sink.send(payload)
            await sink.close()
            return found

        assert asyncio.run(run()) == LINES[:5]
        reader.die()

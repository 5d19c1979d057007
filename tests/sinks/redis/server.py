"""Private Redis servers, as Debian ships them, alone and as a cluster; read back with redis-py."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds
from tests.testbed.host import has_program
from tests.testbed.ports import HeldPort
from tests.testbed.processes import ServerProcess
from tests.testbed.waiting import wait_until

_SLOTS = 16_384


class RedisServer:
    """One redis-server, which has written to its disk whatever it acknowledges; always at the same port."""

    def __init__(self, folder: Path, *settings: str, client: dict[str, Any] | None = None) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self.folder = folder
        folder.mkdir(exist_ok=True)
        command = ["redis-server", "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--save", "", "--enable-debug-command", "yes"]
        ports = () if "--tls-port" in settings else ("--port", str(self.port))
        settings = tuple(str(self.port) if setting == "TLS_PORT" else setting for setting in settings)
        self._process = ServerProcess([*command, *ports, *settings], folder, self._answers)
        self._client_options = client or {}

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """A client of its own for each use."""
        return redis.Redis(host="127.0.0.1", port=self.port, **self._client_options)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process.start()

    def launch(self) -> None:
        """Start it."""
        self._process.launch()

    def stop(self) -> None:
        """Kill it; what it has acknowledged stays on its disk."""
        self._process.kill()

    def freeze(self) -> None:
        """Stop it for a while."""
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def close(self) -> None:
        """End it for good."""
        self._process.kill()
        self._held.release()

    @property
    def received(self) -> list[Received]:
        """All entries of all streams."""
        return [received_of(fields) for _, entries in streams(self.client).items() for _, fields in entries]

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.exceptions.RedisError:
            return False


def streams(client: Any) -> dict[str, list[tuple[str, dict[str, bytes]]]]:
    """Read all streams: their entries' ids and fields, by key."""
    found = {}
    for key in sorted(client.scan_iter(_type="stream", count=1000)):
        entries = client.xrange(key)
        found[key.decode()] = [
            (id_.decode(), {name.decode(): value for name, value in fields.items()}) for id_, fields in entries
        ]
    return found


def received_of(fields: dict[str, bytes]) -> Received:
    """Return what the fields of an entry say."""
    name, source = fields["container_name"].decode(), fields["source"].decode()
    return Received(name, source, fields["log"], nanoseconds(fields["timestamp"].decode()))


def require_redis() -> None:
    """Skip where there is no Redis."""
    if not has_program("redis-server")():
        pytest.skip("no redis-server here")


@contextlib.contextmanager
def redis_server(folder: Path, *settings: str, client: dict[str, Any] | None = None) -> Iterator[RedisServer]:
    """Run a server of the test's own."""
    require_redis()
    server = RedisServer(folder / "redis", *settings, client=client)
    try:
        server.start()
        yield server
    finally:
        server.close()


class RedisCluster:
    """Three masters, each with a third of the slots."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._buses = [HeldPort() for _ in range(3)]
        self.nodes = [
            RedisServer(
                folder / str(number),
                *("--cluster-enabled", "yes", "--cluster-port", str(bus.number)),
                *("--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"),
            )
            for number, bus in enumerate(self._buses)
        ]

    @property
    def url(self) -> str:
        """The URL of all nodes."""
        return "redis://" + ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Start all nodes, make them one cluster, and wait until each takes writes."""
        for node in self.nodes:
            node.start()
        share = _SLOTS // 3 + 1
        for number, node in enumerate(self.nodes):
            with node.client as client:
                client.execute_command(
                    "CLUSTER", "ADDSLOTSRANGE", number * share, min(_SLOTS, (number + 1) * share) - 1
                )
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes:
            with node.client as client:
                for other, bus in zip(self.nodes, self._buses, strict=True):
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, bus.number)
        self._settle()

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.close()
        for bus in self._buses:
            bus.release()

    def streams(self) -> dict[str, list[tuple[str, dict[str, bytes]]]]:
        """Read all streams of all nodes, once all are there."""
        self._settle()
        found: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        for node in self.nodes:
            found |= streams(node.client)
        return found

    def _settle(self) -> None:
        wait_until(lambda: all(map(self._is_whole, self.nodes)), "the nodes are one cluster")

    @staticmethod
    def _is_whole(node: RedisServer) -> bool:
        with node.client as client:
            told = client.execute_command("CLUSTER", "INFO").split()
        return (
            b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told and b"cluster_slots_ok:%d" % _SLOTS in told
        )


@contextlib.contextmanager
def redis_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Run a cluster of the test's own."""
    require_redis()
    cluster = RedisCluster(folder / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()

"""Private NATS servers, as Debian ships them, alone and as a cluster; read back with nats-py."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds
from tests.testbed.host import has_program
from tests.testbed.ports import HeldPort
from tests.testbed.processes import ServerProcess
from tests.testbed.waiting import wait_until

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """A message as the stream has it."""

    subject: str
    sequence: int
    headers: dict[str, str]
    objects: list[dict[str, Any]]


class NatsServer:
    """One nats-server with JetStream, always at the same port. ``settings`` are lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "", *, jetstream: bool = True, **client: Any) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self._client = client
        folder.mkdir(exist_ok=True)
        config = folder / "nats.conf"
        store = f'jetstream {{ store_dir: "{folder}/store" }}' if jetstream else ""
        config.write_text(f"listen: 127.0.0.1:{self.port}\n{store}\n{settings}\n")
        self.process = ServerProcess(["nats-server", "--config", str(config)], folder, self._greets)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it greets."""
        self.process.start()

    def stop(self) -> None:
        """Kill it; what it has stored stays on its disk."""
        self.process.kill()

    def freeze(self) -> None:
        """Stop it for a while."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()

    def close(self) -> None:
        """End it for good."""
        self.process.kill()
        self._held.release()

    def run(self, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        """Do something with a client of its own."""
        return asyncio.run(work_with([self.address], work, **self._client))

    def add_stream(self, name: str = "logs", *subjects: str, **config: Any) -> None:
        """Make a stream."""

        async def add(js: JetStreamContext) -> None:
            await js.add_stream(name=name, subjects=list(subjects or ("logs.>",)), **config)

        self.run(add)

    @property
    def published(self) -> list[Published]:
        """All messages of the stream ``logs``."""
        return self.run(read_stream)

    @property
    def received(self) -> list[Received]:
        """All lines of the stream ``logs``."""
        return lines_of(self.published)

    def _greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            return connection.recv(5) == b"INFO "
        return False


async def work_with(addresses: list[str], work: Callable[[JetStreamContext], Awaitable[T]], **options: Any) -> T:
    """Do something with a client of these servers."""

    async def ignore(_: Exception) -> None:
        return

    scheme = "tls" if "tls" in options else "nats"
    servers = [f"{scheme}://{address}" for address in addresses]
    client = await nats.connect(servers, error_cb=ignore, max_reconnect_attempts=60, reconnect_time_wait=0, **options)
    try:
        return await work(client.jetstream(timeout=20))
    finally:
        await client.close()


async def read_stream(js: JetStreamContext) -> list[Published]:
    """Read all messages of the stream ``logs``."""
    info = await js.stream_info("logs")
    if not info.state.messages:
        return []
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, mem_storage=True)
    subscription = await js.subscribe("", stream="logs", ordered_consumer=True, config=config)
    found: list[Published] = []
    while len(found) < info.state.messages:
        message = await subscription.next_msg(timeout=30)
        objects = [json.loads(line) for line in message.data.splitlines()]
        found.append(Published(message.subject, message.metadata.sequence.stream, message.headers or {}, objects))
    return found


def lines_of(published: list[Published]) -> list[Received]:
    """List the lines of messages."""
    return [
        Received(o["container_name"], o["source"], o["log"].encode(), nanoseconds(o["timestamp"]))
        for message in published
        for o in message.objects
    ]


def require_nats() -> None:
    """Skip where there is no NATS."""
    if not has_program("nats-server")():
        pytest.skip("no nats-server here")


@contextlib.contextmanager
def nats_server(folder: Path, settings: str = "", **options: Any) -> Iterator[NatsServer]:
    """Run a server of the test's own."""
    require_nats()
    server = NatsServer(folder / "nats", settings, **options)
    try:
        server.start()
        yield server
    finally:
        server.close()


class NatsCluster:
    """Three servers that keep the stream ``logs`` three times."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._routes = [HeldPort() for _ in range(3)]
        routes = ", ".join(f'"nats://127.0.0.1:{route.number}"' for route in self._routes)
        self.nodes = [
            NatsServer(
                folder / str(number),
                f"""
                server_name: node{number}
                cluster {{ name: peavey, listen: "127.0.0.1:{route.number}", routes: [{routes}] }}
                """,
            )
            for number, route in enumerate(self._routes)
        ]

    @property
    def addresses(self) -> list[str]:
        """Host and port of each."""
        return [node.address for node in self.nodes]

    @property
    def url(self) -> str:
        """The URL of all nodes."""
        return "nats://" + ",".join(self.addresses)

    def start(self) -> None:
        """Start all nodes, and make the stream."""
        for node in self.nodes:
            node.process.launch()
        for node in self.nodes:
            node.process.wait()

        async def add(js: JetStreamContext) -> None:
            await js.add_stream(name="logs", subjects=["logs.>"], num_replicas=3)

        wait_until(lambda: self._did(add), "the nodes have the stream")

    def leader(self) -> int:
        """Return the number of the node that leads the stream, -1 while there is none."""

        async def ask(js: JetStreamContext) -> str:
            info = await js.stream_info("logs")
            return (info.cluster and info.cluster.leader) or ""

        try:
            name: str = asyncio.run(work_with(self.addresses, ask))
        except Exception:  # noqa: BLE001 (there is an election)
            return -1
        return int(name.removeprefix("node")) if name else -1

    def published(self) -> list[Published]:
        """All messages."""
        found: list[Published] = []

        async def read(js: JetStreamContext) -> None:
            found[:] = await read_stream(js)

        wait_until(lambda: self._did(read), "the stream can be read")
        return found

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.close()
        for route in self._routes:
            route.release()

    def _did(self, work: Callable[[JetStreamContext], Awaitable[None]]) -> bool:
        try:
            asyncio.run(work_with(self.addresses, work))
        except Exception:  # noqa: BLE001 (there is an election)
            return False
        return True


@contextlib.contextmanager
def nats_cluster(folder: Path) -> Iterator[NatsCluster]:
    """Run a cluster of the test's own."""
    require_nats()
    cluster = NatsCluster(folder / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()

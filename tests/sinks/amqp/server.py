"""Private RabbitMQ nodes, as Debian ships them, one for all tests of a process; read back by consumers."""

import asyncio
import atexit
import contextlib
import functools
import itertools
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aio_pika
import orjson
import pytest
import trustme
from aio_pika.abc import AbstractIncomingMessage

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds
from tests.testbed.host import has_program
from tests.testbed.ports import HeldPort
from tests.testbed.waiting import wait_until

T = TypeVar("T")

# It tells of each of the many vain tries while a node starts.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)

_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_numbers = itertools.count()


class Epmd:
    """Erlang's port mapper, of whose nodes none but a test's own knows; with it the home that holds their cookie."""

    def __init__(self, home: Path) -> None:
        self._held = HeldPort()
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._held.number),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> None:
        """Start it, and wait until it listens: a node that finds none would start one that outlives it."""
        command = ["epmd", "-port", str(self._held.number), "-address", "127.0.0.1"]
        self._process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(self._listens, "epmd listens")

    def close(self) -> None:
        """End it, after its nodes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._held.release()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._held.number)).close()
        except OSError:
            return False
        return True


class Node:
    """One node, of which nothing is shared with any other on this machine: folders, cookie, epmd."""

    def __init__(self, folder: Path, epmd: "Epmd") -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._epmd = epmd
        self._ports = {name: HeldPort() for name in ("amqp", "amqps", "dist")}
        self.port = self._ports["amqp"].number
        self.tls_port = self._ports["amqps"].number
        self.name = f"peavey{self.port}@localhost"
        self.ca = folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure()

    def start(self) -> None:
        """Start it, and wait until it takes a login."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_PROGRAM],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it takes a login."""
        wait_until(self._answers, "RabbitMQ answers", within=300)

    def stop(self) -> None:
        """Kill it; what it has written to its disk stays."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)  # a script is the parent of what is to be killed
            process.wait()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        for port in self._ports.values():
            port.release()

    def control(self, *arguments: str) -> str:
        """Return what rabbitmqctl prints."""
        command = [str(Path(_PROGRAM).with_name("rabbitmqctl")), "--quiet", *arguments]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        return done.stdout

    def run(self, work: "Coroutine[Any, Any, T]") -> T:
        """Run a coroutine."""
        return asyncio.run(work)

    async def connect(self) -> aio_pika.abc.AbstractConnection:
        """Connect as the administrator."""
        return await aio_pika.connect(host="127.0.0.1", port=self.port)

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            **self._epmd.environment,
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self._ports["dist"].number),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def configure(self, members: Sequence[str] = ()) -> None:
        """Write its files; it becomes one cluster with the other members."""
        folder = self._folder
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(self.ca)
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        (folder / "enabled_plugins").write_text("[].\n")
        listed = [f"cluster_formation.classic_config.nodes.{n} = {name}\n" for n, name in enumerate(members, 1)]
        (folder / "rabbitmq.conf").write_text(
            "".join(listed)
            + f"""
            listeners.tcp.1 = 127.0.0.1:{self.port}
            listeners.ssl.1 = 127.0.0.1:{self.tls_port}
            ssl_options.cacertfile = {self.ca}
            ssl_options.certfile = {folder / "cert.pem"}
            ssl_options.keyfile = {folder / "key.pem"}
            log.console.level = warning
            """
        )

    def _answers(self) -> bool:
        is_dead = self._process is None or self._process.poll() is not None
        assert not is_dead, (self._folder / "log").read_text(errors="replace")

        async def log_in() -> None:
            async with asyncio.timeout(10):
                await (await self.connect()).close()

        try:
            asyncio.run(log_in())
        except (OSError, aio_pika.exceptions.AMQPError, TimeoutError):
            return False
        return True


def require_rabbitmq() -> None:
    """Skip where there is no RabbitMQ."""
    if not (has_program("epmd")() and Path(_PROGRAM).exists()):
        pytest.skip("no RabbitMQ here")


@functools.cache
def node() -> Node:
    """Return the node of this process, which takes ten seconds and more to start; it ends with the process."""
    require_rabbitmq()
    folder = Path(tempfile.mkdtemp(prefix="peavey-rabbitmq-"))
    epmd = Epmd(folder)
    made = Node(folder, epmd)

    def end() -> None:
        made.close()
        epmd.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    epmd.start()
    made.start()
    return made


class Proxy:
    """A way to a server that a test can cut and hold up; always at the same port."""

    def __init__(self, target: int) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Cut all connections, and take no further ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._flows.set()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Let nothing through, and cut nothing."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let it through."""
        self._flows.set()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._held.release()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open |= {near, far}
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, to), daemon=True).start()

    def _pump(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                self._flows.wait()
                to.sendall(piece)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)
        self._open.discard(to)
        to.close()


class Queue:
    """A queue of the node's, all of whose messages are consumed, and a proxy on the way to the node."""

    def __init__(self, server: Node) -> None:
        self._node = server
        self.name = f"logs-{os.getpid()}-{next(_numbers)}"
        self.proxy = Proxy(server.port)
        self.messages: list[AbstractIncomingMessage] = []
        self._is_ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._consume(),), daemon=True)

    @property
    def address(self) -> str:
        """Host and port of the proxy."""
        return f"127.0.0.1:{self.proxy.port}"

    def open(self) -> None:
        """Declare the queue, and consume it."""
        self.proxy.start()
        self._thread.start()
        assert self._is_ready.wait(60)

    def close(self) -> None:
        """Remove the queue."""
        self.proxy.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Let connections through."""
        self.proxy.start()

    def stop(self) -> None:
        """Cut all connections."""
        self.proxy.stop()

    def freeze(self) -> None:
        """Let nothing through."""
        self.proxy.freeze()

    def thaw(self) -> None:
        """Let it through."""
        self.proxy.thaw()

    @property
    def received(self) -> list[Received]:
        """All lines of all messages."""
        return [received_of(line) for message in list(self.messages) for line in message.body.splitlines()]

    async def _consume(self) -> None:
        connection = await self._node.connect()
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(self.name, durable=True)
            await queue.consume(self._take, no_ack=True)
            self._is_ready.set()
            await self._end.wait()
            await queue.delete(if_unused=False, if_empty=False)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self.messages.append(message)


def received_of(line: bytes) -> Received:
    """Return what an object of a message says."""
    fields = orjson.loads(line)
    return Received(
        fields["container_name"], fields["source"], fields["log"].encode(), nanoseconds(fields["timestamp"])
    )


@contextlib.contextmanager
def rabbitmq(_: Path | None = None) -> Iterator[Queue]:
    """Make a queue of the test's own."""
    queue = Queue(node())
    queue.open()
    try:
        yield queue
    finally:
        queue.close()


class Cluster:
    """Three nodes, and on them a quorum queue."""

    QUEUE = "logs"

    def __init__(self, folder: Path) -> None:
        self._epmd = Epmd(folder)
        self.nodes = [Node(folder / f"node{number}", self._epmd) for number in range(3)]
        for member in self.nodes:
            member.configure([other.name for other in self.nodes])

    @property
    def url(self) -> str:
        """The URL of all nodes."""
        return "amqp://" + ",".join(f"127.0.0.1:{member.port}" for member in self.nodes)

    def start(self) -> None:
        """Start all nodes, wait until they are one cluster, and declare the queue."""
        self._epmd.start()
        for member in self.nodes:
            member.launch()
        for member in self.nodes:
            member.wait()
        wait_until(
            lambda: self.nodes[0].control("cluster_status").count("@localhost") >= 6, "the nodes are one cluster"
        )

        async def declare() -> None:
            async with await self.nodes[0].connect() as connection:
                channel = await connection.channel()
                await channel.declare_queue(self.QUEUE, durable=True, arguments={"x-queue-type": "quorum"})

        asyncio.run(declare())

    def close(self) -> None:
        """End all nodes."""
        for member in self.nodes:
            member.close()
        self._epmd.close()

    def leader(self) -> Node | None:
        """Return the node that leads the queue, if there is one and a node knows."""
        for member in self.nodes:
            told = member.control("list_queues", "name", "leader")
            for other in self.nodes:
                if other.name in told:
                    return other
        return None

    def received(self) -> list[Received]:
        """Take all lines out of the queue, in order, once all nodes are there."""

        async def read() -> list[Received]:
            found: list[Received] = []
            async with await self.nodes[0].connect() as connection:
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=500)
                queue = await channel.get_queue(self.QUEUE)
                with contextlib.suppress(TimeoutError):
                    async with queue.iterator(timeout=10) as messages:
                        async for message in messages:
                            found += map(received_of, message.body.splitlines())
                            await message.ack()
            return found

        for member in self.nodes:
            member.wait()
        return asyncio.run(read())


@contextlib.contextmanager
def rabbitmq_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster of the test's own."""
    require_rabbitmq()
    folder.mkdir(exist_ok=True)
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()

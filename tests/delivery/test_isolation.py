"""A destination that is down, frozen or hangs in any other way delays no other; many containers make few requests.

Nothing here is timed: what hangs hangs until the end of the test, and meanwhile everything else arrives.
"""

import asyncio
import contextlib
import fcntl
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest

from plugin.config.options import SinkChoice
from plugin.delivery import tail as tail_module
from plugin.delivery.timing import Timing
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.records.record import Record
from plugin.transforms.base import Transform
from tests.delivery.worker_harness import WorkerHarness, until, working
from tests.sinks.json_file.receiver import decode_json_file
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.ports import CLOSED_PORT
from tests.transforms.examples import KeepAll

QUICK_TO_LOOK = Timing(look=0.05)

HANGING_NAME = "hangs.example"
ROUNDS = 3


class NameServer:
    """A resolver of every name but one, until the end of a block; ``asked`` counts how often that one was asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self._released = threading.Event()
        self._look_up = socket.getaddrinfo

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()

    def getaddrinfo(
        self,
        host: Any,
        port: Any,
        family: int = 0,
        type: int = 0,  # noqa: A002 (its name there)
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Stand for ``socket.getaddrinfo``."""
        if host == HANGING_NAME and not flags & socket.AI_NUMERICHOST:
            self.asked += 1
            self._released.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")
        return self._look_up(host, port, family, type, proto, flags)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    return server


@pytest.fixture
def silent() -> Iterator[int]:
    """A port at which the kernel takes connections and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A file that another process holds locked."""
    path = tmp_path / "locked.log"
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


HANGING: dict[str, Callable[[pytest.FixtureRequest], dict[str, str]]] = {
    "down": lambda _: {"loki-url": f"http://127.0.0.1:{CLOSED_PORT}"},
    "frozen": lambda get: {"loki-url": f"http://127.0.0.1:{get.getfixturevalue('silent')}"},
    "frozen in TLS": lambda get: {"loki-url": f"https://127.0.0.1:{get.getfixturevalue('silent')}"},
    "frozen fluentd": lambda get: {"fluentd-address": f"127.0.0.1:{get.getfixturevalue('silent')}"},
    "fluentd frozen in TLS": lambda get: {"fluentd-address": f"tls://127.0.0.1:{get.getfixturevalue('silent')}"},
    "syslog frozen in TLS": lambda get: {"syslog-address": f"tcp+tls://127.0.0.1:{get.getfixturevalue('silent')}"},
    "a name for loki": lambda _: {"loki-url": f"http://{HANGING_NAME}"},
    "a name for fluentd": lambda _: {"fluentd-address": HANGING_NAME},
    "a name for syslog": lambda _: {"syslog-address": f"udp://{HANGING_NAME}"},
    "a name for gelf": lambda _: {"gelf-address": f"tcp://{HANGING_NAME}:1"},
    "a locked file": lambda get: {"json-file-path": str(get.getfixturevalue("locked"))},
}


@pytest.mark.parametrize("kind", HANGING)
def test_what_hangs_delays_nothing_else(
    tmp_path: Path, request: pytest.FixtureRequest, name_server: NameServer, kind: str
) -> None:
    """Neither another sink of the same container, nor that of another one."""
    hanging = HANGING[kind](request)

    async def story() -> None:
        with name_server, Receiver(PROTOCOLS["http"]) as receiver:
            web = {"http-url": f"http://127.0.0.1:{receiver.port}"}
            both = WorkerHarness(tmp_path, hanging | web, "b" * 64)
            other = WorkerHarness(both.data, web, "a" * 64)
            async with working(both.data, timing=QUICK_TO_LOOK) as worker:
                for number in range(1, ROUNDS + 1):
                    for harness in (both, other):
                        harness.journal.lines(10 * number, 10)
                    await until(lambda number=number: len(receiver.received) == 20 * number)  # type: ignore[misc]
                states = {d.sink.declaration.name: d.state for _, d in worker._destinations}
                answered = states.pop("http")
                await until(lambda: answered.records == 20 * ROUNDS)
                (state,) = states.values()
                assert state.records == 0
            for harness in (both, other):
                harness.journal.close()

    asyncio.run(story())


def test_names_that_hang_for_more_destinations_than_there_are_threads(tmp_path: Path, name_server: NameServer) -> None:
    threads = 4
    output = tmp_path / "output.log"

    async def story() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
        with contextlib.ExitStack() as stack:
            stack.enter_context(name_server)
            receivers = [stack.enter_context(Receiver(PROTOCOLS[name])) for name in ("http", "fluentd", "syslog")]
            hanging = [{"loki-url": f"http://{HANGING_NAME}/{number}"} for number in range(2 * threads)]
            houses = [WorkerHarness(tmp_path, options, f"{number:08x}" * 8) for number, options in enumerate(hanging)]
            data = houses[0].data
            for harness in houses:
                harness.journal.lines(0, 10)
            async with working(data, timing=QUICK_TO_LOOK):
                await until(lambda: name_server.asked == threads)
                healthy = WorkerHarness(
                    data,
                    {
                        "http-url": f"http://127.0.0.1:{receivers[0].port}",
                        "fluentd-address": f"127.0.0.1:{receivers[1].port}",
                        "syslog-address": f"tcp://127.0.0.1:{receivers[2].port}",
                        "syslog-format": "rfc5424",
                        "json-file-path": str(output),
                    },
                    "f" * 64,
                )
                printed = healthy.journal.lines(0, 10)
                for receiver in receivers:
                    await until(lambda receiver=receiver: lines(receiver.received) == printed)  # type: ignore[misc]
                await until(lambda: output.exists() and lines(decode_json_file(output.read_bytes(), "")) == printed)
            for harness in (*houses, healthy):
                harness.journal.close()

    asyncio.run(story())


class HangingStage(KeepAll):
    """Hangs at a line that is made for that, until it is ``released``."""

    def __init__(self, made_for_it: bytes) -> None:
        self.released = threading.Event()
        self._made_for_it = made_for_it

    def feed(self, record: Record) -> Sequence[Record]:
        if record.line == self._made_for_it:
            self.released.wait()
        return (record,)


@pytest.mark.parametrize(
    ("hostile", "slow_turn"),
    [(b"x" * 100_000, 3600.0), (b"short", -1.0)],
    ids=["a large line", "short lines of which some were slow before"],
)
def test_a_line_that_takes_long_to_shape_delays_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: bytes, slow_turn: float
) -> None:
    monkeypatch.setattr(tail_module, "_SLOW_TURN", slow_turn)
    hanging = HangingStage(hostile)

    async def story() -> None:
        with Receiver(PROTOCOLS["http"]) as receiver:
            options = {"http-url": f"http://127.0.0.1:{receiver.port}"}
            first = WorkerHarness(tmp_path, options, "b" * 64)
            other = WorkerHarness(first.data, options, "a" * 64)

            def arrived(harness: WorkerHarness) -> list[bytes]:
                name = harness.container[:8]
                return [record.line for record in receiver.received if record.container == name]

            def stages(_: SinkChoice, info: Info) -> Sequence[Transform]:
                return [hanging] if info.container_id == first.container else []

            async with working(first.data, timing=QUICK_TO_LOOK, stages=stages):
                printed = first.journal.lines(0, 10)
                await until(lambda: arrived(first) == printed)
                first.journal.write(Entry("stdout", 1, hostile))
                behind = first.journal.lines(10, 10)
                for number in range(ROUNDS):
                    lines_of_other = other.journal.lines(0, 10 * number + 10)
                    await until(lambda wanted=lines_of_other: arrived(other)[-len(wanted) :] == wanted)  # type: ignore[misc]
                assert arrived(first) == printed
                hanging.released.set()
                await until(lambda: arrived(first) == [*printed, hostile, *behind])
            for harness in (first, other):
                harness.journal.close()

    try:
        asyncio.run(story())
    finally:
        hanging.released.set()


def lines(records: list[Received]) -> list[bytes]:
    return [record.line for record in records]


def test_five_hundred_containers_make_requests_by_batch(tmp_path: Path) -> None:
    containers, each = 500, 10

    async def story() -> None:
        with Receiver(PROTOCOLS["http"]) as receiver:
            options = {"http-url": f"http://127.0.0.1:{receiver.port}", "batch-wait": "3s"}
            houses = [WorkerHarness(tmp_path, options, f"{number:08x}" * 8) for number in range(containers)]
            for number, harness in enumerate(houses):
                harness.journal.lines(each * number, each)
                harness.journal.close()
            async with working(houses[0].data, timing=QUICK_TO_LOOK) as worker:
                await until(lambda: len(receiver.received) == containers * each)
                ((_, destination),) = worker._destinations
            assert len(destination.tails) == containers
            assert receiver.requests < containers / 50
            by_container: dict[str, list[bytes]] = {}
            for record in receiver.received:
                by_container.setdefault(record.container, []).append(record.line)
            numbered = sorted(by_container.values())
            assert numbered == [
                [b"line %06d" % (each * number + place) for place in range(each)] for number in range(containers)
            ]

    asyncio.run(story())

"""Far fewer descriptors than journals and destinations need: all is delivered in turns, and the log says what is short.

The limit holds for the server and its delivery alike, and some destinations hang all the while.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.lifetimes import dying_engine, short_folder, tidy_server
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

LIMIT = 96
GROUPS, IN_GROUP = 4, 10
LINES = numbered(300, padding=200)


class LimitedServer(Server):
    """A server that may have few files open."""

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", f'ulimit -n {LIMIT} && exec "$0" "$@"', *super().command()]


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def test_all_is_delivered_in_turns(folder: Path) -> None:
    with Receivers(folder) as receivers, tidy_server(LimitedServer(folder)) as server:
        server.start()
        with dying_engine(folder) as engine:
            deliver_in_turns(server, engine, receivers)


def deliver_in_turns(server: Server, engine: Engine, receivers: Receivers) -> None:
    up, frozen = receivers.up("http"), receivers.up("http")
    url = up.options["http-url"]
    frozen.freeze()
    hung = frozen.options["http-url"]
    containers: list[Container] = []
    for group in range(GROUPS):
        # Each has a destination of its own, and one that hangs, as others have.
        running = [
            engine.run(
                {
                    "sink": "http,hung=http",
                    "http-url": f"{url}?{group}-{number}",
                    "hung.http-url": f"{hung}?{number}",
                    "hung.http-timeout": "1s",
                    "batch-wait": "50ms",
                }
            )
            for number in range(IN_GROUP)
        ]
        for container in running:
            container.print(b"".join(LINES))
        for container in running:
            container.stop()
        containers += running
    for container in containers:
        assert up.wait_for(container.name, plain(LINES)[-1]) == plain(LINES)
        assert [entry.line for entry in container.logs()] == LINES
    frozen.thaw()
    for container in containers:
        arrived = frozen.wait_for(container.name, plain(LINES)[-1])
        assert list(dict.fromkeys(arrived)) == plain(LINES)  # what it had not answered in time came again
    wait_until(lambda: "destinations are connected at the same time, and take turns" in server.log, "that is told")
    assert "journals are open at the same time, and take turns; raise LimitNOFILE" in server.log
    assert "Traceback" not in server.log
    assert "Too many open files" not in server.log
    assert server.alive

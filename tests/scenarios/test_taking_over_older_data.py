"""A data folder that an older version wrote is taken over without a line lost or repeated.

``data/<commit>.tar.xz`` was made by that commit's own server (`tests.testbed.older_data`). It holds files of all
kinds: segments, plain and compressed, indexes, info.json, cursors, dead letters, an attachment of a running container.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.status.client import ask_status
from plugin.status.model import Status
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.folders import DataFolder
from tests.testbed.lifetimes import tidy_server
from tests.testbed.older_data import unpack
from tests.testbed.server import Server, run_to_end
from tests.testbed.standin import Engine, ReadConfig
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, Part, encode

ARCHIVES = sorted((Path(__file__).parent / "data").glob("*.tar.xz"))
PART = 16 * 1024
CAUSE = (
    "they had to make room before they could be delivered (buffer-limit, or a bound on the disk);"
    " the cause is not recorded"
)
"""4de3dae did not record causes yet."""


class Old:
    """A server with the data of an older version, both of its destinations, and what the data are to hold."""

    def __init__(self, folder: Path, server: Server, near: Receiver, far: Receiver, expected: dict[str, Any]) -> None:
        self.folder = folder
        self.server = server
        self.near = near
        self.far = far
        self.expected = expected

    def name(self, what: str) -> str:
        """Return the name of a container."""
        return str(self.expected[what]["info"]["ContainerName"]).removeprefix("/")

    def arrived(self, receiver: Receiver, what: str) -> list[str]:
        """Return the lines of a container that a destination has now."""
        return [r.line.decode() for r in receiver.received if r.container == self.name(what)]

    def command(self, *arguments: str) -> list[str]:
        """Make a command line of the plugin on this data folder."""
        first, *rest = arguments
        return [*self.server.command()[:3], first, "--data", str(self.server.data), *rest]


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def old(request: pytest.FixtureRequest, folder: Path) -> Iterator[Old]:
    with Receiver(PROTOCOLS["http"]) as near, Receiver(PROTOCOLS["http"]) as far:
        server = Server(folder, {"PEAVEY_KEEP_STOPPED": "0"})  # it would take what stopped long ago and is delivered
        expected = unpack(request.param, folder, near.port, far.port)
        with tidy_server(server):
            yield Old(folder, server, near, far, expected)


def test_each_destination_gets_what_it_has_not_had_once_and_in_order(old: Old) -> None:
    old.server.start()
    for what in ("waiting", "two sinks"):
        wait_until(lambda what=what: len(old.arrived(old.far, what)) >= len(old.expected[what]["waiting"]), what)  # type: ignore[misc]
        assert old.arrived(old.far, what) == old.expected[what]["waiting"]
    wait_until(lambda: len(old.arrived(old.far, "running")) >= 50, "the lines of the one that runs")
    assert old.arrived(old.far, "running")[:50] == old.expected["running"]["waiting"]
    assert old.near.received == []


def test_a_gap_of_which_the_sink_was_not_told_is_told_once_and_in_its_place(old: Old) -> None:
    data, container = DataFolder(old.server.data), old.expected["gap"]["info"]["ContainerID"]
    missing, kept = int(data.segments(container)[0].name[:20]), len(data.journal(container))
    old.server.start()
    made = old.expected["gap"]["all"]
    wait_until(lambda: old.arrived(old.far, "gap")[-1:] == made[-1:], "the newest line is there")
    gap, *others = old.arrived(old.far, "gap")
    assert gap == f"peavey: {missing} bytes of this container's log are missing here: {CAUSE}"
    assert others == made[-len(others) :]
    assert missing * len(others) == kept * (len(made) - len(others)), "all entries are of the same size"
    wait_until(lambda: gap_bytes(old.server, container) == [missing], "status counts it")


def gap_bytes(server: Server, container: str) -> list[int]:
    """Return what status says that the sinks of a container will not get."""
    status = msgspec.json.decode(ask_status(server.socket), type=Status)
    return [sink.gap_bytes for one in status.containers if one.id == container for sink in one.sinks]


def test_docker_logs_gives_every_line_that_is_kept(old: Old, engine: Engine) -> None:
    old.server.start()
    for what in ("delivered", "waiting", "dead letter", "two sinks"):
        container = engine.create(info=old.expected[what]["info"])
        assert container.output().decode().splitlines() == old.expected[what]["logs"]
    gap = engine.create(info=old.expected["gap"]["info"])
    kept = gap.output().decode().splitlines()
    assert kept
    assert kept == old.expected["gap"]["all"][-len(kept) :]


def test_dead_letters_can_be_sent_again(old: Old) -> None:
    old.server.start()
    assert b"never taken" in run_to_end(old.command("dead")).stdout
    run_to_end(old.command("dead", "--again"))
    wait_until(lambda: old.arrived(old.near, "dead letter"), "the letter has arrived")
    assert old.arrived(old.near, "dead letter") == ["never taken"]
    assert b"never taken" not in run_to_end(old.command("dead")).stdout


def test_a_container_that_runs_goes_on_at_the_end_of_its_journal(old: Old, engine: Engine) -> None:
    fifo = old.server.logging_folder / old.expected["fifo"]
    os.mkfifo(fifo, 0o700)
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        old.server.start()
        rest = Part(old.expected["part"], 3, last=True)
        os.write(descriptor, encode(LogEntry("stdout", 2, b"end", partial=True, part=rest)))
        os.write(descriptor, encode(LogEntry("stdout", 3, b"another")))
        wait_until(lambda: "another" in old.arrived(old.far, "running"), "the newest line has arrived")
        long_line = "y" * 2 * PART + "end"
        everything = [*old.expected["running"]["logs"], long_line, "another"]
        assert old.arrived(old.far, "running") == everything
        reader = engine.read_logs(old.expected["running"]["info"], ReadConfig())
        assert b"".join(entry.line for entry in reader.rest()).decode().splitlines() == everything
    finally:
        os.close(descriptor)

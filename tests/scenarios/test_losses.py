"""What is lost is told: a bound or a full disk takes lines that wait to be delivered, and each sink learns how many."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from plugin.status.client import ask_status
from plugin.status.model import Status
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.testbed.disks import MEBIBYTE, fill
from tests.testbed.folders import DataFolder
from tests.testbed.printer import Printer, numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, encode

OPTIONS = {"max-size": "200k", "max-file": "100", "compress": "false"}
LINES = numbered(2_000, padding=1_000)
FRAME = len(encode(LogEntry("stdout", time.time_ns(), LINES[0].rstrip())))


def missing(receiver: ReceiverProcess, container: Container) -> int:
    """Sum up the bytes that a sink was told are missing."""
    told = [re.match(rb"peavey: (\d+) bytes", line) for line in receiver.lines(container.name, "stderr")]
    return sum(int(found[1]) for found in told if found)


def all_is_accounted_for(
    receiver: ReceiverProcess, container: Container, lines: list[bytes], *, repeated: bool = False
) -> Callable[[], bool]:
    """Return whether each line has arrived, in its order, or is within what the sink was told is missing.

    Lines may come ``repeated`` where delivery was killed before it could note, on a full disk, what it had sent.
    """

    def accounted() -> bool:
        remaining = iter(line.rstrip() for line in lines)
        arrived = receiver.lines(container.name)
        if repeated:
            arrived = list(dict.fromkeys(arrived))
        assert all(line in remaining for line in arrived)
        return missing(receiver, container) == (len(lines) - len(arrived)) * FRAME

    return accounted


@pytest.mark.parametrize("restarted", [False, True])
def test_a_stopped_container_whose_log_had_to_go(
    idle_server: Server, engine: Engine, receivers: Receivers, data: DataFolder, restarted: bool
) -> None:
    idle_server.environment |= {"PEAVEY_DISK_LIMIT": "1m", "PEAVEY_KEEP_STOPPED": "1s"}
    idle_server.start()
    loki, http = receivers.down("loki"), receivers.down("http")
    stopped = engine.run(loki.options | http.options | OPTIONS)
    stopped.print(b"".join(LINES))
    stopped.stop()
    running = engine.run(loki.options | OPTIONS)
    running.print(b"".join(LINES))
    wait_until(lambda: data.size() < MEBIBYTE + 400_000, "the journals are within the limit")
    wait_until(lambda: "not delivered yet" in idle_server.log, "the log tells of it")

    def lost_is_told() -> bool:
        lost = gaps_of(idle_server, stopped)
        return lost["loki"] == lost["http"] > 0

    wait_until(lost_is_told, "status counts it before a sink could be told")
    if restarted:
        idle_server.restart()

    for receiver in (loki, http):
        receiver.start()
        wait_until(all_is_accounted_for(receiver, stopped, LINES), "the sink is told of all that is missing")
    running.stop()
    assert idle_server.alive


def test_a_container_is_slowed_down_rather_than_that_a_limit_for_all_journals_takes_its_lines(
    idle_server: Server, engine: Engine, receivers: Receivers
) -> None:
    idle_server.environment["PEAVEY_DISK_LIMIT"] = "1m"
    idle_server.start()
    receiver = receivers.down("http")
    container = engine.run(receiver.options | OPTIONS | {"overflow": "throttle"})
    other = engine.run(OPTIONS)
    other.print(b"".join(LINES[:500]))
    with Printer(container, padding=300) as printer:
        wait_until(lambda: "slowed down" in idle_server.log, "the container is slowed down")
        printer.wait_for(500)
        lines = printer.finish()
    container.stop()

    receiver.start()
    expected = [line.rstrip() for line in lines]
    wait_until(lambda: receiver.lines(container.name) == expected, "all lines arrive")
    assert missing(receiver, container) == 0
    other.stop()


@pytest.mark.parametrize("killed", [False, True])
def test_the_last_lines_of_a_container_on_a_full_disk(
    small_disk: Path, idle_server: Server, engine: Engine, receivers: Receivers, killed: bool
) -> None:
    idle_server.environment["PEAVEY_DISK_FREE"] = "0"
    idle_server.start()
    receiver = receivers.up("http")
    container = engine.run(receiver.options)
    before = LINES[:100]
    container.print(b"".join(before))
    wait_until(all_is_accounted_for(receiver, container, before), "the first lines arrive")

    filler = fill(small_disk)
    container.print(b"".join(LINES[100:]))
    wait_until(lambda: "lines are dropped" in idle_server.log, "lines are dropped")
    if killed:
        container.print(b"")
        idle_server.restart()
    container.stop()
    if not killed:
        wait_until(all_is_accounted_for(receiver, container, LINES), "the sink is told although the disk is full")
    filler.unlink()
    wait_until(
        all_is_accounted_for(receiver, container, LINES, repeated=killed), "the sink is told of all that is missing"
    )
    told = missing(receiver, container)
    wait_until(lambda: gaps_of(idle_server, container) == {"http": told}, "status counts it")


def gaps_of(server: Server, container: Container) -> dict[str, int]:
    """What status says that sinks of a container will not get."""
    status = msgspec.json.decode(ask_status(server.socket), type=Status)
    return {sink.instance: sink.gap_bytes for one in status.containers if one.id == container.id for sink in one.sinks}

"""Delivery, the plugin and destinations die or freeze at random under load: every line arrives, in order."""

import random
import time
from collections.abc import Callable

import pytest

from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.sinks.receiving.received import without_repeats
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Engine

PROTOCOLS = ["loki", "http", "fluentd"]  # those whose servers say what they have
SHORT, LONG = 4, 60  # faults
CONTAINERS = 3
OPTIONS = {"max-size": "200k", "max-file": "100000", "batch-size": "50k"}
PATIENCE = {"loki-timeout": "5s", "http-timeout": "5s", "fluentd-read-timeout": "5s"}
BURST = 1_000  # lines of a container before each fault
LONGEST_PEACE = 0.5  # seconds between them and it
LONGEST_ABSENCE = 2.0  # seconds of a destination
END = b"the end"


def faults(server: Server, receiver: ReceiverProcess, absence: float) -> list[Callable[[], None]]:
    """List what can go wrong: with delivery, the whole plugin, or a destination, which is gone for some seconds."""

    def die_and_come_back() -> None:
        receiver.kill()
        time.sleep(absence)
        receiver.start()

    def freeze_and_thaw() -> None:
        receiver.freeze()
        time.sleep(absence)
        receiver.thaw()

    return [server.kill_delivery, server.kill_delivery, server.restart, die_and_come_back, freeze_and_thaw]


@pytest.mark.chaos
def test_every_line_arrives_in_order(
    server: Server, engine: Engine, receivers: Receivers, seed: int, is_long: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    destinations = [receivers.up(protocol) for protocol in PROTOCOLS]
    options = {name: value for destination in destinations for name, value in destination.options.items()}
    containers = [engine.run(options | OPTIONS | PATIENCE) for _ in range(CONTAINERS)]
    lines = numbered(BURST * (LONG if is_long else SHORT), padding=60)
    for first in range(0, len(lines), BURST):
        for container in containers:
            container.print(b"".join(lines[first : first + BURST]))
        time.sleep(chance.random() * LONGEST_PEACE)
        possible = faults(server, chance.choice(destinations), chance.random() * LONGEST_ABSENCE)
        chance.choice(possible)()
    expected = [*(line.removesuffix(b"\n") for line in lines), END]
    for container in containers:
        container.print(END + b"\n")
        container.stop()
        for destination in destinations:
            arrived = destination.wait_for(container.info["ContainerName"].removeprefix("/"), END)
            assert without_repeats(arrived).lines == expected, destination.protocol

"""Delivery under a real engine: ``docker run --log-driver … --log-opt …``, and destinations that are not there."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.sinks.receiving.received import without_repeats
from tests.testbed.containers import Container, Containers
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

PROTOCOLS = ["fluentd", "syslog", "loki"]
LINES = 60_000  # with their frames some 2 MB, twice what the largest pipe holds
END = b"the end"
# Prints on and on as far as anybody reads, then waits for `docker stop`, and has a last word.
PRINTING = f"trap 'echo {END.decode()}; exit 0' TERM; seq {LINES}; touch /printed; while :; do usleep 20000; done"


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """Return a function that makes receivers for the test."""
    with tempfile.TemporaryDirectory(prefix="peavey-receivers-") as folder, Receivers(Path(folder)) as receivers:
        yield receivers


def name_of(container: Container) -> str:
    return container.client.text("inspect", "--format={{.Name}}", container.id).removeprefix("/")


def printed(last: int) -> list[bytes]:
    return numbered(last).splitlines()


def wait_until_printed(container: Container) -> None:
    """Wait until it has printed all but its last word."""
    found = ("exec", container.id, "test", "-e", "/printed")
    wait_until(lambda: container.client.run(*found, check=False).returncode == 0, "the container has printed")


def check_stopped_normally(container: Container) -> None:
    state = container.state()
    assert not state["Running"]
    assert state["ExitCode"] == 0
    assert container.logs() == numbered(LINES) + END + b"\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_lines_arrive(containers: Containers, receivers: Receivers, protocol: str) -> None:
    receiver = receivers.up(protocol)
    container = containers.run("seq", "5000", options=receiver.options)
    assert container.wait() == 0

    assert receiver.wait_for(name_of(container), b"5000") == printed(5000)
    assert container.logs() == numbered(5000)


def test_two_sinks_at_once(containers: Containers, receivers: Receivers) -> None:
    loki, fluentd = receivers.up("loki"), receivers.up("fluentd")
    container = containers.run("seq", "5000", options=loki.options | fluentd.options)
    assert container.wait() == 0

    for receiver in (loki, fluentd):
        assert receiver.wait_for(name_of(container), b"5000") == printed(5000)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_destination_that_is_down_from_the_start(containers: Containers, receivers: Receivers, protocol: str) -> None:
    receiver = receivers.down(protocol)
    container = containers.shell(PRINTING, options=receiver.options)
    wait_until_printed(container)
    container.stop(120)
    check_stopped_normally(container)

    receiver.start()
    assert receiver.wait_for(name_of(container), END) == [*printed(LINES), END]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_destination_that_is_frozen_for_longer_than_the_pipe_lasts(
    containers: Containers, driver: Driver, receivers: Receivers, protocol: str
) -> None:
    receiver = receivers.up(protocol)
    first = containers.run("seq", "10", options=receiver.options)
    receiver.wait_for(name_of(first), b"10")

    receiver.freeze()
    container = containers.shell(PRINTING, options=receiver.options)
    wait_until_printed(container)
    driver.server.kill_delivery()
    container.stop(120)
    check_stopped_normally(container)
    driver.server.restart()
    check_stopped_normally(container)

    receiver.thaw()
    assert without_repeats(receiver.wait_for(name_of(container), END)).lines == [*printed(LINES), END]


def test_killed_again_and_again_while_lines_are_on_their_way(
    containers: Containers, driver: Driver, receivers: Receivers
) -> None:
    receiver = receivers.up("loki")
    kills = 4
    script = (
        f"trap 'echo {END.decode()}; exit 0' TERM; n=0;"
        "while :; do seq $((n + 1)) $((n + 100)); n=$((n + 100)); usleep 20000; done"
    )
    container = containers.shell(script, options=receiver.options | {"batch-size": "20k"})
    for kill in range(kills):
        before = len(receiver.received)
        wait_until(lambda before=before: len(receiver.received) > before + 2_000, "lines arrive")  # type: ignore[misc]
        driver.server.kill_delivery()
        if kill % 2:
            driver.server.restart()
    container.stop(120)

    once = without_repeats(receiver.wait_for(name_of(container), END))
    assert once.lines == container.logs().splitlines()
    assert once.lines == [*printed(len(once.lines) - 1), END]
    assert once.returns <= kills + kills // 2

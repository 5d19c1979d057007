"""No line is lost or repeated when the container, the driver or the engine goes down and comes back."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.testbed.containers import Container, Containers
from tests.testbed.dockerd import PrivateEngine
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

# Prints numbered lines slowly until the file /stop is there, and in the end how many they were.
COUNTING = "n=0; while [ ! -e /stop ]; do n=$((n + 1)); echo $n; usleep 2000; done; echo total $n"


def printed_lines(container: Container) -> int:
    """Count the lines that can be read so far."""
    return container.logs().count(b"\n")


def wait_for_more(container: Container, lines: int = 50) -> None:
    """Wait until the container has printed so many lines more than now, seen through `docker logs`."""
    before = printed_lines(container)
    wait_until(lambda: printed_lines(container) >= before + lines, f"{lines} more lines are printed")


def assert_counted_without_a_fault(container: Container) -> None:
    """Let a counting container end; each of its lines must be there, once and in order."""
    container.touch("/stop")
    assert container.wait() == 0
    *numbers, total = container.logs().splitlines()
    assert numbers == [b"%d" % number for number in range(1, len(numbers) + 1)]
    assert total == b"total %d" % len(numbers)


def test_a_container_restarted_while_it_prints(containers: Containers) -> None:
    container = containers.shell(COUNTING)
    wait_for_more(container)
    container.restart()
    wait_for_more(container)
    container.stop(0)
    output = container.logs().decode()
    starts = [part.split() for part in re.split(r"^(?=1\n)", output, flags=re.MULTILINE) if part]
    assert len(starts) == 2
    for start in starts:
        assert start == [str(number) for number in range(1, len(start) + 1)]


def test_the_driver_killed_while_a_container_prints(containers: Containers, driver: Driver) -> None:
    container = containers.shell(COUNTING)
    for _ in range(3):
        wait_for_more(container)
        driver.server.restart()
    wait_for_more(container)
    assert_counted_without_a_fault(container)


def test_the_driver_stopped_and_started_while_a_container_prints(containers: Containers, driver: Driver) -> None:
    container = containers.shell(COUNTING)
    wait_for_more(container)
    assert driver.server.terminate() == 0
    driver.server.start()
    wait_for_more(container)
    assert_counted_without_a_fault(container)


def test_a_container_does_not_wait_for_a_driver_that_is_down(
    containers: Containers, driver: Driver, tmp_path: Path
) -> None:
    container = containers.shell(
        "echo before; while [ ! -e /shared/go ]; do usleep 10000; done;"
        "seq 1000; touch /shared/printed; while [ ! -e /shared/end ]; do usleep 10000; done; echo after",
        flags=[f"--volume={tmp_path}:/shared"],
    )
    wait_until(lambda: container.logs() == b"before\n", "the container prints")
    driver.server.kill()
    (tmp_path / "go").touch()
    wait_until((tmp_path / "printed").exists, "the container prints on while nobody reads")
    driver.server.start()
    (tmp_path / "end").touch()
    assert container.wait() == 0
    assert container.logs() == b"before\n" + numbered(1000) + b"after\n"


def test_a_container_that_ends_while_the_driver_is_down(containers: Containers, driver: Driver, tmp_path: Path) -> None:
    container = containers.shell(
        "echo before; while [ ! -e /shared/go ]; do usleep 10000; done; seq 500; touch /shared/printed",
        flags=[f"--volume={tmp_path}:/shared"],
    )
    wait_until(lambda: container.logs() == b"before\n", "the container prints")
    driver.server.kill()
    (tmp_path / "go").touch()
    wait_until((tmp_path / "printed").exists, "the container ends while the driver is down")
    driver.server.start()
    assert container.wait() == 0
    assert container.logs() == b"before\n" + numbered(500)


def test_logs_of_a_stopped_container_outlive_the_driver_and_the_engine(
    containers: Containers, driver: Driver, dockerd: PrivateEngine
) -> None:
    container = containers.run("seq", "1000")
    container.wait()
    driver.server.restart()
    dockerd.restart()
    assert container.logs() == numbered(1000)


def test_the_engine_restarted_while_a_container_prints(containers: Containers, dockerd: PrivateEngine) -> None:
    container = containers.shell(COUNTING)
    wait_for_more(container)
    dockerd.restart()
    wait_for_more(container)
    assert_counted_without_a_fault(container)


def test_the_engine_killed_while_a_container_prints(containers: Containers, dockerd: PrivateEngine) -> None:
    container = containers.shell(COUNTING)
    wait_for_more(container)
    dockerd.kill()
    dockerd.start()
    wait_for_more(container)
    assert_counted_without_a_fault(container)


def test_the_engine_and_the_driver_killed_at_the_same_time(
    containers: Containers, driver: Driver, dockerd: PrivateEngine
) -> None:
    """A pipe that neither side holds open any more is gone, with the lines in it; no other line may be."""
    container = containers.shell(COUNTING)
    wait_for_more(container)
    driver.server.kill()
    dockerd.kill()
    driver.server.start()
    dockerd.start()
    wait_for_more(container)
    container.touch("/stop")
    assert container.wait() == 0
    *numbers, last = (int(line.split()[-1]) for line in container.logs().splitlines())
    steps = [after - before for before, after in pairwise(numbers)]
    assert (numbers[0], numbers[-1]) == (1, last)
    assert min(steps) == 1
    assert sum(step > 1 for step in steps) <= 1


def test_no_fifo_is_left_when_all_containers_have_ended(containers: Containers, driver: Driver) -> None:
    container = containers.shell(COUNTING)
    wait_for_more(container)
    driver.server.restart()
    container.stop(0)
    wait_until(lambda: not driver.data.attachments(), "the streams of ended containers are closed")

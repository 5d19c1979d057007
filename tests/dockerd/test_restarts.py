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


class Counting:
    """A container that prints numbered lines slowly until it is told to end, and then how many they were."""

    def __init__(self, containers: Containers, shared: Path) -> None:
        self._stop = shared / "stop"
        self.container = containers.shell(
            "n=0; while [ ! -e /shared/stop ]; do n=$((n + 1)); echo $n; usleep 2000; done; echo total $n",
            flags=[f"--volume={shared}:/shared"],
        )

    def go_on(self, lines: int = 50) -> None:
        """Wait until it has printed so many lines more than now, seen through `docker logs`."""
        before = self._printed()
        wait_until(lambda: self._printed() >= before + lines, f"{lines} more lines are printed")

    def finish(self) -> tuple[list[int], int]:
        """Let it end; return the numbers that it printed, and how many lines it says they were."""
        self._stop.touch()
        assert self.container.wait() == 0
        *numbers, total = self.container.logs().splitlines()
        return [int(number) for number in numbers], int(total.removeprefix(b"total "))

    def finish_without_a_fault(self) -> None:
        """Let it end; each of its lines must be there, once and in order."""
        numbers, total = self.finish()
        assert numbers == list(range(1, total + 1))

    def _printed(self) -> int:
        return self.container.logs().count(b"\n")


@pytest.fixture
def counting(containers: Containers, tmp_path: Path) -> Counting:
    """A container that counts."""
    return Counting(containers, tmp_path)


def test_a_container_restarted_while_it_prints(counting: Counting) -> None:
    counting.go_on()
    counting.container.restart()
    counting.go_on()
    counting.container.stop(0)
    output = counting.container.logs().decode()
    starts = [part.split() for part in re.split(r"^(?=1\n)", output, flags=re.MULTILINE) if part]
    assert len(starts) == 2
    for start in starts:
        assert start == [str(number) for number in range(1, len(start) + 1)]


def test_the_driver_killed_while_a_container_prints(counting: Counting, driver: Driver) -> None:
    for _ in range(3):
        counting.go_on()
        driver.server.restart()
    counting.go_on()
    counting.finish_without_a_fault()


def test_the_driver_stopped_and_started_while_a_container_prints(counting: Counting, driver: Driver) -> None:
    counting.go_on()
    assert driver.server.terminate() == 0
    driver.server.start()
    counting.go_on()
    counting.finish_without_a_fault()


def it_prints_while_the_driver_is_down(container: Container, driver: Driver, shared: Path) -> None:
    """See that a container which has printed "before" goes on, as soon as it may, although nobody reads."""
    wait_until(lambda: container.logs() == b"before\n", "the container prints")
    driver.server.kill()
    (shared / "go").touch()
    wait_until((shared / "printed").exists, "the container prints on while nobody reads")
    driver.server.start()


def test_a_container_does_not_wait_for_a_driver_that_is_down(
    containers: Containers, driver: Driver, tmp_path: Path
) -> None:
    container = containers.shell(
        "echo before; while [ ! -e /shared/go ]; do usleep 10000; done;"
        "seq 1000; touch /shared/printed; while [ ! -e /shared/end ]; do usleep 10000; done; echo after",
        flags=[f"--volume={tmp_path}:/shared"],
    )
    it_prints_while_the_driver_is_down(container, driver, tmp_path)
    (tmp_path / "end").touch()
    assert container.wait() == 0
    assert container.logs() == b"before\n" + numbered(1000) + b"after\n"


def test_a_container_that_ends_while_the_driver_is_down(containers: Containers, driver: Driver, tmp_path: Path) -> None:
    container = containers.shell(
        "echo before; while [ ! -e /shared/go ]; do usleep 10000; done; seq 500; touch /shared/printed",
        flags=[f"--volume={tmp_path}:/shared"],
    )
    it_prints_while_the_driver_is_down(container, driver, tmp_path)
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


def test_the_engine_restarted_while_a_container_prints(counting: Counting, dockerd: PrivateEngine) -> None:
    counting.go_on()
    dockerd.restart()
    counting.go_on()
    counting.finish_without_a_fault()


def test_the_engine_killed_while_a_container_prints(counting: Counting, dockerd: PrivateEngine) -> None:
    counting.go_on()
    dockerd.kill()
    dockerd.start()
    counting.go_on()
    counting.finish_without_a_fault()


def test_the_engine_and_the_driver_killed_at_the_same_time(
    counting: Counting, driver: Driver, dockerd: PrivateEngine
) -> None:
    """A pipe that neither side holds open any more is gone, with the lines in it; no other line may be."""
    counting.go_on()
    driver.server.kill()
    dockerd.kill()
    driver.server.start()
    dockerd.start()
    counting.go_on()
    numbers, total = counting.finish()
    steps = [after - before for before, after in pairwise(numbers)]
    assert (numbers[0], numbers[-1]) == (1, total)
    assert min(steps) == 1
    assert sum(step > 1 for step in steps) <= 1


def test_no_fifo_is_left_when_all_containers_have_ended(counting: Counting, driver: Driver) -> None:
    counting.go_on()
    driver.server.restart()
    counting.container.stop(0)
    wait_until(lambda: not driver.data.attachments(), "the streams of ended containers are closed")

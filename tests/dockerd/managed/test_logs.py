"""Containers of a real engine that log through the managed plugin."""

import pytest

from tests.testbed.containers import Containers
from tests.testbed.dockerd import EngineError
from tests.testbed.managed import counted, counting
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd


def test_what_a_container_printed_is_read_back(containers: Containers) -> None:
    container = containers.shell(counting(1000))
    container.wait()
    assert container.logs().splitlines() == counted(1000)


def test_stdout_and_stderr_stay_apart(containers: Containers) -> None:
    container = containers.shell("echo out; echo err >&2")
    container.wait()
    both = container.read_logs()
    assert (both.stdout, both.stderr) == (b"out\n", b"err\n")


def test_a_running_container_is_followed_to_its_end(containers: Containers) -> None:
    container = containers.shell(f"{counting(500)}; exec sleep 1000")
    with container.follow() as follower:
        assert follower.stdout is not None
        assert [follower.stdout.readline().strip() for _ in range(500)] == counted(500)
        assert container.logs("--tail", "2").splitlines() == counted(500)[-2:]
        container.stop(0)
        assert follower.wait(120) == 0


def test_an_unknown_log_opt_is_refused_by_name(containers: Containers) -> None:
    with pytest.raises(EngineError, match=r"unknown log-opt 'max-sise' \(did you mean 'max-size'\?\)"):
        containers.shell("echo", options={"max-sise": "1m"})


def test_a_follower_outlives_the_engines_usual_limit_of_30_seconds(containers: Containers) -> None:
    container = containers.shell("for n in $(seq 34); do echo line $n; sleep 1; done")
    assert container.logs("--follow").splitlines() == counted(34)


def test_a_reader_that_never_reads_holds_up_nobody(containers: Containers) -> None:
    container = containers.shell(f"{counting(20_000)}; exec sleep 1000")
    with container.follow() as reader:
        other = containers.shell(counting(1000))
        other.wait()
        assert other.logs().splitlines() == counted(1000)
        wait_until(lambda: len(container.logs().splitlines()) == 20_000, "the container has printed everything")
        container.stop(0)
        assert not container.state()["Running"]
        reader.kill()
    assert container.logs().splitlines() == counted(20_000)

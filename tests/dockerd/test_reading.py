"""`docker logs` under a real engine: every way to read, of running and stopped containers."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.testbed.containers import Container, Containers
from tests.testbed.folders import snapshot
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

TEN_LINES = b"".join(b"line %d\n" % number for number in range(1, 11))
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ", re.ASCII)
FOLLOWER_SECONDS = 120


def stamps(container: Container) -> list[str]:
    """Read a container's timestamps, one a line; all differ, as the engine takes them line by line."""
    lines = container.logs("--timestamps").splitlines()
    found = [line.split(b" ")[0].decode() for line in lines]
    assert len(set(found)) == len(found)
    return found


def test_logs_of_a_stopped_container(containers: Containers) -> None:
    container = containers.run("seq", "1000")
    assert container.wait() == 0
    assert container.logs() == numbered(1000)


def test_logs_of_a_running_container(containers: Containers) -> None:
    container = containers.shell("seq 1000; sleep 1000")
    wait_until(lambda: container.logs() == numbered(1000), "the running container's lines can be read")
    assert container.state()["Running"]


def test_a_container_that_prints_nothing_has_empty_logs(containers: Containers) -> None:
    running = containers.run("sleep", "1000")
    stopped = containers.run("true")
    assert stopped.wait() == 0
    assert running.logs() == b""
    assert stopped.logs() == b""
    assert stopped.logs("--timestamps", "--tail=5") == b""


def test_a_container_that_never_started_has_empty_logs(containers: Containers) -> None:
    container = containers.create("seq", "10")
    assert container.logs() == b""


def test_following_gives_every_line_and_ends_with_the_container(containers: Containers) -> None:
    container = containers.shell("for n in $(seq 100); do echo $n; usleep 5000; done")
    output, errors = container.follow().communicate(timeout=FOLLOWER_SECONDS)
    assert (output, errors) == (numbered(100), b"")


def test_following_a_stopped_container_ends_at_once(containers: Containers) -> None:
    container = containers.printing(TEN_LINES)
    output, errors = container.follow().communicate(timeout=FOLLOWER_SECONDS)
    assert (output, errors) == (TEN_LINES, b"")


def test_following_shows_a_line_while_the_container_is_silent_again(containers: Containers) -> None:
    container = containers.shell("echo before; sleep 1; echo after; sleep 1000")
    follower = container.follow()
    assert follower.stdout is not None
    assert [follower.stdout.readline() for _ in range(2)] == [b"before\n", b"after\n"]
    container.stop(0)
    assert follower.communicate(timeout=FOLLOWER_SECONDS) == (b"", b"")


def test_following_from_the_tail(containers: Containers, tmp_path: Path) -> None:
    container = containers.shell(
        "seq 100; while [ ! -e /shared/go ]; do usleep 20000; done; seq 101 110",
        flags=[f"--volume={tmp_path}:/shared"],
    )
    wait_until(lambda: container.logs() == numbered(100), "the first lines are there")
    follower = container.follow("--tail=2")
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"99\n"
    (tmp_path / "go").touch()
    assert follower.communicate(timeout=FOLLOWER_SECONDS) == (numbered(110, first=100), b"")


def test_followers_all_see_everything(containers: Containers) -> None:
    container = containers.shell("for n in $(seq 50); do echo $n; usleep 10000; done")
    followers = [container.follow() for _ in range(5)]
    for follower in followers:
        assert follower.communicate(timeout=FOLLOWER_SECONDS) == (numbered(50), b"")


@pytest.mark.parametrize("tail", ["0", "1", "3", "10", "11", "all"])
def test_tail_means_what_it_means_with_json_file(containers: Containers, tail: str) -> None:
    ours = containers.printing(TEN_LINES)
    theirs = containers.printing(TEN_LINES, driver="json-file")
    assert ours.logs(f"--tail={tail}") == theirs.logs(f"--tail={tail}")


def test_since_and_until_mean_what_they_mean_with_json_file(containers: Containers) -> None:
    lines = TEN_LINES.splitlines(keepends=True)
    for driver in (containers.driver, "json-file"):
        container = containers.printing(TEN_LINES, driver=driver)
        for place, stamp in enumerate(stamps(container)):
            assert container.logs(f"--since={stamp}") == b"".join(lines[place:]), driver
            assert container.logs(f"--until={stamp}") == b"".join(lines[: place + 1]), driver


def test_tail_is_chosen_before_since(containers: Containers) -> None:
    """`--tail 4` of lines 1 to 10 begins with line 7, however early `--since` is."""
    for driver in (containers.driver, "json-file"):
        container = containers.printing(TEN_LINES, driver=driver)
        stamp = stamps(container)
        assert container.logs("--tail=4", f"--since={stamp[2]}").startswith(b"line 7\n"), driver
        assert container.logs("--tail=4", f"--since={stamp[8]}") == b"line 9\nline 10\n", driver
        assert container.logs(f"--since={stamp[2]}", f"--until={stamp[4]}") == b"line 3\nline 4\nline 5\n", driver


def test_times_before_the_first_and_after_the_last_line(containers: Containers) -> None:
    container = containers.printing(TEN_LINES)
    assert container.logs("--since=2001-01-01T00:00:00Z") == TEN_LINES
    assert container.logs("--since=2101-01-01T00:00:00Z") == b""
    assert container.logs("--until=2101-01-01T00:00:00Z") == TEN_LINES
    assert container.logs("--until=2001-01-01T00:00:00Z") == b""


def test_timestamps_are_those_of_the_container_run(containers: Containers) -> None:
    before = datetime.now(UTC)
    container = containers.printing(TEN_LINES)
    times = [datetime.fromisoformat(stamp) for stamp in stamps(container)]
    inside = [before, *times, datetime.now(UTC)]
    assert inside == sorted(inside)


def test_stdout_and_stderr_stay_apart(containers: Containers) -> None:
    container = containers.shell("for n in $(seq 100); do echo out $n; echo err $n >&2; done")
    container.wait()
    read = container.read_logs()
    assert read.stdout == b"".join(b"out %d\n" % number for number in range(1, 101))
    assert read.stderr == b"".join(b"err %d\n" % number for number in range(1, 101))


PART = 16 * 1024


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 100_000, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_long_line_comes_back_whole(containers: Containers, size: int) -> None:
    line = bytes(ord("a") + place % 26 for place in range(size)) + b"\n"
    container = containers.printing(b"before\n" + line + b"after\n")
    assert container.logs() == b"before\n" + line + b"after\n"


@pytest.mark.parametrize("size", [PART, PART + 1, 100_000, 1 << 20])
def test_a_long_line_is_one_line_to_timestamps_and_tail(containers: Containers, size: int) -> None:
    line = b"x" * size + b"\n"
    container = containers.printing(b"before\n" + line + b"after\n")
    assert container.logs("--tail=2") == line + b"after\n"
    stamped = container.logs("--timestamps")
    assert STAMP.sub(b"", stamped) == b"before\n" + line + b"after\n"
    assert len(STAMP.findall(stamped)) == 3


OUTPUTS = {
    "without a newline at its end": b"first\nlast",
    "only the beginning of a line": b"never finished",
    "long and without a newline": b"first\n" + b"y" * (PART * 2 + 100),
    "exactly one part, without a newline": b"z" * PART,
    "empty lines": b"\n\nthird\n\n",
    "carriage returns": b"one\r\ntwo\rthree\r\n",
    "every byte": bytes(range(256)) * 20 + b"\n",
    "no valid UTF-8": b"\xff\xfe\xc3(\x80\n\xf0\x9f\x92\n",
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_any_output_comes_back_byte_by_byte(containers: Containers, output: bytes) -> None:
    container = containers.printing(output)
    assert container.logs() == output
    assert container.follow().communicate(timeout=FOLLOWER_SECONDS) == (output, b"")


@pytest.mark.parametrize("name", ["without a newline at its end", "empty lines", "carriage returns"])
def test_the_same_output_reads_the_same_as_with_the_local_driver(containers: Containers, name: str) -> None:
    ours = containers.printing(OUTPUTS[name])
    theirs = containers.printing(OUTPUTS[name], driver="local")
    for flags in ([], ["--tail=1"], ["--tail=2"]):
        assert ours.logs(*flags) == theirs.logs(*flags), flags


def test_a_terminal_reads_the_same_as_with_json_file(containers: Containers) -> None:
    script = "for n in $(seq 20); do echo line $n; done"
    ours = containers.shell(script, flags=["--tty"])
    theirs = containers.run("sh", "-c", script, driver="json-file", flags=["--tty"])
    assert (ours.wait(), theirs.wait()) == (0, 0)
    assert ours.logs() == theirs.logs() != b""
    assert ours.logs("--tail=3") == theirs.logs("--tail=3")


def test_several_starts_of_one_container_read_as_one(containers: Containers) -> None:
    container = containers.shell(
        "n=$(cat /n 2>/dev/null || echo 0); echo $((n + 1)) >/n; seq $((n * 9 + 1)) $((n * 9 + 9))"
    )
    container.wait()
    for _ in range(3):
        container.start()
        container.wait()
    assert container.logs() == numbered(36)
    assert container.logs("--tail=10") == numbered(36, first=27)


def test_a_start_after_an_unfinished_line_reads_as_with_json_file(containers: Containers) -> None:
    command = ["printf", r"first\nunfinished"]
    read = []
    for driver in (containers.driver, "json-file"):
        container = containers.run(*command, driver=driver)
        container.wait()
        container.start()
        container.wait()
        read.append(container.logs())
    assert read == [b"first\nunfinishedfirst\nunfinished"] * 2


def test_reading_a_stopped_container_leaves_no_trace(containers: Containers, driver: Driver) -> None:
    container = containers.printing(TEN_LINES)
    wait_for_idleness(driver)
    before = state(driver, container)
    for flags in ([], ["--follow"], ["--tail=1"]):
        container.logs(*flags)
        wait_for_idleness(driver)
        assert state(driver, container) == before


def wait_for_idleness(driver: Driver) -> None:
    """Wait until the engine has ended every stream: `docker logs` may be back before."""
    wait_until(lambda: not driver.data.attachments(), "all streams are closed")


def state(driver: Driver, container: Container) -> dict[str, object]:
    """Read what the driver keeps of a container; the FIFO of the newest stream is no part of it."""
    files: dict[str, object] = dict(snapshot(driver.server.data / "containers" / container.id))
    note = (driver.server.data / "containers" / container.id / "info.json").read_bytes()
    return files | {"info.json": {**json.loads(note), "stream": None}}

"""Profiles, redirects and replays under a real engine, while driver, delivery and engine are killed."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.dockerd.test_delivery import name_of
from tests.scenarios.test_profiles import File
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.sinks.redis.server import redis_server, streams
from tests.testbed.containers import Container, Containers
from tests.testbed.dockerd import PrivateEngine
from tests.testbed.images import busybox_image
from tests.testbed.server import run_to_end
from tests.testbed.unmanaged import Driver, unmanaged_driver
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

END = b"end"
PRINTING = "trap stop=1 TERM; n=0; while [ -z $stop ]; do n=$((n + 1)); echo line $n; usleep 3000; done; echo end"
EVERYBODY: Mapping[str, object] = {"use": ["standard"]}
NOBODY: Mapping[str, object] = {"use": []}


@pytest.fixture(scope="module")
def file() -> Iterator[File]:
    """The file of profiles of the module's driver."""
    with tempfile.TemporaryDirectory(prefix="peavey-profiles-") as folder:
        yield File(Path(folder, "peavey.yaml"))


@pytest.fixture(scope="module")
def own_driver(shared_dockerd: PrivateEngine, file: File) -> Iterator[Driver]:
    """A driver that reads the file."""
    assert shared_dockerd.process is not None
    with unmanaged_driver({"PEAVEY_CONFIG": str(file.path)}) as driver:
        yield driver
        driver.server.cleanup()
        print(f"--- log of the driver\n{driver.server.log[-20_000:]}")
        assert "Traceback" not in driver.server.log


@pytest.fixture
def containers(dockerd: PrivateEngine, own_driver: Driver, file: File) -> Iterator[Containers]:
    """Containers that log to this driver; they are removed after the test, and the file is empty again."""
    made = Containers(dockerd.client, busybox_image(dockerd.client), own_driver.name)
    try:
        yield made
    finally:
        if dockerd.process is None:
            dockerd.start()
        if not own_driver.server.alive:
            own_driver.server.start()
        made.remove_all()
        file.write("")


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with tempfile.TemporaryDirectory(prefix="peavey-receivers-") as folder, Receivers(Path(folder)) as receivers:
        yield receivers


def wait_for_more(container: Container, lines: int = 50) -> int:
    """Wait until it has printed so many more lines; return how many there are then, at least."""
    before = len(container.logs().splitlines())
    wait_until(lambda: len(container.logs().splitlines()) >= before + lines, f"{lines} more lines are printed")
    return before + lines


def wait_for_lines(receiver: ReceiverProcess, more: int = 20) -> None:
    before = len(receiver.received)
    wait_until(lambda: len(receiver.received) >= before + more, "lines arrive")


def once(lines: list[bytes]) -> list[bytes]:
    """Leave out what a kill has made arrive again."""
    return list(dict.fromkeys(lines))


def end_of(container: Container, receiver: ReceiverProcess) -> tuple[list[bytes], list[bytes]]:
    """Stop it; return all lines that it has printed, and those that have arrived, each once."""
    container.stop(120)
    printed = container.logs().splitlines()
    assert printed == [*(b"line %d" % number for number in range(1, len(printed))), END]
    return printed, once(receiver.wait_for(name_of(container), END))


def command(driver: Driver, *arguments: str) -> bytes:
    name, *rest = arguments
    done = run_to_end([*driver.server.command()[:3], name, "--data", str(driver.server.data), *rest])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def log_opts(options: Mapping[str, str]) -> list[str]:
    return [f"--log-opt={name}={text}" for name, text in options.items()]


def test_a_container_without_options_gets_a_sink_while_it_prints_from_one_point_on(
    containers: Containers, receivers: Receivers, file: File, own_driver: Driver
) -> None:
    """No line is lost or comes twice at the seam, also if all is killed just then."""
    receiver = receivers.up("http")
    container = containers.shell(PRINTING)
    before = wait_for_more(container)
    file.set({"standard": receiver.options}, EVERYBODY)
    wait_until(lambda: "is in force" in own_driver.server.log, "the file is in force")
    own_driver.server.restart()
    wait_for_lines(receiver)
    own_driver.server.kill_delivery()
    wait_for_lines(receiver)
    printed, arrived = end_of(container, receiver)
    assert arrived == printed[-len(arrived) :]
    assert len(arrived) <= len(printed) - before


def test_a_change_while_a_destination_is_down_and_a_profile_that_comes_back(
    containers: Containers, receivers: Receivers, file: File, own_driver: Driver
) -> None:
    """The new one gets all that is printed from the change on, the old one goes on where it was."""
    down, other = receivers.down("http"), receivers.up("loki")
    profiles = {"standard": down.options, "other": other.options}
    file.set(profiles, EVERYBODY)
    wait_until(lambda: "is in force: 2 profiles" in own_driver.server.log, "the file is in force")
    container = containers.shell(PRINTING)
    wait_for_more(container)
    own_driver.server.kill_delivery()
    before = wait_for_more(container)
    file.set(profiles, {"use": ["other"]})
    wait_for_lines(other)
    own_driver.server.restart()
    wait_for_lines(other)

    down.start()
    assert not down.received
    file.set(profiles, {"use": ["standard", "other"]})
    wait_for_lines(down)
    file.set(profiles, NOBODY)
    wait_until(lambda: "sink standard.http" in own_driver.server.log.rpartition("released")[0], "it is taken away")
    own_driver.server.restart()
    wait_for_more(container)
    file.set(profiles, {"use": ["standard", "other"]})
    printed, arrived = end_of(container, down)
    assert arrived == printed
    arrived = once(other.wait_for(name_of(container), END))
    assert arrived == printed[-len(arrived) :]
    assert 0 < len(arrived) <= len(printed) - before


def test_a_faulty_file_changes_nothing(
    containers: Containers, receivers: Receivers, file: File, own_driver: Driver
) -> None:
    receiver = receivers.up("http")
    file.set({"standard": receiver.options}, EVERYBODY)
    container = containers.shell(PRINTING)
    wait_for_lines(receiver)
    file.write("profiles:\n  standard: {htp-url: http://a}\n")
    wait_until(lambda: "line 2: profile 'standard': unknown log-opt 'htp-url'" in own_driver.server.log, "it is told")
    own_driver.server.restart()
    wait_for_lines(receiver)
    printed, arrived = end_of(container, receiver)
    assert arrived == printed[-len(arrived) :]


def test_a_redirect_survives_restarts_of_container_driver_and_engine(
    containers: Containers, receivers: Receivers, own_driver: Driver, dockerd: PrivateEngine
) -> None:
    first, second = receivers.up("http"), receivers.up("loki")
    container = containers.shell(PRINTING, options=first.options)
    wait_for_lines(first)
    command(own_driver, "redirect", container.id, *log_opts(second.options))
    wait_for_lines(second)
    for restart in (own_driver.server.restart, dockerd.restart, container.restart):
        restart()
        wait_for_lines(second)
    sent_first = once(first.lines(name_of(container)))
    container.stop(120)
    second.wait_for(name_of(container), END)
    assert once(first.lines(name_of(container))) == sent_first

    command(own_driver, "redirect", container.id, "--undo")
    container.start()
    wait_for_lines(first)


def test_a_replay_of_a_compressed_rotated_journal_makes_no_second_copy(
    containers: Containers, own_driver: Driver, tmp_path: Path
) -> None:
    with redis_server(tmp_path) as redis:
        rotated = {"max-size": "256k", "max-file": "10", "compress": "true"}
        container = containers.run("seq", "30000", options=rotated | {"redis-url": f"redis://{redis.address}"})
        assert container.wait() == 0

        def lines() -> list[tuple[str, bytes]]:
            return [(id_, fields["log"]) for of in streams(redis.client).values() for id_, fields in of]

        wait_until(lambda: len(lines()) == 30_000, "all is delivered")
        wait_until(lambda: len(own_driver.data.compressed(container.id)) >= 2, "old segments are compressed")
        before = lines()
        own_driver.server.restart()
        assert b": 30,000 records sent" in command(own_driver, "replay", container.id, "--sink", "redis")
        assert lines() == before

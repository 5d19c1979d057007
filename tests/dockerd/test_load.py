"""Many containers, full speed, readers that do not read: nothing is lost and nothing waits."""

import random
import secrets
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.testbed.containers import Container, Containers
from tests.testbed.server import REPOSITORY, plugin_environment
from tests.testbed.tally import numbered, tally
from tests.testbed.unmanaged import Driver

pytestmark = pytest.mark.dockerd

ROOMY = {"max-size": "1g"}
CONTAINERS = 50
KILLS = 12


def test_fifty_containers_at_once(containers: Containers) -> None:
    made = [containers.create("seq", "2000") for _ in range(CONTAINERS)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(Container.start, made))
        assert set(pool.map(Container.wait, made)) == {0}
        assert all(logs == numbered(2000) for logs in pool.map(Container.logs, made))


def test_a_reader_that_never_reads_holds_nothing_up(containers: Containers, tmp_path: Path) -> None:
    script = "seq 200000; while [ ! -e /shared/go ]; do usleep 20000; done; seq 200001 400000"
    container = containers.shell(script, options=ROOMY, flags=[f"--volume={tmp_path}:/shared"])
    stuck = [container.follow(), container.client.start("logs", container.id)]
    try:
        for reader in stuck:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"1\n"
            reader.send_signal(signal.SIGSTOP)
        (tmp_path / "go").touch()
        assert container.wait() == 0
        assert tally(container.logs(), 400000).is_clean
    finally:
        for reader in stuck:
            reader.kill()
            reader.communicate()


def test_a_container_with_a_stuck_reader_can_be_stopped(containers: Containers) -> None:
    container = containers.run("yes", options=ROOMY)
    stuck = container.follow()
    try:
        assert stuck.stdout is not None
        assert stuck.stdout.readline() == b"y\n"
        stuck.send_signal(signal.SIGSTOP)
        container.stop(0)
        assert not container.state()["Running"]
    finally:
        stuck.kill()
        stuck.communicate()


def test_a_flooding_container_holds_no_other_up(containers: Containers) -> None:
    flood = containers.run("yes")
    quiet = containers.run("seq", "100")
    assert quiet.wait() == 0
    assert quiet.logs() == numbered(100)
    flood.stop(0)


def test_kills_at_random_instants_under_full_load(containers: Containers, driver: Driver, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - a test that can be run again needs a seed
    container = containers.shell(
        "n=0; while [ ! -e /shared/stop ]; do seq $((n + 1)) $((n + 20000)); n=$((n + 20000)); done;"
        "echo $n >/shared/total",
        options=ROOMY,
        flags=[f"--volume={tmp_path}:/shared"],
    )
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 0.4))
        driver.server.kill()
        if chance.random() < 0.5:
            die_while_starting(driver, chance.uniform(0, 0.8))
        driver.server.start()
    (tmp_path / "stop").touch()
    assert container.wait() == 0
    total = int((tmp_path / "total").read_text())
    print(f"{total} lines, {KILLS} kills")
    assert tally(container.logs(), total).is_clean


def die_while_starting(driver: Driver, seconds: float) -> None:
    """Start the driver and kill it so many seconds later, wherever it then is."""
    with subprocess.Popen(
        driver.server.command(), cwd=REPOSITORY, env=plugin_environment({}), stdout=subprocess.DEVNULL
    ) as process:
        try:
            time.sleep(seconds)
        finally:
            process.kill()

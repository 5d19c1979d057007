"""The plugin's process dies, or is stopped, while a container prints."""

from pathlib import Path

import pytest

from tests.testbed.containers import Container, Containers
from tests.testbed.managed import COUNTING_UNTIL_STOPPED, ManagedPlugin, counted, counting, missing_lines
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd


def wait_for_lines(container: Container, lines: int) -> None:
    wait_until(lambda: len(container.logs().splitlines()) >= lines, f"the container has printed {lines} lines")


def test_a_killed_plugin_comes_back_by_itself_and_loses_no_line(plugin: ManagedPlugin, containers: Containers) -> None:
    container = containers.shell(COUNTING_UNTIL_STOPPED)
    for kill in range(1, 4):
        wait_for_lines(container, 3000 * kill)
        plugin.kill()
    container.stop(120)
    assert not missing_lines(container.logs())


def test_disabled_and_enabled_in_mid_stream_it_loses_no_line(plugin: ManagedPlugin, containers: Containers) -> None:
    container = containers.shell(COUNTING_UNTIL_STOPPED)
    wait_for_lines(container, 1000)
    plugin.disable()
    assert not plugin.enabled
    plugin.enable()
    container.stop(120)
    assert not missing_lines(container.logs())


def test_logs_of_a_stopped_container_outlive_the_process(plugin: ManagedPlugin, containers: Containers) -> None:
    container = containers.shell(counting(1000))
    container.wait()
    plugin.kill()
    assert container.logs().splitlines() == counted(1000)


def test_a_container_that_ends_while_it_is_disabled_loses_no_line(
    plugin: ManagedPlugin, containers: Containers
) -> None:
    container = containers.shell("echo line 1; sleep 1; echo line 2")
    wait_for_lines(container, 1)
    process = Path(f"/proc/{container.state()['Pid']}")
    plugin.disable()
    # Not longer: the engine asks for a StopLogging for some 15 s, and then its garbage collector may close the FIFO.
    wait_until(lambda: not process.exists(), "the container's process has ended")
    plugin.enable()
    container.wait()
    assert container.logs().splitlines() == counted(2)

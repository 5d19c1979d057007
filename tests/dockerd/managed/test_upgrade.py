"""Another version of the plugin takes over while a container prints."""

from pathlib import Path

import pytest

from tests.testbed.containers import Containers
from tests.testbed.managed import COUNTING_UNTIL_STOPPED, ManagedPlugin, counted, counting, missing_lines, variant
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd


@pytest.fixture
def next_version(plugin: ManagedPlugin, build: Path, registry: str) -> str:
    """The reference of another version of the plugin, in the registry alone."""
    folder = variant(build / "plugin", build / "next", "the next version")
    reference = f"{registry}/peavey:next"
    plugin.client.run("plugin", "create", reference, str(folder))
    plugin.client.run("plugin", "push", reference)
    plugin.client.run("plugin", "rm", reference)
    return reference


def test_an_upgrade_in_mid_stream_loses_no_line(
    plugin: ManagedPlugin, containers: Containers, next_version: str
) -> None:
    earlier = containers.shell(counting(100))
    earlier.wait()
    container = containers.shell(COUNTING_UNTIL_STOPPED)
    wait_until(lambda: len(container.logs().splitlines()) > 1000, "the container is printing")

    plugin.disable()
    plugin.client.run("plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", plugin.name, next_version)
    plugin.enable()

    assert plugin.inspect("{{.Config.Description}}") == "the next version"
    assert (plugin.root / "variant").read_text(encoding="utf-8") == "the next version"
    container.stop(120)
    assert not missing_lines(container.logs())
    assert earlier.logs().splitlines() == counted(100)

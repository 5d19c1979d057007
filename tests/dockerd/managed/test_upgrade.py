"""Another version of the plugin takes over while a container prints."""

import json
import shutil
from pathlib import Path

import pytest

from tests.testbed.containers import Containers
from tests.testbed.managed import ManagedPlugin, counted, counting
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

LINES = 60_000


@pytest.fixture
def next_version(plugin: ManagedPlugin, build: Path, registry: str) -> str:
    """Another version of the plugin, in the registry; it can be told by its description."""
    folder = build / "next"
    shutil.copytree(build / "plugin", folder, symlinks=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["description"] = "the next version"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "rootfs/next").touch()
    reference = f"{registry}/peavey:next"
    plugin.client.run("plugin", "create", reference, str(folder))
    plugin.client.run("plugin", "push", reference)
    plugin.client.run("plugin", "rm", reference)
    shutil.rmtree(folder)
    return reference


def test_an_upgrade_in_mid_stream_loses_no_line(
    plugin: ManagedPlugin, containers: Containers, next_version: str
) -> None:
    earlier = containers.shell(counting(100))
    earlier.wait()
    container = containers.shell(counting(LINES))
    wait_until(lambda: len(container.logs().splitlines()) > 1000, "the container is printing")

    plugin.disable()
    plugin.client.run("plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", plugin.name, next_version)
    plugin.enable()

    assert container.state()["Running"], "it was to be upgraded in mid-stream, but the container had ended"
    assert plugin.inspect("{{.Config.Description}}") == "the next version"
    assert (plugin.root / "next").exists()
    container.wait()
    assert container.logs().splitlines() == counted(LINES)
    assert earlier.logs().splitlines() == counted(100)

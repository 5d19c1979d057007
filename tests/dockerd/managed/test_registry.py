"""The way through a registry: make push, then `docker plugin install` on another host."""

from pathlib import Path

import pytest

from tests.testbed.containers import Containers
from tests.testbed.dockerd import PrivateEngine
from tests.testbed.images import busybox_image
from tests.testbed.managed import ManagedPlugin, counted, counting
from tests.testbed.plugin_image import make

pytestmark = pytest.mark.dockerd


@pytest.fixture
def pushed(docker: PrivateEngine, installed: ManagedPlugin, build: Path, registry: str) -> str:
    """The reference of the plugin in the registry; the engine itself has it no more."""
    assert installed.enabled
    reference = f"{registry}/peavey:0.1.0"
    for target in ("plugin", "push", "uninstall"):
        made = make(docker.client, build / "pushed", target, reference)
        assert made.returncode == 0, made.stdout
    return reference


def test_a_pushed_plugin_is_installed_under_a_name_of_choice(
    docker: PrivateEngine, pushed: str, temporary_plugin: str
) -> None:
    alias = temporary_plugin.removesuffix(":latest")
    docker.docker("plugin", "install", "--alias", alias, "--grant-all-permissions", pushed, "LOG_LEVEL=debug")
    plugin = ManagedPlugin(docker, alias)
    assert plugin.enabled
    assert plugin.environment["LOG_LEVEL"] == "debug"
    assert plugin.inspect("{{.PluginReference}}") == pushed
    container = Containers(docker.client, busybox_image(docker.client), plugin.name).shell(counting(1000))
    container.wait()
    assert container.logs().splitlines() == counted(1000)
    docker.docker("rm", container.id)

"""One engine with the plugin installed by `make install`, and one registry, for all tests of the managed plugin."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.containers import Containers
from tests.testbed.dockerd import PrivateEngine, missing_programs
from tests.testbed.images import busybox_image
from tests.testbed.managed import ManagedPlugin
from tests.testbed.plugin_image import base_image, make
from tests.testbed.registry import local_registry


@pytest.fixture(scope="package")
def docker() -> Iterator[PrivateEngine]:
    """An engine that holds the images the tests need."""
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of our own needs root")
    if missing := missing_programs():
        pytest.skip(f"not on this machine: {', '.join(missing)} (as root: python3 tests/testbed/host.py engine)")
    with PrivateEngine() as engine:
        base_image(engine.client)
        busybox_image(engine.client)
        yield engine


@pytest.fixture(scope="package")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `make install` left the plugin's folder, `plugin`, with config.json and rootfs."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="package")
def installed(docker: PrivateEngine, build: Path) -> ManagedPlugin:
    """The plugin, as `make install` builds and enables it."""
    plugin = ManagedPlugin(docker, "peavey:latest")
    made = make(docker.client, build, "install", plugin.name)
    assert made.returncode == 0, made.stdout
    return plugin


@pytest.fixture
def plugin(installed: ManagedPlugin) -> Iterator[ManagedPlugin]:
    """The installed plugin; it is enabled again after a test that left it disabled."""
    yield installed
    if not installed.enabled:
        installed.enable()


@pytest.fixture
def containers(plugin: ManagedPlugin) -> Iterator[Containers]:
    """Containers that log through the plugin; they are removed after the test."""
    made = Containers(plugin.client, busybox_image(plugin.client), plugin.name)
    try:
        yield made
    finally:
        if not plugin.enabled:
            plugin.enable()
        made.remove_all()


@pytest.fixture(scope="package")
def registry() -> Iterator[str]:
    """The address of an empty registry that the engine trusts."""
    with local_registry() as address:
        yield address


@pytest.fixture
def temporary_plugin(docker: PrivateEngine) -> Iterator[str]:
    """A name under which a test may install a plugin of its own; it is removed afterwards."""
    name = "peavey-second:latest"
    yield name
    docker.docker("plugin", "rm", "--force", name, check=False)

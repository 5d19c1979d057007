"""`make install`, which the other tests here use too, and `make uninstall`."""

from pathlib import Path

import pytest

from tests.testbed.dockerd import PrivateEngine
from tests.testbed.managed import ManagedPlugin, variant
from tests.testbed.plugin_image import make

pytestmark = pytest.mark.dockerd


def listed(docker: PrivateEngine) -> list[str]:
    return docker.client.text("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}").splitlines()


def test_install_leaves_an_enabled_plugin(docker: PrivateEngine, plugin: ManagedPlugin) -> None:
    assert f"{plugin.name} true" in listed(docker)


def test_a_second_install_says_what_to_do_instead(docker: PrivateEngine, plugin: ManagedPlugin, tmp_path: Path) -> None:
    made = make(docker.client, tmp_path, "install", plugin.name)
    assert made.returncode != 0
    assert "peavey:latest is already installed" in made.stdout
    assert plugin.enabled


def test_enable_and_uninstall(
    docker: PrivateEngine, plugin: ManagedPlugin, temporary_plugin: str, build: Path, tmp_path: Path
) -> None:
    docker.docker("plugin", "create", temporary_plugin, str(variant(build / "plugin", build / "second", "second")))
    made = make(docker.client, tmp_path, "enable", temporary_plugin)
    assert made.returncode == 0, made.stdout
    assert f"{temporary_plugin} true" in listed(docker)
    made = make(docker.client, tmp_path, "uninstall", temporary_plugin)
    assert made.returncode == 0, made.stdout
    assert listed(docker) == [f"{plugin.name} true"]


def test_uninstalling_what_is_not_there_is_no_failure(docker: PrivateEngine, tmp_path: Path) -> None:
    made = make(docker.client, tmp_path, "uninstall", "peavey-absent:latest")
    assert made.returncode == 0, made.stdout
    assert "peavey-absent:latest is not installed" in made.stdout

"""`docker plugin set`: variables and the folder of certificates and secrets."""

import os
from pathlib import Path

import pytest

from tests.sinks.journald.server import journald
from tests.testbed.containers import Containers
from tests.testbed.managed import ManagedPlugin

pytestmark = pytest.mark.dockerd


@pytest.fixture
def disabled(plugin: ManagedPlugin) -> ManagedPlugin:
    """The plugin, disabled as `docker plugin set` demands."""
    plugin.disable()
    return plugin


def test_an_enabled_plugin_takes_no_settings(plugin: ManagedPlugin) -> None:
    assert b"disable plugin before setting" in plugin.set("LOG_LEVEL=debug").stderr


def test_a_variable_reaches_the_process(disabled: ManagedPlugin) -> None:
    assert disabled.set("LOG_LEVEL=debug").returncode == 0
    disabled.enable()
    assert disabled.environment["LOG_LEVEL"] == "debug"
    disabled.disable()
    assert disabled.set("LOG_LEVEL=info").returncode == 0


def test_default_log_opts_with_commas_are_taken(disabled: ManagedPlugin, containers: Containers) -> None:
    assert disabled.set('PEAVEY_LOG_OPTS={"max-size": "1m", "labels": "team,app"}').returncode == 0
    disabled.enable()
    container = containers.shell("echo hello")
    container.wait()
    assert container.logs() == b"hello\n"
    disabled.disable()
    assert disabled.set("PEAVEY_LOG_OPTS={}").returncode == 0


def test_a_variable_that_is_not_ours_is_refused(disabled: ManagedPlugin) -> None:
    assert disabled.set("PEAVEY_DATA=/tmp").returncode != 0
    assert disabled.set("PEAVEY_NONSENSE=1").returncode != 0


def test_the_folder_of_secrets_can_be_chosen_and_is_read_only(disabled: ManagedPlugin, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    assert disabled.set(f"files.source={tmp_path}").returncode == 0
    disabled.enable()
    assert (disabled.root / "etc/peavey/token").read_text(encoding="utf-8") == "secret"
    assert os.statvfs(disabled.root / "etc/peavey").f_flag & os.ST_RDONLY
    disabled.disable()
    assert disabled.set("files.source=/etc/ssl/certs").returncode == 0


def test_the_socket_of_journald_can_be_mounted(disabled: ManagedPlugin, containers: Containers, tmp_path: Path) -> None:
    with journald(tmp_path) as server:
        assert disabled.set(f"journald.source={server.socket.parent}").returncode == 0
        disabled.enable()
        assert os.statvfs(disabled.root / "run/systemd/journal").f_flag & os.ST_RDONLY
        containers.shell("echo hello", options={"sink": "journald", "tag": "mounted"}).wait()
        (entry,) = server.wait_for(1)
        assert (entry["MESSAGE"], entry["CONTAINER_TAG"]) == ("hello", "mounted")
        disabled.disable()
    assert disabled.set("journald.source=/etc/ssl/certs").returncode == 0


def test_a_folder_that_does_not_exist_is_named_when_it_is_enabled(disabled: ManagedPlugin) -> None:
    assert disabled.set("files.source=/nonexistent/folder").returncode == 0
    answer = disabled.client.run("plugin", "enable", disabled.name, check=False)
    assert answer.returncode != 0
    assert b"/nonexistent/folder" in answer.stderr
    assert disabled.set("files.source=/etc/ssl/certs").returncode == 0

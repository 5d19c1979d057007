"""The command line on the host of a managed plugin: its own Python out of its own files, and nothing of the host's."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.commands.discovery import PLUGINS_RUNNING
from tests.testbed.containers import Containers
from tests.testbed.managed import ManagedPlugin, counted, counting
from tests.testbed.plugin_image import REPOSITORY

pytestmark = pytest.mark.dockerd

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(plugin: ManagedPlugin, tmp_path: Path) -> Run:
    """Runs `peavey`, as `make cli` installs it, on a host that has a shell and sed, but no Python."""
    made = ["make", "--no-print-directory", "cli", f"PREFIX={tmp_path / 'usr'}"]
    subprocess.run(made, cwd=REPOSITORY, check=True, capture_output=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "sed"):
        (programs / name).symlink_to(shutil.which(name) or name)
    environment = {
        "PATH": str(programs),
        "PEAVEY_PLUGINS": str(plugin.engine.data_root / "plugins"),
        "PEAVEY_SOCKETS": str(_sockets(plugin)),
        "PEAVEY_PLUGIN": plugin.inspect("{{.ID}}")[:12],
    }

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "usr/bin/peavey"), *arguments]
        return subprocess.run(
            command, env=environment | changes, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def _sockets(plugin: ManagedPlugin) -> Path:
    """Return the folder of plugins' sockets: older engines have them there wherever their other files are."""
    private = plugin.engine.exec_root / "plugins"
    return private if (private / plugin.inspect("{{.ID}}")).exists() else PLUGINS_RUNNING


def test_it_shows_status_and_logs_by_the_plugin_s_own_python(
    run: Run, containers: Containers, plugin: ManagedPlugin
) -> None:
    container = containers.shell(counting(100))
    container.wait()
    listed = run("ls", "--json")
    assert listed.returncode == 0, listed.stderr
    ids = [json.loads(line)["container_id"] for line in listed.stdout.splitlines()]
    assert container.id in ids
    logs = run("logs", container.id)
    assert (logs.stdout.encode().splitlines(), logs.stderr) == (counted(100), "")
    status = run("status", container.id, "--json")
    assert status.returncode == 0, status.stderr
    (found,) = json.loads(status.stdout)["containers"]
    assert (found["container_id"], found["streams"]) == (container.id, 0)
    assert plugin.enabled


def test_it_reads_journals_while_the_plugin_is_disabled(
    run: Run, containers: Containers, plugin: ManagedPlugin
) -> None:
    container = containers.shell(counting(10))
    container.wait()
    plugin.disable()
    assert run("logs", container.id).stdout.encode().splitlines() == counted(10)
    status = run("status")
    assert status.returncode == 1
    assert "no peavey answers on this host" in status.stderr


def test_it_can_be_named_and_leaves_nothing_behind(run: Run, plugin: ManagedPlugin) -> None:
    rootfs = plugin.engine.data_root / "plugins" / plugin.inspect("{{.ID}}") / "rootfs"
    before = set(rootfs.rglob("*.pyc"))
    assert run("--version", PEAVEY_PLUGIN=plugin.name).stdout.startswith("peavey ")
    assert run("options", "--json").returncode == 0
    assert set(rootfs.rglob("*.pyc")) == before
    other = run("--version", PEAVEY_PLUGIN="other")
    assert other.returncode == 1
    assert "that is called other" in other.stderr


def test_it_runs_no_second_plugin(run: Run) -> None:
    refused = run("serve")
    assert (refused.returncode, "the engine runs the plugin" in refused.stderr) == (1, True)


def test_the_plugin_brings_it_along(run: Run, plugin: ManagedPlugin, tmp_path: Path) -> None:
    installed = plugin.engine.data_root / "plugins" / plugin.inspect("{{.ID}}") / "rootfs"
    (brought,) = installed.glob("opt/peavey/lib/python3*/site-packages/plugin/commands/wrapper.sh")
    assert brought.read_text() == (tmp_path / "usr/bin/peavey").read_text()
    assert os.access(tmp_path / "usr/bin/peavey", os.X_OK)
    assert run("--version").returncode == 0

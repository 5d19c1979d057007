"""Another version of the plugin takes over while a container prints."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.containers import Container, Containers
from tests.testbed.managed import COUNTING_UNTIL_STOPPED, ManagedPlugin, counted, counting, missing_lines, variant
from tests.testbed.server import run_to_end
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


def test_an_upgrade_in_mid_stream_loses_no_line_and_keeps_redirects(
    plugin: ManagedPlugin, containers: Containers, next_version: str
) -> None:
    earlier = containers.shell(counting(100))
    earlier.wait()
    container = containers.shell(COUNTING_UNTIL_STOPPED)
    with tempfile.TemporaryDirectory(prefix="peavey-received-") as folder, Receivers(Path(folder)) as receivers:
        receiver = receivers.up("http")
        wait_until(lambda: len(container.logs().splitlines()) > 1000, "the container is printing")
        redirect(plugin, container, receiver.options)
        wait_until(lambda: receiver.received, "lines arrive where the redirect says")

        plugin.disable()
        plugin.client.run(
            *("plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", plugin.name, next_version)
        )
        plugin.enable()

        assert plugin.inspect("{{.Config.Description}}") == "the next version"
        assert (plugin.root / "variant").read_text(encoding="utf-8") == "the next version"
        container.stop(120)
        assert not missing_lines(container.logs())
        assert earlier.logs().splitlines() == counted(100)
        printed = container.logs().splitlines()
        wait_until(lambda: any(one.line == printed[-1] for one in receiver.received), "its last line arrives")
        arrived = list(dict.fromkeys(one.line for one in receiver.received))
        assert arrived == printed[-len(arrived) :]


def redirect(plugin: ManagedPlugin, container: Container, options: Mapping[str, str]) -> None:
    """Run the command on the host, which finds nothing of the plugin's own engine by itself."""
    data = plugin.engine.data_root / "plugins" / plugin.inspect("{{.ID}}") / "propagated-mount" / "peavey"
    log_opts = [f"--log-opt={name}={text}" for name, text in options.items()]
    done = run_to_end([sys.executable, "-m", "plugin", "redirect", "--data", str(data), container.id, *log_opts])
    assert done.returncode == 0, done.stderr

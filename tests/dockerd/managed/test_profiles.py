"""Profiles in the folder that `docker plugin set files.source` names, under a real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.containers import Containers
from tests.testbed.managed import ManagedPlugin
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

UNTIL_STOPPED = 'trap stop=1 TERM; while [ -z "$stop" ]; do n=$((n + 1)); echo "line $n"; sleep 0.02; done; echo end'


@pytest.fixture
def files(plugin: ManagedPlugin, tmp_path: Path) -> Iterator[Path]:
    """The folder that the plugin sees as /etc/peavey."""
    plugin.disable()
    assert plugin.set(f"files.source={tmp_path}").returncode == 0
    plugin.enable()
    yield tmp_path
    (tmp_path / "peavey.yaml").write_text("", encoding="utf-8")
    plugin.disable()
    assert plugin.set("files.source=/etc/ssl/certs").returncode == 0
    plugin.enable()


def test_a_container_without_options_follows_the_file_while_it_prints(
    files: Path, containers: Containers, plugin: ManagedPlugin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Receivers(tmp_path_factory.mktemp("received")) as receivers:
        receiver = receivers.up("http")
        container = containers.shell(UNTIL_STOPPED)
        wait_until(lambda: len(container.logs().splitlines()) > 20, "it prints")
        lines = "".join(f"    {name}: '{text}'\n" for name, text in receiver.options.items())
        text = f"profiles:\n  standard:\n{lines}routes:\n  - use: [standard]\n"
        (files / "peavey.yaml").write_text(text, encoding="utf-8")
        wait_until(lambda: receiver.received, "its lines arrive")
        plugin.kill()
        container.stop(120)
        wait_until(lambda: any(one.line == b"end" for one in receiver.received), "its last line arrives")
        printed = container.logs().splitlines()
        arrived = [one.line for one in receiver.received]
        assert arrived[-1] == b"end"
        assert set(arrived) == set(printed[printed.index(arrived[0]) :])
        assert printed.index(arrived[0]) >= 20

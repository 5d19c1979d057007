"""The plugin is found where it is named, else at the usual places, and what was looked for is said where it is not."""

import argparse
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from plugin.commands.discovery import find_data, find_socket
from plugin.config.settings import SOCKET, add_arguments
from plugin.errors import SettingError
from tests.testbed.lifetimes import short_folder

IDS = ["a1" * 32, "b2" * 32]


class Host:
    """The folders of a host: ``running`` for sockets, ``installed`` for data."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.running = folder / "run"
        self.installed = folder / "lib"
        self.running.mkdir()
        self.installed.mkdir()
        self._stack = stack

    def listen(self, path: Path) -> Path:
        """Have somebody listen on a socket."""
        path.parent.mkdir(exist_ok=True)
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen()
        return path

    def managed(self, plugin_id: str) -> Path:
        """Have a managed plugin listen."""
        return self.listen(self.running / plugin_id / "peavey.sock")

    def leftover(self, path: Path) -> Path:
        """Leave a socket that nobody listens on."""
        path.parent.mkdir(exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        return path

    def data(self, plugin_id: str) -> Path:
        """Make the data folder of a managed plugin."""
        path = self.installed / plugin_id / "propagated-mount" / "peavey"
        path.mkdir(parents=True)
        return path


@pytest.fixture
def host() -> Iterator[Host]:
    with short_folder() as folder, ExitStack() as stack:
        yield Host(folder, stack)


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser, ["socket", "data"])
    return parser.parse_args(given)


def socket_of(host: Host, *given: str, environ: dict[str, str] | None = None) -> Path:
    return find_socket(arguments(*given), environ or {}, host.running)


def fault_of(host: Host, *given: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingError) as caught:
        socket_of(host, *given, environ=environ)
    return str(caught.value)


needs_no_plugin = pytest.mark.skipif(Path(SOCKET.default).exists(), reason="this host runs a peavey of its own")


class TestSocket:
    def test_one_that_is_named_is_taken(self, host: Host) -> None:
        named = host.listen(host.running / "named.sock")
        host.managed(IDS[0])
        assert socket_of(host, "--socket", str(named)) == named
        assert socket_of(host, environ={"PEAVEY_SOCKET": str(named)}) == named

    def test_one_that_is_named_is_the_only_one_that_is_looked_for(self, host: Host) -> None:
        host.managed(IDS[0])
        message = fault_of(host, "--socket", "/nowhere/p.sock")
        assert "/nowhere/p.sock: No such file or directory" in message
        assert IDS[0] not in message

    @needs_no_plugin
    def test_a_managed_plugin_is_found(self, host: Host) -> None:
        expected = host.managed(IDS[0])
        assert socket_of(host) == expected

    @needs_no_plugin
    def test_sockets_that_nobody_listens_on_are_passed_over(self, host: Host) -> None:
        host.leftover(host.running / IDS[1] / "peavey.sock")
        expected = host.managed(IDS[0])
        assert socket_of(host) == expected

    @needs_no_plugin
    def test_other_plugins_are_passed_over(self, host: Host) -> None:
        host.listen(host.running / IDS[1] / "other.sock")
        expected = host.managed(IDS[0])
        assert socket_of(host) == expected

    @needs_no_plugin
    def test_several_are_listed(self, host: Host) -> None:
        found = [host.managed(plugin_id) for plugin_id in IDS]
        message = fault_of(host)
        assert message.startswith("2 plugins run here; choose one with --socket:")
        assert all(str(path) in message for path in found)

    @needs_no_plugin
    def test_where_none_is_it_is_said_what_was_looked_for(self, host: Host) -> None:
        message = fault_of(host)
        assert f"{SOCKET.default}: No such file or directory" in message
        assert f"{host.running}/<id of a managed plugin>/peavey.sock: none" in message

    @needs_no_plugin
    def test_a_plugin_that_was_killed_is_told_from_none(self, host: Host) -> None:
        path = host.leftover(host.running / IDS[0] / "peavey.sock")
        assert f"{path}: nothing listens on it" in fault_of(host)


def data_of(host: Host, *given: str) -> Path:
    return find_data(arguments(*given), {}, host.installed)


class TestData:
    def test_one_that_is_named_is_taken(self, host: Host) -> None:
        assert data_of(host, "--data", str(host.running)) == host.running

    def test_one_that_is_named_must_exist(self, host: Host) -> None:
        host.data(IDS[0])
        with pytest.raises(SettingError, match="there is no data folder /nowhere"):
            data_of(host, "--data", "/nowhere")

    def test_that_of_a_managed_plugin_is_found(self, host: Host) -> None:
        expected = host.data(IDS[0])
        assert data_of(host) == expected

    def test_several_are_listed(self, host: Host) -> None:
        found = [host.data(plugin_id) for plugin_id in IDS]
        with pytest.raises(SettingError) as caught:
            data_of(host)
        assert all(str(path) in str(caught.value) for path in found)

    def test_where_none_is_it_is_said_what_was_looked_for(self, host: Host) -> None:
        with pytest.raises(SettingError, match="propagated-mount/peavey: none"):
            data_of(host)

"""Two servers on one data folder or one socket: the second one leaves, and says why."""

from pathlib import Path

import pytest

from tests.testbed.server import Server, ServerError, refusal
from tests.testbed.standin import Engine


def second(server: Server, *, socket: Path, data: Path) -> str:
    """Start a second server, which must refuse; return what it says."""
    command = server.command()
    command[command.index("--socket") + 1] = str(socket)
    command[command.index("--data") + 1] = str(data)
    return refusal(command)


def test_a_second_server_on_the_data_folder_refuses(server: Server, engine: Engine, folder: Path) -> None:
    container = engine.run()
    said = second(server, socket=folder / "second.sock", data=server.data)
    container.print(b"line\n")
    container.stop()

    assert str(server.data) in said
    assert not (folder / "second.sock").exists()
    assert container.output() == b"line\n"


@pytest.mark.parametrize("data", ["same", "other"])
def test_a_second_server_does_not_take_the_socket_away(server: Server, engine: Engine, folder: Path, data: str) -> None:
    second(server, socket=server.socket, data=server.data if data == "same" else folder / "other")
    container = engine.run()
    container.print(b"line\n")
    container.stop()

    assert container.output() == b"line\n"


def test_a_socket_that_a_killed_server_left_is_taken_over(server: Server, engine: Engine) -> None:
    server.kill()
    assert server.socket.exists()
    server.start()

    assert engine.client.call("Plugin.Activate") == {"Implements": ["LogDriver"]}


def test_a_terminated_server_leaves_no_socket(server: Server) -> None:
    assert server.terminate() == 0
    assert not server.socket.exists()


def test_something_else_in_the_place_of_the_socket_is_left_alone(idle_server: Server) -> None:
    idle_server.socket.write_text("precious")

    with pytest.raises(ServerError):
        idle_server.start()
    assert idle_server.socket.read_text() == "precious"
    assert str(idle_server.socket) in idle_server.log


def test_a_data_folder_that_cannot_be_made_is_told(idle_server: Server) -> None:
    idle_server.data.write_text("a file where a folder belongs")

    with pytest.raises(ServerError):
        idle_server.start()
    assert str(idle_server.data) in idle_server.log

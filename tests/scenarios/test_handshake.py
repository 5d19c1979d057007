"""The protocol as the engine speaks it, with the habits of Go's HTTP client."""

import json
import socket
import time
from pathlib import Path

import pytest

from tests.testbed.client import PluginClient, PluginError
from tests.testbed.folders import DataFolder
from tests.testbed.server import Server
from tests.testbed.standin import Engine, Fifo

UVICORNS_OWN_KEEP_ALIVE = 5  # seconds


def test_activation_names_the_log_driver_and_nothing_else(shared_engine: Engine) -> None:
    reply = shared_engine.client.post("/Plugin.Activate")

    assert reply.status == 200
    assert json.loads(reply.body) == {"Implements": ["LogDriver"]}


def test_capabilities_come_wrapped_in_cap(shared_engine: Engine) -> None:
    reply = shared_engine.client.post("/LogDriver.Capabilities")

    assert reply.status == 200
    answer = json.loads(reply.body)
    assert answer["Cap"] == {"ReadLogs": True}
    assert not answer.get("Err")


def test_the_host_header_may_be_empty(shared_server: Server) -> None:
    client = PluginClient(shared_server.socket, host="")

    assert client.call("Plugin.Activate") == {"Implements": ["LogDriver"]}
    assert client.call("LogDriver.Capabilities")["Cap"] == {"ReadLogs": True}


def test_an_idle_connection_stays_open(shared_server: Server) -> None:
    request = b"POST /Plugin.Activate HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(120)
        connection.connect(str(shared_server.socket))
        connection.sendall(request)
        assert b"LogDriver" in received(connection)
        time.sleep(UVICORNS_OWN_KEEP_ALIVE + 1)
        connection.sendall(request)
        assert b"LogDriver" in received(connection)


def received(connection: socket.socket) -> bytes:
    """Wait for a whole answer that ends with its JSON object."""
    answer = b""
    while not answer.endswith(b"}"):
        more = connection.recv(65536)
        assert more, "the server closed the connection"
        answer += more
    return answer


def test_the_socket_is_for_root_alone(shared_server: Server) -> None:
    assert shared_server.socket.stat().st_mode & 0o777 == 0o600


def test_starting_a_file_twice_is_starting_it_once(shared_engine: Engine) -> None:
    container = shared_engine.run()
    assert container.fifo is not None
    request = {"File": str(container.fifo.path), "Info": container.info}

    assert shared_engine.client.call("LogDriver.StartLogging", request) == {"Err": ""}
    container.print(b"once\n")
    container.stop()

    assert container.output() == b"once\n"


def test_a_file_belongs_to_one_container(shared_engine: Engine) -> None:
    container = shared_engine.run()
    thief = shared_engine.create()
    assert container.fifo is not None

    with pytest.raises(PluginError, match=container.fifo.path.name[:12]):
        shared_engine.client.call("LogDriver.StartLogging", {"File": str(container.fifo.path), "Info": thief.info})
    container.print(b"mine\n")
    container.stop()

    assert container.output() == b"mine\n"
    assert thief.output() == b""


@pytest.mark.parametrize("body", [b"", json.dumps({"File": "/run/docker/logging/" + "0" * 64}).encode()])
def test_stopping_what_is_not_there_is_no_error(shared_engine: Engine, body: bytes) -> None:
    reply = shared_engine.client.post("/LogDriver.StopLogging", body)

    assert reply.status == 200
    assert json.loads(reply.body) == {"Err": ""}


def test_stopping_twice_is_no_error(shared_engine: Engine) -> None:
    container = shared_engine.run()
    assert container.fifo is not None
    request = {"File": str(container.fifo.path)}
    container.stop()

    assert shared_engine.client.call("LogDriver.StopLogging", request) == {"Err": ""}


def test_a_start_whose_repetition_is_empty_is_refused(shared_engine: Engine) -> None:
    reply = shared_engine.client.post("/LogDriver.StartLogging", b"")

    assert reply.status == 200
    assert json.loads(reply.body)["Err"]


def test_an_unknown_path_is_answered_readably(shared_engine: Engine) -> None:
    reply = shared_engine.client.post("/VolumeDriver.Create", b"{}")

    assert reply.status == 404
    assert "VolumeDriver.Create" in reply.body.decode()


def test_an_attachment_lives_as_long_as_its_stream(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    assert container.fifo is not None
    assert data.attachments() == {container.fifo.path.name}

    container.stop()

    assert data.attachments() == set()
    assert server.alive


def test_a_refused_start_leaves_no_fifo_that_nobody_would_remove(shared_engine: Engine, shared_folder: Path) -> None:
    container = shared_engine.create({"max-size": "a lot"})
    before = fifos(shared_folder)

    with pytest.raises(PluginError):
        container.start()

    assert fifos(shared_folder) == before


def test_a_start_without_anything_but_an_id_is_enough(shared_engine: Engine, shared_folder: Path) -> None:
    fifo = Fifo(shared_folder / "logging")
    request = {"File": str(fifo.path), "Info": {"ContainerID": "ab" * 32}}

    assert shared_engine.client.call("LogDriver.StartLogging", request) == {"Err": ""}
    shared_engine.stop_logging(fifo)


def fifos(folder: Path) -> set[Path]:
    return {path for path in (folder / "logging").iterdir() if path.is_fifo()}

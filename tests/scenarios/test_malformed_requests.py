"""Requests that do not follow the protocol: a clear ``Err``, no stack trace, and nothing changed on disk."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testbed.client import PluginError
from tests.testbed.folders import snapshot
from tests.testbed.server import Server
from tests.testbed.standin import Engine, ReadConfig, container_info

START, STOP, READ = "/LogDriver.StartLogging", "/LogDriver.StopLogging", "/LogDriver.ReadLogs"
NO_OBJECTS = [b"{", b"[]", b'"text"', b"null", b"7", b"\xff\xfe{}", b'{"File": "\xff"}', b"{}garbage"]


def start_with(file: str | Path, **info: object) -> bytes:
    return json.dumps({"File": str(file), "Info": container_info({}) | info}).encode()


def refuse(engine: Engine, folder: Path, body: bytes, path: str = START) -> str:
    """Send a request that must be refused; returns the message."""
    before = snapshot(folder / "logging")
    reply = engine.client.post(path, body)
    assert reply.status == 200
    message: str = json.loads(reply.body)["Err"]
    assert message
    assert "Traceback" not in message
    assert snapshot(folder / "logging") == before
    return message


@pytest.fixture
def fifo(shared_folder: Path) -> Iterator[Path]:
    """A FIFO in the logging folder that no request may touch."""
    path = shared_folder / "logging" / secrets.token_hex(32)
    os.mkfifo(path)
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("path", [START, STOP])
@pytest.mark.parametrize("body", NO_OBJECTS)
def test_a_body_that_is_no_json_object(shared_engine: Engine, shared_folder: Path, path: str, body: bytes) -> None:
    refuse(shared_engine, shared_folder, body, path)


@pytest.mark.parametrize("missing", ["File", "Info"])
def test_a_start_without_a_field_names_it(shared_engine: Engine, shared_folder: Path, fifo: Path, missing: str) -> None:
    request = json.loads(start_with(fifo))
    del request[missing]

    assert missing in refuse(shared_engine, shared_folder, json.dumps(request).encode())


def test_a_start_without_container_id_names_it(shared_engine: Engine, shared_folder: Path, fifo: Path) -> None:
    request = json.loads(start_with(fifo))
    del request["Info"]["ContainerID"]

    assert "ContainerID" in refuse(shared_engine, shared_folder, json.dumps(request).encode())


@pytest.mark.parametrize("identifier", ["", "../../etc", "g" * 64, "ab/cd", "ab\n", "a" * 4096, "ab\0"])
def test_a_container_id_that_is_no_hex(shared_engine: Engine, shared_folder: Path, fifo: Path, identifier: str) -> None:
    refuse(shared_engine, shared_folder, start_with(fifo, ContainerID=identifier))


@pytest.mark.parametrize(
    "info", [{"ContainerID": 7}, {"Config": "max-size"}, {"Config": {"max-size": 20}}, {"ContainerLabels": []}]
)
def test_a_field_of_another_type(
    shared_engine: Engine, shared_folder: Path, fifo: Path, info: dict[str, object]
) -> None:
    assert next(iter(info)) in refuse(shared_engine, shared_folder, start_with(fifo, **info))


def nothing(path: Path) -> None:
    """Make nothing."""


@pytest.mark.parametrize("make", [nothing, Path.touch, Path.mkdir], ids=["missing", "plain file", "folder"])
def test_a_file_that_is_no_fifo(shared_engine: Engine, shared_folder: Path, make: Callable[[Path], None]) -> None:
    path = shared_folder / "logging" / secrets.token_hex(32)
    make(path)

    assert str(path) in refuse(shared_engine, shared_folder, start_with(path))


def test_a_fifo_outside_the_logging_folder(shared_engine: Engine, shared_folder: Path) -> None:
    outside = shared_folder / "outside"
    os.mkfifo(outside)
    link = shared_folder / "logging" / "link"
    link.symlink_to(outside)
    below = shared_folder / "logging" / "below"
    below.mkdir()
    os.mkfifo(below / "fifo")

    for path in (outside, f"{shared_folder}/logging/../outside", link, below / "fifo", "outside", ""):
        refuse(shared_engine, shared_folder, start_with(path))
    assert outside.is_fifo()


def test_a_file_name_that_no_file_can_have(shared_engine: Engine, shared_folder: Path) -> None:
    for name in ("a\0b", "n" * 300, "new\nline"):
        refuse(shared_engine, shared_folder, start_with(f"{shared_folder}/logging/{name}"))


def test_a_nest_without_end(shared_engine: Engine, shared_folder: Path) -> None:
    refuse(shared_engine, shared_folder, b'{"Info":' * 100_000)


@pytest.mark.parametrize("body", [b"", *NO_OBJECTS, b"{}", b'{"Info": {"ContainerID": "../.."}, "Config": {}}'])
def test_reading_refuses_with_a_status_since_a_200_would_be_taken_for_frames(
    shared_engine: Engine, shared_folder: Path, body: bytes
) -> None:
    before = snapshot(shared_folder / "logging")
    reply = shared_engine.client.post(READ, body)

    assert reply.status in (400, 500)
    assert json.loads(reply.body)["Err"]
    assert snapshot(shared_folder / "logging") == before


@pytest.mark.parametrize(
    "config",
    [{"Since": "yesterday"}, {"Until": 7}, {"Tail": "all"}, {"Follow": "yes"}, {"Since": "2024-13-01T00:00:00Z"}],
)
def test_reading_refuses_what_it_cannot_understand(
    shared_server: Server, shared_engine: Engine, config: dict[str, object]
) -> None:
    container = shared_engine.run()
    request = {"Info": container.info, "Config": ReadConfig().as_json() | config}

    with pytest.raises(PluginError, match=next(iter(config))):
        shared_engine.client.stream("LogDriver.ReadLogs", request)
    assert shared_server.alive
    container.stop()


def test_the_log_holds_no_secrets_of_a_refused_request(
    shared_server: Server, shared_engine: Engine, shared_folder: Path, fifo: Path
) -> None:
    refuse(shared_engine, shared_folder, start_with(fifo, Config={}, ContainerEnv="PASSWORD=hunter2"))

    assert "hunter2" not in shared_server.log

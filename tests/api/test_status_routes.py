"""``/status`` and ``/metrics`` of a running server, on its socket and on a TCP address."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from plugin.status.client import ask, ask_status
from plugin.status.model import ContainerStatus, Status
from tests.testbed.lifetimes import dying_engine, tidy_server
from tests.testbed.ports import CLOSED_PORT, HeldPort
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with HeldPort() as held:
        yield held.number


@pytest.fixture(scope="module")
def shared_server(port: int, shared_folder: Path) -> Iterator[Server]:
    with tidy_server(Server(shared_folder, {"PEAVEY_HTTP": f"127.0.0.1:{port}"})) as server:
        server.start()
        yield server


def request(port: int, method: str, path: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, headers={"X-Forwarded-For": "unix", "X-Forwarded-Proto": "http"})
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def metrics(port: int) -> str:
    code, _, content = request(port, "GET", "/metrics")
    assert code == 200
    return content.decode()


def asked(server: Server) -> Status:
    return msgspec.json.decode(ask_status(server.socket), type=Status)


def container_of(server: Server, container_id: str) -> ContainerStatus:
    (found,) = [one for one in asked(server).containers if one.id == container_id]
    return found


def test_a_container_that_has_not_printed_is_there(shared_server: Server, shared_engine: Engine) -> None:
    found = container_of(shared_server, shared_engine.run().id)
    assert (found.streams, found.received_bytes, found.journal_bytes, found.sinks) == (1, 0, 0, [])
    assert found.name.startswith("peavey-")


def test_what_comes_in_is_counted_also_after_the_container_has_stopped(
    shared_server: Server, shared_engine: Engine
) -> None:
    container = shared_engine.run()
    container.print(b"one\ntwo\n")
    container.stop()
    found = container_of(shared_server, container.id)
    assert found.streams == 0
    assert found.received_bytes == found.journal_bytes > 8


def test_a_sink_whose_destination_is_down_is_behind_by_all_that_was_printed(
    shared_server: Server, shared_engine: Engine
) -> None:
    container = shared_engine.run({"syslog-address": f"tcp://127.0.0.1:{CLOSED_PORT}"})
    container.print(b"one\ntwo\nthree\n")
    container.stop()

    def failing() -> bool:
        return any(one.failing_since for one in asked(shared_server).destinations)

    wait_until(failing, "delivery tells of the failure")
    status = asked(shared_server)
    (progress,) = container_of(shared_server, container.id).sinks
    assert (progress.instance, progress.type, progress.delivered_bytes, progress.records) == ("syslog", "syslog", 0, 0)
    assert (progress.lag_bytes, progress.lag_lines) == (container_of(shared_server, container.id).received_bytes, 3)
    assert 0 < progress.lag_seconds < 3600
    (destination,) = [one for one in status.destinations if one.failing_since]
    assert (progress.destination, destination.address) == (destination.id, f"tcp://127.0.0.1:{CLOSED_PORT}")
    assert destination.state == "failing"
    assert "Connection refused" in destination.last_error
    assert (destination.containers, destination.records) == (1, 0)
    assert (status.delivery.wanted, status.delivery.alive) == (1, 1)
    assert [worker.share for worker in status.delivery.workers] == [0]


def test_a_sink_whose_secret_is_not_there_is_faulty_until_it_is(
    shared_server: Server, shared_engine: Engine, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    options = {"http-url": f"http://127.0.0.1:{CLOSED_PORT}", "http-bearer-token-file": str(token)}
    container = shared_engine.run(options)
    container.print(b"hello\n")
    token.unlink()
    (faulty,) = container_of(shared_server, container.id).sinks
    assert [str(token) in fault for fault in faulty.faults] == [True]

    token.write_text("secret")
    (mended,) = container_of(shared_server, container.id).sinks
    assert mended.faults == []


def test_two_destinations_with_the_same_name_are_told_apart(shared_server: Server, shared_engine: Engine) -> None:
    for host in ("127.0.0.1", "127.0.0.2"):
        shared_engine.run({"gelf-address": f"tcp://{host}:{CLOSED_PORT}"}).print(b"x\n")

    def ids() -> set[str]:
        return {one.id for one in asked(shared_server).destinations if one.instance == "gelf"}

    wait_until(lambda: len(ids()) == 2, "delivery tells of both destinations")


def test_the_disk_and_its_bounds_are_told(shared_server: Server) -> None:
    disk = asked(shared_server).disk
    assert (disk.limit_bytes, disk.keep_free_bytes, disk.dropping) == (10_000_000_000, 1_000_000, False)
    assert disk.free_bytes > 0


def test_it_is_on_the_address_as_well(shared_server: Server, port: int) -> None:
    code, media_type, content = request(port, "GET", "/status")
    assert (code, media_type) == (200, "application/json")
    assert json.loads(content).keys() == json.loads(ask_status(shared_server.socket)).keys()
    code, media_type, content = request(port, "GET", "/metrics")
    assert (code, media_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\npeavey_disk_used_bytes " in content


def test_what_comes_in_is_counted_in_metrics(shared_server: Server, shared_engine: Engine, port: int) -> None:
    def lines() -> int:
        found = re.search(r"^peavey_received_lines_total (\S+)$", metrics(port), re.MULTILINE)
        assert found
        return int(float(found[1]))

    assert shared_server.alive
    before = lines()
    container = shared_engine.run()
    container.print(b"one\n" + b"x" * 40_000 + b"\n")
    container.stop()
    assert lines() == before + 2


def test_the_health_is_on_both(shared_server: Server, port: int) -> None:
    assert request(port, "GET", "/healthz")[::2] == (200, b"ok\n")
    assert ask(shared_server.socket, "/healthz")[0] == b"ok\n"


@pytest.mark.parametrize(
    "path",
    [
        "Plugin.Activate",
        "LogDriver.Capabilities",
        "LogDriver.StartLogging",
        "LogDriver.StopLogging",
        "LogDriver.ReadLogs",
    ],
)
def test_the_engines_requests_are_not_answered_there(shared_server: Server, port: int, path: str) -> None:
    assert shared_server.alive
    code, _, content = request(port, "POST", f"/{path}")
    assert code == 404
    assert b"is not answered here" in content


def test_an_address_that_is_taken_keeps_nothing_from_starting(folder: Path) -> None:
    with HeldPort() as held, socket.create_server(("127.0.0.1", held.number)) as other:
        port = held.number
        with (
            tidy_server(Server(folder, {"PEAVEY_HTTP": f"127.0.0.1:{port}"})) as server,
            dying_engine(folder) as engine,
        ):
            server.start()
            container = engine.run()
            container.print(b"hello\n")
            container.stop()
            assert container.output() == b"hello\n"
            fault = f"PEAVEY_HTTP: cannot listen on 127.0.0.1:{port}: Address already in use"
            wait_until(lambda: fault in server.log, "the log tells of it")
            assert [told.startswith(fault) for told in asked(server).faults] == [True]

            other.close()
            wait_until(lambda: "listening on" in server.log, "the address is free")
            wait_until(lambda: asked(server).faults == [], "the fault is over")
            code, _, content = request(port, "GET", "/status")
            assert code == 200
            assert json.loads(content)["faults"] == []
            assert server.terminate() == 0


SECRET = "hunter2hunter2"  # noqa: S105 (no real one)


def sinks_with_secrets() -> list[dict[str, str]]:
    """Log-opts with a secret wherever there can be one, for destinations that are down."""
    site = f"127.0.0.1:{CLOSED_PORT}"
    url = f"http://user:{SECRET}@{site}/{SECRET}?token={SECRET}"
    return [
        {"http-url": url, "http-headers": f"X-Token={SECRET}", "http-proxy-url": url},
        {"loki-url": url, "loki-bearer-token": SECRET},
        {"splunk-url": f"http://{site}", "splunk-token": SECRET, "splunk-proxy-url": url},
        {"fluentd-address": site, "fluentd-shared-key": SECRET, "fluentd-password": SECRET, "fluentd-username": "user"},
    ]


@pytest.mark.parametrize("options", sinks_with_secrets(), ids=lambda options: min(options).partition("-")[0])
def test_no_secret_and_nothing_of_log_opts_labels_or_environment_shows(
    shared_server: Server, shared_engine: Engine, port: int, options: dict[str, str]
) -> None:
    info = {"ContainerEnv": [f"TOKEN={SECRET}"], "ContainerLabels": {"key": SECRET}}
    container = shared_engine.create(options | {"env": "TOKEN", "labels": "key"}, info=info)
    container.start()
    container.print(b"x\n")

    def failing() -> bool:
        (sink,) = container_of(shared_server, container.id).sinks
        return any(one.failing_since and one.type == sink.type for one in asked(shared_server).destinations)

    wait_until(failing, "delivery tells of the failure")
    for path in ("/status", "/metrics"):
        assert SECRET.encode() not in request(port, "GET", path)[2]
    assert SECRET not in shared_server.log

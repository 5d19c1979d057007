"""The plugin that discards: it takes everything, as a log plugin must, and keeps nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.entries import read_lines
from tests.testbed.client import PluginClient
from tests.testbed.server import REPOSITORY
from tests.testbed.standin import Fifo
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, encode

FRAME = encode(LogEntry("stdout", 1, b"x" * 100))


@pytest.fixture
def client(folder: Path) -> Iterator[PluginClient]:
    socket = folder / "discard.sock"
    process = subprocess.Popen([sys.executable, "-m", "bench.discard", str(socket)], cwd=REPOSITORY)
    try:
        wait_until(socket.exists, "the plugin listens")
        client = PluginClient(socket)
        yield client
        client.close()
    finally:
        process.terminate()
        process.wait()


def test_it_is_a_log_driver_that_always_gives_the_same_lines(client: PluginClient) -> None:
    assert client.call("Plugin.Activate") == {"Implements": ["LogDriver"]}
    assert client.call("LogDriver.Capabilities") == {"Cap": {"ReadLogs": True}}
    frames = client.post("/LogDriver.ReadLogs", b"{}").body
    assert [line.text for line in read_lines(frames)] == [b"x" * 99 + b"\n"] * 100


@pytest.mark.parametrize("options", [None, {"at-once": "true"}])
def test_it_drains_a_stream_to_its_end(client: PluginClient, folder: Path, options: dict[str, str] | None) -> None:
    fifo = Fifo(folder)
    client.call("LogDriver.StartLogging", {"File": str(fifo.path), "Info": {"ContainerID": "0", "Config": options}})
    for _ in range(50):
        fifo.write(FRAME * 1000)  # more than any pipe holds
    client.call("LogDriver.StopLogging", {"File": str(fifo.path)})
    left = os.open(fifo.path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(left, 1)
    os.close(left)
    fifo.remove()


def test_a_stop_without_a_start_is_answered(client: PluginClient) -> None:
    assert client.call("LogDriver.StopLogging") == {"Err": ""}

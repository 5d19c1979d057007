"""Files in the data folder that are not what their names say: they cost their own container, and nobody else."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from plugin.status.client import ask_status
from plugin.status.model import Status
from tests.sinks.receiving.process import Receivers
from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

LINES = numbered(50)


def fifo_at(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder_at(path: Path) -> None:
    path.unlink()
    path.mkdir()


def born_beyond_64_bits(home: Path) -> None:
    note = msgspec.json.decode((home / "info.json").read_bytes())
    note["birth"] = 1 << 65
    (home / "info.json").write_bytes(msgspec.json.encode(note))


ODDITIES: dict[str, Callable[[Path], None]] = {
    "a gap of 2^64": lambda home: (home / f"{1 << 64}.gap").touch(),
    "a segment at 10^20": lambda home: (home / f"{10**20 - 1}.log").touch(),
    "a loss of 2^64": lambda home: (home / f"{0:020}-{1 << 64}.retention.lost").touch(),
    "a birth beyond 64 bits": born_beyond_64_bits,
    "a FIFO as info.json": lambda home: fifo_at(home / "info.json"),
    "a FIFO as the segment": lambda home: fifo_at(home / f"{0:020}.log"),
    "a FIFO as a newer segment": lambda home: fifo_at(home / f"{1_000_000:020}.log"),
    "a FIFO as a compressed segment": lambda home: fifo_at(home / f"{1_000_000:020}.log.zst"),
    "a FIFO as the index": lambda home: fifo_at(home / f"{0:020}.idx"),
    "a FIFO as the cursor": lambda home: fifo_at(home / "cursors" / "http.msgpack"),
    "a folder as the cursor": lambda home: folder_at(home / "cursors" / "http.msgpack"),
}


@pytest.mark.parametrize("oddity", ODDITIES.values(), ids=ODDITIES)
def test_they_keep_no_other_container_waiting(
    server: Server, engine: Engine, data: DataFolder, receivers: Receivers, oddity: Callable[[Path], None]
) -> None:
    receiver = receivers.up("http")
    odd, other = engine.run(receiver.options), engine.run(receiver.options)
    for container in (odd, other):
        container.print(b"".join(LINES))
    wait_until(lambda: len(receiver.lines(odd.name)) == len(LINES), "all is delivered")
    server.kill()
    oddity(data.journal_folder(odd.id))
    server.start()

    more = numbered(50, "more")
    for container in (odd, other):
        container.print(b"".join(more))
    expected = [line.rstrip() for line in LINES + more]
    wait_until(lambda: receiver.lines(other.name) == expected, "the other's lines arrive")
    assert [entry.line for entry in other.logs()] == LINES + more
    assert [entry.line for entry in odd.logs(tail=1)] == more[-1:]
    status = msgspec.json.decode(ask_status(server.socket), type=Status)
    assert {container.id for container in status.containers} == {odd.id, other.id}
    odd.stop()
    other.stop()
    assert server.alive

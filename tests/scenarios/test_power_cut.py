"""The host loses power: the end of a journal is gone, its cursor is not, and whatever comes then arrives all the same.

Of a power cut this simulates what it leaves on the disk: the newest segment and its index end earlier, anywhere.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.journal.cursors.store import read_cursor
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.sinks.receiving.received import without_repeats
from tests.testbed.folders import DataFolder
from tests.testbed.lifetimes import dying_engine
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

END = b"the end"


@pytest.fixture
def receiver(folder: Path) -> Iterator[ReceiverProcess]:
    """Where the lines go."""
    with Receivers(folder) as receivers:
        yield receivers.up("http")


@pytest.fixture
def next_engine(folder: Path) -> Iterator[Engine]:
    """The engine that is started when the power is back."""
    with dying_engine(folder) as engine:
        yield engine


def name_of(container: Container) -> str:
    return str(container.info["ContainerName"]).removeprefix("/")


def print_and_wait(container: Container, receiver: ReceiverProcess, lines: list[bytes]) -> None:
    """Have lines printed, and wait until their cursor is on the disk."""
    container.print(b"".join(lines))
    receiver.wait_for(name_of(container), lines[-1].removesuffix(b"\n"))


def cut_power(server: Server, data: DataFolder, container: Container, size: int, index_size: int) -> None:
    """End all processes, and take the end of the newest segment and of its index."""
    folder = server.data / "containers" / container.id
    end = len(data.journal(container.id))
    wait_until(lambda: getattr(read_cursor(folder, "http"), "offset", 0) == end, "all is noted as delivered")
    server.kill()
    server.kill_delivery()
    newest = data.segments(container.id)[-1]
    index = newest.with_suffix(".idx")
    os.truncate(newest, min(size, newest.stat().st_size))
    os.truncate(index, min(index_size, index.stat().st_size))


@pytest.mark.parametrize(
    ("size", "index_size"), [(0, 0), (1, 10_000), (9_999, 10_000), (150_000, 70), (199_998, 10_000)]
)
def test_what_is_printed_after_the_restart_arrives(
    server: Server,
    engine: Engine,
    next_engine: Engine,
    receiver: ReceiverProcess,
    data: DataFolder,
    size: int,
    index_size: int,
) -> None:
    before, after = numbered(2_000, "before", 50), numbered(3_000, "after", 50)
    container = engine.run(receiver.options)
    print_and_wait(container, receiver, before)
    engine.kill()
    wait_until(lambda: not data.attachments(), "the stream is closed")
    cut_power(server, data, container, size, index_size)

    server.start()
    next_engine.live_restore([container])
    container.print(b"".join(after) + END + b"\n")
    container.stop()
    arrived = without_repeats(receiver.wait_for(name_of(container), END)).lines
    assert arrived == [line.removesuffix(b"\n") for line in before + after] + [END]
    assert receiver.lines(name_of(container), "stderr") == [], "nothing is missing behind what was delivered"
    assert server.alive


@pytest.mark.parametrize("size", [0, 9_999, 150_000])
def test_what_waits_in_the_pipe_arrives_as_far_as_the_journal_has_it(
    server: Server, engine: Engine, receiver: ReceiverProcess, data: DataFolder, size: int
) -> None:
    before, after = numbered(2_000, "before", 50), numbered(400, "after", 50)
    container = engine.run(receiver.options)
    print_and_wait(container, receiver, before)
    cut_power(server, data, container, size, 10_000)
    container.print(b"".join(after) + END + b"\n")
    server.start()
    kept = [entry.line for entry in container.logs()]
    container.stop()
    arrived = receiver.wait_for(name_of(container), END)
    first = next(number for number, line in enumerate(kept) if b"after" in line)
    sent = [line.removesuffix(b"\n").decode(errors="replace").encode() for line in kept[first:]]
    assert arrived[len(before) :] == sent
    assert first + 300 < len(kept)
    gaps = receiver.lines(name_of(container), "stderr")
    assert len(gaps) == len(data.corrupt(container.id)), "what the half entry has swallowed is said to be missing"


def test_a_damaged_cursor_costs_repeats_and_no_line(server: Server, engine: Engine, receiver: ReceiverProcess) -> None:
    before, after = numbered(1_000, "before"), numbered(1_000, "after")
    container = engine.run(receiver.options)
    print_and_wait(container, receiver, before)
    server.kill()
    server.kill_delivery()
    (cursor,) = (server.data / "containers" / container.id / "cursors").glob("*.msgpack")
    cursor.write_bytes(b"\0" * 60)
    server.start()
    container.print(b"".join(after) + END + b"\n")
    container.stop()

    once = without_repeats(receiver.wait_for(name_of(container), END))
    assert once.lines == [line.removesuffix(b"\n") for line in before + after] + [END]
    assert once.returns == 1
    assert f"{cursor} is damaged" in server.log
    assert cursor.with_suffix(".damaged").exists()

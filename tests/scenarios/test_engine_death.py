"""The engine dies, with and without live-restore: what it wrote is kept, what it left half-written is cut off."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.client import PluginClient, PluginError
from tests.testbed.folders import DataFolder
from tests.testbed.lifetimes import dying_engine
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, decode_all, encode

TORN = encode(LogEntry("stdout", 1, b"never completed " + b"x" * 5_000))


@pytest.fixture
def next_engine(folder: Path) -> Iterator[Engine]:
    """The engine that is started after the first one died."""
    with dying_engine(folder) as engine:
        yield engine


def lines_in(data: DataFolder, container: Container) -> list[bytes]:
    return [entry.line + b"\n" for entry in decode_all(data.journal(container.id))]


def fifos(folder: Path) -> set[str]:
    return {path.name for path in (folder / "logging").iterdir() if path.is_fifo()}


def test_a_new_engine_goes_on_with_the_journal(server: Server, engine: Engine, next_engine: Engine) -> None:
    container = engine.run()
    before, after = numbered(1_000, "before"), numbered(1_000, "after")
    container.print(b"".join(before))
    engine.kill()
    next_engine.live_restore([container])
    container.print(b"".join(after))
    container.stop()

    assert [entry.line for entry in container.logs()] == before + after
    assert server.alive


def test_the_streams_of_a_dead_engine_are_closed_and_removed(
    server: Server, engine: Engine, data: DataFolder, folder: Path
) -> None:
    containers = [engine.run() for _ in range(5)]
    for container in containers:
        container.print(b"last words\n")
    engine.kill()

    wait_until(lambda: not data.attachments() and not fifos(folder), "streams and FIFOs are gone")
    for container in containers:
        assert lines_in(data, container) == [b"last words\n"]
    assert server.alive


def test_a_follower_ends_with_the_engine(server: Server, engine: Engine) -> None:
    container = engine.run()
    reader = container.follow()
    container.print(b"last words\n")
    engine.kill()

    assert [entry.line for entry in reader.rest()] == [b"last words\n"]
    assert server.alive


@pytest.mark.parametrize("length", [1, 3, 4, 5, 30, 4_096, len(TORN) - 1])
def test_a_torn_tail_is_cut_off(
    server: Server, engine: Engine, next_engine: Engine, data: DataFolder, length: int
) -> None:
    container = engine.run()
    container.print(b"before\n")
    container.write(TORN[:length])
    engine.kill()
    next_engine.live_restore([container])
    container.print(b"after\n")
    container.stop()

    assert container.output() == b"before\nafter\n"
    assert lines_in(data, container) == [b"before\n", b"after\n"]
    assert server.alive


@pytest.mark.parametrize("length", [1, 4, 5, 4_096])
def test_a_torn_tail_is_cut_off_although_the_server_died_too(
    server: Server, engine: Engine, next_engine: Engine, data: DataFolder, length: int
) -> None:
    container = engine.run()
    frame = encode(LogEntry("stdout", 1, b"before"))
    container.write(frame + TORN[:length])
    wait_until(lambda: len(data.journal(container.id)) == len(frame) + length, "half a frame is kept")
    server.kill()
    engine.kill()
    server.start()
    next_engine.live_restore([container])
    container.print(b"after\n")
    container.stop()

    assert container.output() == b"before\nafter\n"
    assert lines_in(data, container) == [b"before\n", b"after\n"]


def test_a_torn_tail_does_not_show_while_nobody_writes(server: Server, engine: Engine, next_engine: Engine) -> None:
    container = engine.run()
    container.print(b"before\n")
    container.write(TORN[:100])
    engine.kill()
    stopped = next_engine.create(info=container.info)

    assert stopped.output() == b"before\n"
    server.restart()
    assert stopped.output() == b"before\n"


def test_a_torn_line_of_several_parts_is_kept_as_far_as_it_came(
    server: Server, engine: Engine, next_engine: Engine
) -> None:
    container = engine.run()
    container.print(b"x" * 40_000)
    engine.kill()
    next_engine.live_restore([container])
    container.print(b"after\n")
    container.stop()

    assert [entry.line for entry in container.logs()] == [b"x" * 32_768, b"after\n"]
    assert server.alive


def test_engine_and_server_die_together(
    server: Server, engine: Engine, next_engine: Engine, data: DataFolder, folder: Path
) -> None:
    containers = [engine.run() for _ in range(5)]
    for container in containers:
        container.print(b"before\n")
    wait_until(lambda: all(lines_in(data, each) == [b"before\n"] for each in containers), "the lines are kept")
    server.kill()
    engine.kill()
    restoring = threading.Thread(target=next_engine.live_restore, args=(containers,))
    restoring.start()
    server.start()
    restoring.join()
    for container in containers:
        container.print(b"after\n")
        container.stop()

    for container in containers:
        assert container.output() == b"before\nafter\n"
    wait_until(lambda: not data.attachments() and not fifos(folder), "streams and FIFOs are gone")


def test_what_a_dead_engine_left_is_cleaned_at_the_start(
    server: Server, engine: Engine, data: DataFolder, folder: Path
) -> None:
    containers = [engine.run() for _ in range(5)]
    server.kill()
    engine.kill()
    assert len(data.attachments()) == len(fifos(folder)) == len(containers)
    server.start()

    wait_until(lambda: not data.attachments() and not fifos(folder), "streams and FIFOs are gone")


def test_an_attachment_whose_fifo_is_gone_is_removed_at_the_start(
    server: Server, engine: Engine, data: DataFolder, folder: Path
) -> None:
    engine.run()
    server.kill()
    engine.kill()
    for name in fifos(folder):
        (folder / "logging" / name).unlink()
    server.start()

    wait_until(lambda: not data.attachments(), "the attachment is gone")


def test_a_damaged_attachment_does_not_keep_the_server_from_starting(
    server: Server, engine: Engine, folder: Path
) -> None:
    container = engine.run()
    server.kill()
    container.print(b"waiting\n")
    streams = folder / "logging" / "peavey" / "streams"
    (streams / ("0" * 64 + ".json")).write_bytes(b"")
    (streams / ("1" * 64 + ".json")).write_bytes(b'{"file": ')
    server.start()
    container.stop()

    assert container.output() == b"waiting\n"


def test_a_newer_stream_comes_after_what_the_older_one_holds(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    older = container.fifo
    assert older is not None
    server.kill()
    before, after = numbered(300, "before", padding=100), numbered(300, "after", padding=100)
    container.print(b"".join(before))
    server.start()
    container.start()
    newer = container.fifo
    assert newer is not None
    container.print(b"".join(after))

    assert [entry.line for entry in container.logs()] == before + after
    wait_until(lambda: data.attachments() == {newer.path.name}, "the older stream is retired")
    container.stop()
    assert lines_in(data, container) == before + after


def test_a_newer_stream_waits_for_the_frame_that_the_older_one_completes(
    server: Server, engine: Engine, data: DataFolder
) -> None:
    container = engine.run()
    older = container.fifo
    assert older is not None
    frame = encode(LogEntry("stdout", 1, b"x" * 6_000))
    older.write(frame[:5_000])
    wait_until(lambda: len(data.journal(container.id)) == 5_000, "half a frame is kept")
    container.start()
    container.print(b"newer\n")
    older.write(frame[5_000:])
    container.stop()

    assert lines_in(data, container) == [b"x" * 6_000 + b"\n", b"newer\n"]
    assert server.alive


def test_an_older_stream_that_never_completes_its_frame_holds_nothing_up(
    server: Server, engine: Engine, data: DataFolder
) -> None:
    container = engine.run()
    older = container.fifo
    assert older is not None
    older.write(TORN[:5_000])
    wait_until(lambda: len(data.journal(container.id)) == 5_000, "half a frame is kept")
    container.start()
    lines = numbered(50_000, padding=20)
    container.print(b"".join(lines))
    container.stop()

    assert lines_in(data, container) == lines
    assert server.alive


@pytest.mark.parametrize("forgotten", [1, 3])
def test_a_restart_among_forgotten_streams_keeps_a_half_written_frame(
    server: Server, engine: Engine, data: DataFolder, forgotten: int
) -> None:
    container = engine.run()
    for _ in range(forgotten):
        container.print(b"before\n")
        assert container.output()
        container.start()
    frame = encode(LogEntry("stdout", 1, b"x" * 6_000))
    length = len(data.journal(container.id)) + 5_000
    container.write(frame[:5_000])
    wait_until(lambda: len(data.journal(container.id)) == length, "half a frame is kept")
    server.kill()
    container.write(frame[5_000:])
    server.start()
    container.print(b"after\n")
    container.stop()

    assert lines_in(data, container) == [b"before\n"] * forgotten + [b"x" * 6_000 + b"\n", b"after\n"]


def test_fifos_that_are_not_the_plugins_stay(server: Server, engine: Engine, folder: Path) -> None:
    stranger = folder / "logging" / ("5" * 64)
    os.mkfifo(stranger)
    server.restart()
    container = engine.run()
    container.print(b"line\n")
    container.stop()

    assert stranger.is_fifo()


def test_a_start_that_the_engine_gave_up_can_be_repeated(server: Server, engine: Engine) -> None:
    container = engine.create({"max-size": "a lot"})
    with pytest.raises(PluginError):
        container.start()
    container.info["Config"] = {}
    container.start()
    container.print(b"line\n")
    container.stop()

    assert container.output() == b"line\n"
    assert server.alive


def test_the_client_of_a_dead_engine_leaves_no_connection_behind(server: Server, folder: Path) -> None:
    client = PluginClient(server.socket)
    engine = Engine(client, folder / "logging")
    container = engine.run()
    container.print(b"line\n")
    assert container.output() == b"line\n"
    before = server.open_files
    readers = [container.follow() for _ in range(10)]
    wait_until(lambda: server.open_files > before, "followers hold files")
    for reader in readers:
        reader.close()
    wait_until(lambda: server.open_files <= before, "followers that left hold nothing")
    engine.kill()

"""``docker logs`` of a container that does not run: the engine starts logging, reads, stops — and nothing remains."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.testbed.folders import DataFolder, snapshot
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine, ReadConfig
from tests.testbed.waiting import wait_until

LINES = numbered(2_000, padding=500)


@pytest.fixture(params=["plain", "rotated and compressed", "torn at the end", "never started"])
def stopped(engine: Engine, server: Server, data: DataFolder, request: pytest.FixtureRequest) -> Container:
    """A container that does not run, in every state that its journal can be in."""
    if request.param == "never started":
        return engine.create()
    container = engine.run({"max-size": "30k", "max-file": "100"} if "rotated" in request.param else {})
    container.print(b"".join(LINES))
    if request.param == "torn at the end":
        container.print(b"x" * 20_000)
    container.stop()
    if "rotated" in request.param:
        wait_until(lambda: data.plain(container.id) == data.segments(container.id)[-1:], "all but one are compressed")
    assert server.alive
    return container


@pytest.mark.parametrize("config", [ReadConfig(), ReadConfig(tail=5), ReadConfig(tail=0), ReadConfig(since=1)])
def test_reading_leaves_no_trace(stopped: Container, folder: Path, config: ReadConfig) -> None:
    before = snapshot(folder / "logging")

    with stopped.reading(config) as reader:
        reader.rest()

    assert snapshot(folder / "logging") == before


def test_reading_leaves_no_trace_after_a_restart(stopped: Container, server: Server, folder: Path) -> None:
    server.restart()
    before = snapshot(folder / "logging")

    stopped.entries()

    assert snapshot(folder / "logging") == before


def test_a_reader_that_leaves_early_leaves_no_trace(stopped: Container, folder: Path) -> None:
    before = snapshot(folder / "logging")

    with stopped.reading(ReadConfig()) as reader:
        reader.take(1)

    assert snapshot(folder / "logging") == before


def test_the_server_dies_between_start_and_stop_of_a_reading(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    container.print(b"".join(LINES))
    container.stop()
    journal = data.journal(container.id)
    with container.reading(ReadConfig()) as reader:
        reader.rest()
        server.restart()

    assert data.journal(container.id) == journal
    wait_until(lambda: not data.attachments(), "the stream of the reading is gone")
    assert [entry.line for entry in container.logs()] == LINES


def test_many_read_at_once_while_the_container_starts_again(engine: Engine, server: Server) -> None:
    container = engine.run()
    container.print(b"".join(LINES))
    container.stop()
    twin = engine.create(info=container.info)
    with ThreadPoolExecutor(10) as pool:
        readings = [pool.submit(twin.entries) for _ in range(10)]
        container.start()
        container.print(b"second life\n")
        container.stop()
        for reading in readings:
            read = [entry.line for entry in reading.result()]
            assert read in (LINES, [*LINES, b"second life\n"])

    assert [entry.line for entry in container.logs()] == [*LINES, b"second life\n"]
    assert server.alive


def test_reading_one_that_runs_through_another_logger_does_not_disturb_it(engine: Engine, server: Server) -> None:
    container = engine.run()
    container.print(b"one\n")
    twin = engine.create(info=container.info)
    assert twin.output() == b"one\n"
    container.print(b"two\n")
    assert twin.output() == b"one\ntwo\n"
    container.stop()

    assert container.output() == b"one\ntwo\n"
    assert server.alive

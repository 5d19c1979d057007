"""A full disk: containers go on, the plugin lives, what cannot be kept is counted, and in the end lines are kept."""

from pathlib import Path

import pytest

from tests.testbed.disks import DISK, MEBIBYTE, fill
from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

LINES = numbered(2_000, padding=1_000)


@pytest.fixture(params=["1m", "0"], ids=["some room kept free", "filled to the brim"])
def server_on_small_disk(small_disk: Path, idle_server: Server, request: pytest.FixtureRequest) -> Server:
    """A server whose data folder is the small disk."""
    assert small_disk.is_mount()
    idle_server.environment["PEAVEY_DISK_FREE"] = request.param
    idle_server.start()
    return idle_server


def read(container: Container) -> list[bytes]:
    return [entry.line for entry in container.logs()]


def is_subsequence(part: list[bytes], whole: list[bytes]) -> bool:
    remaining = iter(whole)
    return all(line in remaining for line in part)


def test_others_fill_the_disk(server_on_small_disk: Server, small_disk: Path, engine: Engine) -> None:
    container, other = engine.run(), engine.run()
    before, after = numbered(100, "before"), numbered(100, "after")
    container.print(b"".join(before))
    assert read(container) == before

    filler = fill(small_disk)
    container.print(b"".join(LINES))
    other.print(b"".join(LINES))
    assert server_on_small_disk.alive
    filler.unlink()
    wait_until(lambda: says_dropped(server_on_small_disk), "the log tells what was dropped")

    wait_until_kept(container)
    container.print(b"".join(after))
    container.stop()
    other.stop()
    kept = read(container)
    assert kept[-len(after) :] == after
    assert is_subsequence([line for line in kept if line != b"probe\n"], before + LINES + after)
    assert server_on_small_disk.alive


def says_dropped(server: Server) -> bool:
    return "dropped" in server.log


def wait_until_kept(container: Container) -> None:
    """Print until it is kept again."""

    def kept() -> bool:
        container.print(b"probe\n")
        return read(container)[-1:] == [b"probe\n"]

    wait_until(kept, "lines are kept again")


def test_the_journals_fill_the_disk(server_on_small_disk: Server, engine: Engine, data: DataFolder) -> None:
    containers = [engine.run({"max-size": "1m", "max-file": "1000", "compress": "false"}) for _ in range(3)]
    lines = numbered(10_000, padding=1_000)
    for start in range(0, len(lines), 500):
        for container in containers:
            container.print(b"".join(lines[start : start + 500]))
    assert data.size() <= DISK

    for container in containers:
        wait_until_kept(container)
        kept = read(container)
        assert kept[-1] == b"probe\n"
        assert is_subsequence([line for line in kept if line.startswith(b"line ")], lines)
    for container in containers:
        container.stop()
    assert server_on_small_disk.alive


def test_a_container_starts_and_stops_on_a_full_disk(
    server_on_small_disk: Server, small_disk: Path, engine: Engine
) -> None:
    stopped = engine.run()
    stopped.print(b"kept\n")
    stopped.stop()
    filler = fill(small_disk)
    container = engine.run()
    container.print(b"".join(LINES))
    container.stop()
    assert read(stopped) in ([b"kept\n"], [])  # where room is short, stopped containers give theirs first

    filler.unlink()
    container.start()
    wait_until_kept(container)
    container.stop()
    assert server_on_small_disk.alive


def test_the_server_is_killed_and_started_on_a_full_disk(
    server_on_small_disk: Server, small_disk: Path, engine: Engine
) -> None:
    container = engine.run()
    before = numbered(100, "before")
    container.print(b"".join(before))
    filler = fill(small_disk)
    container.print(b"".join(LINES))
    server_on_small_disk.restart()
    container.print(b"".join(LINES))
    filler.unlink()
    wait_until_kept(container)
    container.stop()

    kept = [line for line in read(container) if line != b"probe\n"]
    assert is_subsequence(kept, before + LINES + LINES)


def test_the_server_is_killed_after_a_container_started_on_a_full_disk(
    server_on_small_disk: Server, small_disk: Path, engine: Engine
) -> None:
    wait_until(lambda: len(list(small_disk.rglob("reserve/7"))) == 1, "room is in reserve")
    filler = fill(small_disk)
    container = engine.run()
    assert "cannot save the attachment" not in server_on_small_disk.log
    server_on_small_disk.restart()
    filler.unlink()
    wait_until_kept(container)
    container.stop()


def test_a_limit_for_all_journals_drops_the_oldest(idle_server: Server, engine: Engine, data: DataFolder) -> None:
    limit = 2 * MEBIBYTE
    idle_server.environment["PEAVEY_DISK_LIMIT"] = "2m"
    idle_server.start()
    options = {"max-size": "200k", "max-file": "1000", "compress": "false"}
    old = engine.run(options)
    old.print(b"".join(numbered(1_000, "old", padding=1_000)))
    old.stop()
    container = engine.run(options)
    container.print(b"".join(LINES))
    container.print(b"".join(LINES))
    wait_until(lambda: data.size() < limit + MEBIBYTE, "the journals are within the limit")
    container.print(b"last\n")
    container.stop()

    kept = read(container)
    assert kept[-1] == b"last\n"
    assert kept[:-1] == (LINES + LINES)[-len(kept) + 1 :]
    assert read(old) == []
    assert idle_server.alive

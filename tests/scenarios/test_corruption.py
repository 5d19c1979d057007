"""Bytes that are not frames: set aside and counted, while the stream goes on before and behind them."""

from pathlib import Path

import pytest

from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

GARBAGE = {
    "a length beyond all bounds": b"\xff\xff\xff\xff" + b"junk" * 10,
    "a frame of no bytes": b"\0\0\0\0",
    "zeros": b"\0" * 64,
    "text": b"this is not a frame at all, whoever wrote it\n",
    "a body that is not an entry": b"\0\0\0\x08" + b"\xff" * 8,
    "a length that promises more than comes": b"\0\0\x01\xf4" + b"\xff" * 20,
    "an entry whose line ends beyond it": b"\0\0\0\x0c\x0a\x06stdout\x1a\x7fab",
    "much": b"\xfe" * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("at_once", [True, False], ids=["in one write", "apart"])
def test_good_lines_before_and_behind_are_kept_once(
    shared_engine: Engine, shared_data: DataFolder, garbage: bytes, at_once: bool
) -> None:
    before, after = numbered(100, "before"), numbered(100, "after")
    container = shared_engine.run()
    container.print(b"".join(before))
    if not at_once:
        assert [entry.line for entry in container.logs()] == before
    container.write(garbage)
    if not at_once:
        container.logs()
    container.print(b"".join(after))
    container.stop()

    assert [entry.line for entry in container.logs()] == before + after
    assert [entry.line for entry in container.logs(tail=150)] == (before + after)[-150:]
    wait_until(lambda: shared_data.corrupt(container.id), "the garbage is set aside")
    assert garbage[-16:] in b"".join(path.read_bytes() for path in shared_data.corrupt(container.id))


def test_again_and_again(server: Server, engine: Engine) -> None:
    container = engine.run({"max-size": "20k", "max-file": "1000"})
    lines = numbered(2_000, padding=30)
    for number, line in enumerate(lines):
        if number % 20 == 7:
            container.write(list(GARBAGE.values())[number // 20 % 7])
        container.print(line)
    container.stop()

    assert [entry.line for entry in container.logs()] == lines
    assert server.alive


def test_the_log_says_so(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.write(b"\xff" * 100)
    container.print(b"line\n")
    container.stop()

    assert container.output() == b"line\n"
    wait_until(lambda: container.id[:12] in server.log, "the log names the container")


def test_garbage_alone(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    container.write(b"\xff" * 100)
    container.stop()

    assert container.output() == b""
    container.start()
    container.print(b"line\n")
    container.stop()
    assert container.output() == b"line\n"
    wait_until(lambda: data.corrupt(container.id), "the garbage is set aside")
    assert server.alive


def test_other_containers_do_not_notice(server: Server, engine: Engine) -> None:
    bad, good = engine.run(), engine.run()
    lines = numbered(1_000)
    for line in lines:
        bad.write(b"\xff" * 10)
        good.print(line)
    bad.stop()
    good.stop()

    assert [entry.line for entry in good.logs()] == lines
    assert server.alive


def test_a_server_killed_behind_garbage(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"before\n")
    container.write(b"\xff" * 5_000)
    server.restart()
    container.print(b"after\n")
    container.stop()

    assert container.output() == b"before\nafter\n"


@pytest.mark.parametrize("damage", [b"", b"\xff" * 50, b"\0" * 4_096], ids=["emptied", "overwritten", "zeroed"])
def test_a_segment_that_was_damaged_on_disk_does_not_wedge_its_container(
    server: Server, engine: Engine, data: DataFolder, damage: bytes
) -> None:
    container = engine.run()
    container.print(b"".join(numbered(1_000)))
    container.stop()
    server.kill()
    (segment,) = data.segments(container.id)
    with segment.open("r+b") as file:
        if damage:
            file.seek(10_000)
            file.write(damage)
        else:
            file.truncate(0)
    server.start()
    container.start()
    container.print(b"after\n")
    container.stop()

    assert container.entries(tail=1)[0].line == b"after\n"
    assert server.alive


def test_files_of_others_in_the_data_folder_do_no_harm(server: Server, engine: Engine, folder: Path) -> None:
    container = engine.run()
    container.print(b"line\n")
    assert container.output() == b"line\n"
    home = folder / "logging" / "peavey" / "containers"
    (home / "README").write_text("not a journal")
    (home / container.id / "notes.txt").write_text("not a segment")
    (home / container.id / "1.log").write_text("not a segment either")
    (home / ("f" * 64)).mkdir()
    server.restart()
    container.print(b"another\n")
    container.stop()

    assert container.output() == b"line\nanother\n"

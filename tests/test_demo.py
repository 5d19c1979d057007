"""The demonstration must not report success when something was lost."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import demo
from tests.testbed.folders import DataFolder
from tests.testbed.server import Server
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver
from tests.testbed.wire import LogEntry, encode

LINES = 1000


class IdleServer(Server):
    """A server of which only the kills are noticed."""

    def kill(self) -> None:
        self.environment["killed"] = "yes"

    def start(self) -> None:
        assert self.environment.pop("killed") == "yes"


class ScriptedStage:
    """A stage that keeps and gives back what it is told to."""

    description = "scripted"

    def __init__(self, folder: Path, kept: int, output: bytes) -> None:
        self._output = output
        self._container = folder / "containers" / "c1"
        self._kept = kept
        self._container.mkdir(parents=True)
        self.driver = Driver("scripted", IdleServer(folder), DataFolder(folder))

    def start(self, lines: int) -> str:
        assert lines == LINES
        self._write(lines * 9 // 10)
        return "c1"

    def wait(self) -> None:
        self._write(self._kept)

    def read_back(self) -> bytes:
        return self._output

    def _write(self, lines: int) -> None:
        frames = b"".join(encode(LogEntry("stdout", time.time_ns(), b"%6d" % n)) for n in range(lines))
        (self._container / "00000000000000000000.log").write_bytes(frames)


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bytes], int]:
    """Play the demonstration with so many lines kept and this output read back; return its exit code."""
    monkeypatch.setattr(demo, "LINES", LINES)
    monkeypatch.setattr(demo, "DOWN_SECONDS", 0)
    return lambda kept, output: demo.play(ScriptedStage(tmp_path, kept, output))


def test_all_there_is_success(play: Callable[[int, bytes], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert play(LINES, numbered(LINES)) == 0
    assert "Nothing was lost." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kept", "output"),
    [
        (LINES, numbered(LINES - 1)),
        (LINES, numbered(LINES) + b"7\n"),
        (LINES, b"2\n1\n" + numbered(LINES, first=3)),
        (LINES, numbered(LINES) + b"torn"),
        (LINES - 1, numbered(LINES)),
    ],
    ids=["lost", "repeated", "out of order", "damaged", "not in the journal"],
)
def test_any_fault_is_failure(
    play: Callable[[int, bytes], int], capsys: pytest.CaptureFixture[str], kept: int, output: bytes
) -> None:
    assert play(kept, output) == 1
    assert "Nothing was lost." not in capsys.readouterr().out


def test_a_torn_frame_is_not_counted() -> None:
    frames = [encode(LogEntry("stdout", 1, b"%d" % n)) for n in range(3)]
    assert demo.count_frames(b"".join(frames)) == 3
    assert demo.count_frames(b"".join(frames)[:-1]) == 2
    assert demo.count_frames(b"".join(frames)[: -len(frames[-1]) + 2]) == 2
    assert demo.count_frames(b"") == 0

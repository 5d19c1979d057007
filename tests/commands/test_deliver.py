"""``peavey deliver`` as a process: when it ends, and what keeps it from it."""

import contextlib
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.worker_harness import WorkerHarness
from tests.testbed.server import REPOSITORY, plugin_environment
from tests.testbed.waiting import wait_until

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts delivery on one data folder, and ends what is left of it."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, program: tuple[str, ...] = ("-m", "plugin"), **options: Any) -> subprocess.Popen[bytes]:
        (tmp_path / "data").mkdir(mode=0o700, exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, *program, "deliver", "--data", str(tmp_path / "data"), *arguments],
            cwd=REPOSITORY,
            env=plugin_environment({}),
            **options,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
            stream.close()


def wait_until_it_delivers(data: Path, share: int = 0) -> None:
    wait_until((data / "delivery" / f"{share}.json").exists, "delivery runs")


def test_a_supervised_one_ends_with_its_supervisor(start: Start, tmp_path: Path) -> None:
    process = start("--supervised", stdin=subprocess.PIPE)
    wait_until_it_delivers(tmp_path / "data")
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(120) == 0


def test_also_if_that_ended_before_it_had_begun(start: Start) -> None:
    source, target = os.pipe()
    process = start("--supervised", stdin=source)
    os.close(source)
    os.close(target)
    assert process.wait(120) == 0


def test_one_that_was_started_by_hand_has_no_use_for_stdin(start: Start, tmp_path: Path) -> None:
    process = start(stdin=subprocess.DEVNULL)
    wait_until_it_delivers(tmp_path / "data")
    assert process.poll() is None
    process.terminate()
    assert process.wait(120) == 0


def test_what_another_delivers_is_refused_at_once_by_hand(start: Start, tmp_path: Path) -> None:
    start(stdin=subprocess.DEVNULL)
    wait_until_it_delivers(tmp_path / "data")
    for share, said in (("0/1", "another process delivers share 0/1"), ("1/2", "in shares of 1")):
        second = start("--share", share, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, errors = second.communicate(timeout=120)
        assert second.returncode == 1
        assert said in errors.decode()


def test_a_supervised_one_waits_for_its_predecessor(start: Start, tmp_path: Path) -> None:
    first = start(stdin=subprocess.DEVNULL)
    wait_until_it_delivers(tmp_path / "data")
    second = start("--supervised", "--share", "1/2", stdin=subprocess.PIPE)
    first.terminate()
    wait_until_it_delivers(tmp_path / "data", 1)
    assert first.wait(120) == 0  # it lets go of its share before it ends
    assert second.poll() is None


def test_as_many_files_as_allowed_may_be_open(start: Start, tmp_path: Path) -> None:
    process = start(
        stdin=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 4000))
    )
    wait_until_it_delivers(tmp_path / "data")
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3:5] == ["4000", "4000"]


WITH_ENDLESS_LOCKS = """
import sys
from plugin.__main__ import main
from plugin.sinks.json_file import rotating_file
rotating_file._LOCK_LIMIT = 10_000
sys.exit(main(sys.argv[1:]))
"""


def test_a_write_that_hangs_does_not_hold_up_the_end(start: Start, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        harness = WorkerHarness(tmp_path, {"json-file-path": str(output)})
        harness.journal.lines(0, 10)
        process = start(program=("-c", WITH_ENDLESS_LOCKS), stdin=subprocess.DEVNULL)
        wait_until(lambda: output_is_open_in(process, output), "it waits for the lock")
        process.terminate()
        assert process.wait(120) == 0
        harness.journal.close()
    assert output.read_bytes() == b""


def output_is_open_in(process: subprocess.Popen[bytes], file: Path) -> bool:
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if link.readlink() == file:
                return True
    return False


def test_it_makes_no_data_folder_that_is_missing(start: Start, tmp_path: Path) -> None:
    process = start("--data", f"{tmp_path}/missing", stderr=subprocess.PIPE)
    assert process.wait(120) == 1
    assert process.stderr is not None
    assert (
        process.stderr.read() == f"peavey: there is no data folder {tmp_path}/missing (--data names another)\n".encode()
    )
    assert not (tmp_path / "missing").exists()

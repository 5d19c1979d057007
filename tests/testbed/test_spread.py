"""How the tests are spread over several processes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed.spread import share
from tests.testbed.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
NOTE = """
import os
import pytest

@pytest.mark.parametrize("number", range(20))
def test_it(number):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{__file__} {number} {os.getpid()}\\n")
"""


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/dockerd/managed/test_logs.py::test_it", "tests/dockerd/managed"),
        ("tests/dockerd/test_load.py::test_it[a/b::c]", "tests/dockerd"),
        ("tests/docker/test_tag.py::TestTag::test_it", "tests/docker/test_tag.py"),
        ("tests/test_main.py::test_it", "tests/test_main.py"),
    ],
)
def test_what_shares_an_engine_or_a_file_is_one_share(nodeid: str, expected: str) -> None:
    assert share(nodeid) == expected


def test_a_share_is_run_by_one_process_in_order_and_that_of_the_managed_plugin_begins(tmp_path: Path) -> None:
    files = [
        "tests/a/test_a.py",
        "tests/dockerd/test_b.py",
        "tests/dockerd/test_c.py",
        "tests/dockerd/managed/test_d.py",
    ]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(NOTE, encoding="utf-8")
    options = ["-p", "tests.testbed.spread", "-n", "2", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--import-mode=importlib", str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"NOTES": str(tmp_path / "notes")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.search(r"^=+ 80 passed in .*=$", done.stdout, re.MULTILINE), done.stdout
    notes = [line.split() for line in (tmp_path / "notes").read_text(encoding="utf-8").splitlines()]
    ran = {file: [(int(number), pid) for at, number, pid in notes if at == str(tmp_path / file)] for file in files}
    for runs in ran.values():
        assert [number for number, _ in runs] == list(range(20))
        assert len({pid for _, pid in runs}) == 1
    workers = {file: runs[0][1] for file, runs in ran.items()}
    assert workers["tests/dockerd/test_b.py"] == workers["tests/dockerd/test_c.py"]
    assert workers["tests/dockerd/managed/test_d.py"] != workers["tests/dockerd/test_b.py"]


CLEANING = """
import os
import time
import pytest

@pytest.fixture
def place():
    with open(os.environ["NOTES"], "a") as notes:
        notes.write("begun\\n")
    try:
        yield
    finally:
        time.sleep(0.5)
        with open(os.environ["NOTES"], "a") as notes:
            notes.write("cleaned up\\n")

def test_it(place):
    time.sleep(600)
"""


@pytest.mark.parametrize("to_all", [True, False], ids=["as by a terminal or timeout", "by its process id"])
def test_a_run_that_is_ended_cleans_up(tmp_path: Path, to_all: bool) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(CLEANING, encoding="utf-8")
    options = ["-p", "tests.conftest", "-p", "tests.testbed.spread", "-n", "2", "-c", "/dev/null"]
    notes = tmp_path / "notes"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"NOTES": str(notes)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        wait_until(lambda: notes.exists() and notes.read_text(encoding="utf-8").count("begun") == 2, "both tests run")
        if to_all:
            os.killpg(run.pid, signal.SIGTERM)
        else:
            run.terminate()
        assert run.wait(120) != 0
    assert notes.read_text(encoding="utf-8").count("cleaned up") == 2

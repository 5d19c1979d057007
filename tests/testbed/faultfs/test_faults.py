"""The shim answers what it is told to, on the files it is told of, for as long as it is told to; and nothing else."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testbed.faultfs.faults import Faults, Operation

# CallQueue, each made in a folder of its own that has the files which `open_files` opens.
CALLS = {
    "os.open('victim', os.O_RDONLY)": Operation.OPEN,
    "os.open('victim', os.O_RDONLY, dir_fd=folder)": Operation.OPEN,
    "os.open(f'/proc/self/fd/{folder}/victim', os.O_RDONLY)": Operation.OPEN,
    "os.read(file, 1)": Operation.READ,
    "os.pread(file, 1, 0)": Operation.READ,
    "os.write(file, b'1')": Operation.WRITE,
    "os.pwrite(file, b'1', 0)": Operation.WRITE,
    "os.splice(pipe, file, 1)": Operation.WRITE,
    "os.splice(file, pipe_in, 1)": Operation.READ,
    "os.sendfile(pipe_in, file, 0, 1)": Operation.READ,
    "os.copy_file_range(file, other, 1)": Operation.READ,
    "os.rename('victim', 'victim')": Operation.RENAME,
    "os.replace('other', 'victim')": Operation.RENAME,
    "os.rename('victim', 'victim', src_dir_fd=folder, dst_dir_fd=folder)": Operation.RENAME,
    "os.unlink('victim')": Operation.UNLINK,
    "os.unlink('victim', dir_fd=folder)": Operation.UNLINK,
    "os.rmdir('victim-empty')": Operation.UNLINK,
    "os.fsync(file)": Operation.FSYNC,
    "os.fdatasync(file)": Operation.FSYNC,
    "os.statvfs('victim')": Operation.STATVFS,
    "os.statvfs(file)": Operation.STATVFS,
    "os.stat('victim')": Operation.STAT,
    "os.lstat('victim')": Operation.STAT,
    "os.fstat(file)": Operation.STAT,
    "os.stat('victim', dir_fd=folder)": Operation.STAT,
    "os.mkdir('victim-new')": Operation.MKDIR,
    "os.mkdir('victim-new', dir_fd=folder)": Operation.MKDIR,
    "os.listdir('victim-folder')": Operation.LIST,
    "list(os.scandir('victim-folder'))": Operation.LIST,
    "os.listdir(victim_folder)": Operation.LIST,
    "os.truncate('victim', 0)": Operation.TRUNCATE,
    "os.ftruncate(file, 0)": Operation.TRUNCATE,
    "os.posix_fallocate(file, 0, 1)": Operation.ALLOCATE,
    "fcntl.flock(file, fcntl.LOCK_SH)": Operation.LOCK,
}


OPEN_FILES = """
file = os.open('victim', os.O_RDWR)
other = os.open('other', os.O_RDWR)
folder = os.open('.', os.O_RDONLY)
victim_folder = os.open('victim-folder', os.O_RDONLY)
pipe, pipe_in = os.pipe()
os.write(pipe_in, b'123')
"""
PROGRAM = f"""
import fcntl, os, sys
calls = sys.argv[1:]
spaces = []
for number in range(len(calls)):
    os.chdir(str(number))
    spaces.append({{"os": os, "fcntl": fcntl}})
    exec({OPEN_FILES!r}, spaces[-1])
    os.chdir("..")
print("ready", flush=True)
for _ in sys.stdin:
    for number, call in enumerate(calls):
        os.chdir(str(number))
        try:
            eval(call, spaces[number])
        except OSError as error:
            print(error.errno)
        else:
            print(0)
        os.chdir("..")
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faultfs")


@pytest.fixture(scope="module")
def shim(house: Path) -> Faults:
    return Faults(house)


@pytest.fixture
def faults(shim: Faults) -> Iterator[Faults]:
    yield shim
    shim.end_all()


@contextmanager
def program(faults: Faults, folder: Path, *calls: str) -> Iterator[Callable[[], list[int]]]:
    """Start a process that makes these calls whenever it is asked to, and gives the error numbers, 0 for none."""
    for number in range(len(calls)):
        place = folder / str(number)
        (place / "victim-folder").mkdir(parents=True)
        for name in ("victim", "other"):
            (place / name).write_bytes(b"content")
        (place / "victim-empty").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *calls],
        cwd=folder,
        env=os.environ | faults.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        answers, ask = process.stdout, process.stdin

        def results() -> list[int]:
            ask.write("\n")
            ask.flush()
            return [int(answers.readline()) for _ in calls]

        yield results
        process.stdin.close()


@pytest.mark.parametrize("operation", Operation)
def test_an_operation_fails_and_no_other_does(faults: Faults, tmp_path: Path, operation: Operation) -> None:
    with program(faults, tmp_path, *CALLS) as results:
        with faults.fault("*/victim*", operation, number=errno.EREMOTE) as fault:
            found = dict(zip(CALLS, results(), strict=True))
        expected = {call: errno.EREMOTE if of is operation else 0 for call, of in CALLS.items()}
        assert found == expected
        assert fault.hits == list(CALLS.values()).count(operation) > 0


def test_what_python_opens_fails(faults: Faults, tmp_path: Path) -> None:
    with (
        program(faults, tmp_path, "open('victim')", "list(os.walk('victim-folder', onerror=print))") as results,
        faults.fault("*/victim", *Operation, number=errno.EIO),
    ):
        assert results() == [errno.EIO, 0]


def test_other_files_are_left_alone(faults: Faults, tmp_path: Path) -> None:
    with (
        program(faults, tmp_path, "open('other')", "os.listdir('.')", "os.mkdir('new')") as results,
        faults.fault("*/victim*", *Operation, number=errno.EIO) as fault,
    ):
        assert results() == [0, 0, 0]
        assert fault.hits == 0


def test_a_fault_lasts_for_so_many_calls(faults: Faults, tmp_path: Path) -> None:
    with program(faults, tmp_path, "os.stat('victim')") as results:
        faults.begin("*/victim", Operation.STAT, number=errno.EMFILE, times=2)
        assert [results() for _ in range(4)] == [[errno.EMFILE], [errno.EMFILE], [0], [0]]


def test_a_fault_ends_while_the_process_runs(faults: Faults, tmp_path: Path) -> None:
    with program(faults, tmp_path, "os.stat('victim')") as results:
        assert results() == [0]
        with faults.fault(tmp_path / "0" / "victim", Operation.STAT, number=errno.ENOSPC):
            assert results() == [errno.ENOSPC]
        assert results() == [0]


def test_faults_of_several_files_at_once(faults: Faults, tmp_path: Path) -> None:
    with program(faults, tmp_path, "os.stat('victim')", "os.stat('other')") as results:
        faults.begin("*/victim", Operation.STAT, number=errno.EIO)
        ended = faults.begin("*/other", Operation.STAT, number=errno.EPERM)
        assert results() == [errno.EIO, errno.EPERM]
        ended.end()
        assert results() == [errno.EIO, 0]
        faults.end_all()
        assert results() == [0, 0]

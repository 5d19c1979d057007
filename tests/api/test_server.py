"""The socket: private from the start, never taken from the living, and taken over from the dead."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin import __version__
from plugin.api.server import bind
from plugin.errors import SettingError
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import REPOSITORY, Server, plugin_environment

SIGNALLED_WHILE_THE_EVENT_LOOP_IS_MADE = """
import os, signal, sys
from asyncio.selector_events import BaseSelectorEventLoop

make = BaseSelectorEventLoop._make_self_pipe

def signalled(loop):
    os.kill(os.getpid(), signal.SIGTERM)
    make(loop)

BaseSelectorEventLoop._make_self_pipe = signalled
from plugin.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket is to be; its folder does not exist."""
    with short_folder() as folder:
        yield folder / "below" / "peavey.sock"


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def test_it_is_made_with_its_folder_and_listens(path: Path) -> None:
    with bind(path):
        assert connects(path)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_it_is_its_owners_alone_whatever_the_umask_which_stays(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with bind(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        assert os.umask(before) == mask


def test_what_a_dead_process_left_is_replaced(path: Path) -> None:
    bind(path).close()
    assert path.is_socket()
    assert not connects(path)
    with bind(path):
        assert connects(path)


def test_that_of_a_living_process_stays(path: Path) -> None:
    with bind(path):
        with pytest.raises(SettingError, match=f"^cannot listen on {path}: another process listens on it$"):
            bind(path)
        assert connects(path)


def test_one_of_another_kind_stays(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(SettingError, match=r"^cannot listen on .*: Protocol wrong type"):
            bind(path)
        assert path.is_socket()


def test_what_is_no_socket_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(SettingError, match="it exists and is not a socket"):
        bind(path)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(SettingError, match="it exists and is not a socket"):
        bind(path)


@pytest.mark.parametrize(
    ("name", "message"), [("x" * 200, "AF_UNIX path too long"), ("file/peavey.sock", "File exists|Not a directory")]
)
def test_a_place_that_cannot_be_is_told(path: Path, name: str, message: str) -> None:
    path.parent.mkdir()
    (path.parent / "file").touch()
    with pytest.raises(SettingError, match=f"^cannot listen on .*: ({message})"):
        bind(path.parent / name)


def test_a_signal_before_it_serves_ends_it_as_cleanly_as_a_later_one() -> None:
    with short_folder() as folder:
        server = Server(folder)
        arguments = server.command()[server.command().index("serve") :]
        done = subprocess.run(
            [sys.executable, "-c", SIGNALLED_WHILE_THE_EVENT_LOOP_IS_MADE, *arguments],
            cwd=REPOSITORY,
            env=plugin_environment({}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(f"peavey {__version__} stopped\n")
        assert "Traceback" not in done.stdout
        assert not server.socket.exists()

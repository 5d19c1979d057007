"""Folders, servers and engines that are gone when a test is over, however it ended."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.client import PluginClient
from tests.testbed.server import Server
from tests.testbed.standin import Engine


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a temporary folder whose path is short enough for a socket, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="peavey-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def tidy_server(server: Server) -> Iterator[Server]:
    """End a server afterwards, whatever happened, and look at its log: no stack trace is ever right."""
    try:
        yield server
    finally:
        server.cleanup()
        print(f"--- log of the server\n{server.log[-20_000:]}")
    assert "Traceback" not in server.log


@contextmanager
def dying_engine(folder: Path) -> Iterator[Engine]:
    """Make an engine for the server in a folder; it gives everything back at the end."""
    engine = Engine(PluginClient(folder / "peavey.sock"), folder / "logging")
    try:
        yield engine
    finally:
        engine.kill()

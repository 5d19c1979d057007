"""The driver as an unmanaged plugin: a process with its socket where every engine looks for one."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.folders import DataFolder
from tests.testbed.server import REPOSITORY, Server

PLUGINS = Path("/run/docker/plugins")
LOGGING = Path("/run/docker/logging")


@dataclass(frozen=True)
class Driver:
    """A server that engines on this machine know as `--log-driver NAME`, and its data folder."""

    name: str
    server: Server
    data: DataFolder


@contextmanager
def unmanaged_driver(
    environment: Mapping[str, str] | None = None,
    source: Path = REPOSITORY,
    make: Callable[[Path, Mapping[str, str] | None, Path], Server] = Server,
    below: str | None = None,
) -> Iterator[Driver]:
    """Start a driver under a name of its own, its data in a temporary folder; nothing remains of it afterwards.

    Needs root: the folder for plugin sockets belongs to it. `environment` holds further variables of the server,
    `source` is the folder in which its package lies, `make` makes the server, and `below` is where its data goes.
    """
    PLUGINS.mkdir(mode=0o700, parents=True, exist_ok=True)
    LOGGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"peavey-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="peavey-driver-", dir=below) as folder:
        server = make(Path(folder), environment, source)
        server.socket = PLUGINS / f"{name}.sock"
        server.logging_folder = LOGGING
        server.data = Path(folder, "data")
        driver = Driver(name, server, DataFolder(server.data))
        try:
            server.start()
            yield driver
        finally:
            server.cleanup()
            server.socket.unlink(missing_ok=True)
            for fifo in driver.data.attachments():
                (LOGGING / fifo).unlink(missing_ok=True)

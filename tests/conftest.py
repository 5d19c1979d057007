"""Fixtures for tests that drive a real server process with the stand-in engine."""

import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from plugin.config import files
from plugin.delivery import tail
from tests.testbed.folders import DataFolder
from tests.testbed.lifetimes import dying_engine, short_folder, tidy_server
from tests.testbed.server import Server
from tests.testbed.standin import Engine

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_sessionstart() -> None:
    """See to it that a run that is ended by SIGTERM, as by `timeout`, cleans up as one that is interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _file_access() -> Iterator[None]:
    """Undo what a command that is run in this process says of files that log-opts may name."""
    with files.restricted(files.access()):
        yield


@pytest.fixture(autouse=True)
def _undivided_turns() -> Iterator[None]:
    """Let a tail read on until there are records, however busy the machine is; tests of turns shorten them."""
    with pytest.MonkeyPatch.context() as patch:  # of its own: a test's is undone before its folders are removed
        patch.setattr(tail, "LONGEST_TURN", math.inf)
        yield


@pytest.fixture
def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether chaos was asked for, and this is not the everyday run."""
    return bool(request.config.option.markexpr == "chaos")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the server and its engine."""
    with short_folder() as path:
        yield path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """A running server of the test's own."""
    with tidy_server(Server(folder)) as server:
        server.start()
        yield server


@pytest.fixture
def idle_server(folder: Path) -> Iterator[Server]:
    """A server that the test itself starts, once it has changed the environment."""
    with tidy_server(Server(folder)) as server:
        yield server


@pytest.fixture
def data(folder: Path) -> DataFolder:
    """The data folder of the server."""
    return DataFolder(folder / "logging" / "peavey")


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    """The engine of the server."""
    with dying_engine(folder) as engine:
        yield engine


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    """A folder for all tests of a module."""
    with short_folder() as path:
        yield path


@pytest.fixture(scope="module")
def shared_server(shared_folder: Path) -> Iterator[Server]:
    """One running server for all tests of a module that leave it running and look at their own containers only."""
    with tidy_server(Server(shared_folder)) as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def shared_data(shared_folder: Path) -> DataFolder:
    """The data folder of the shared server."""
    return DataFolder(shared_folder / "logging" / "peavey")


@pytest.fixture(scope="module")
def shared_engine(shared_server: Server, shared_folder: Path) -> Iterator[Engine]:
    """The engine of the shared server."""
    assert shared_server.alive
    with dying_engine(shared_folder) as engine:
        yield engine

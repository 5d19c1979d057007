"""A pytest plugin (`-p tests.testbed.spread -n 3`) that spreads the tests over several processes with pytest-xdist.

What shares an expensive or a machine-wide thing stays in one process, in order: all tests under one real engine, and
the tests of one file. Those of the real engines wait most, so they begin first.
"""

import signal
from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager

REAL_ENGINES = ("tests/dockerd/managed", "tests/dockerd")
CLEANUP_SECONDS = 30
"""How long an interrupted run waits for its processes to clean up, before it kills them."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let xdist's interrupts reach its processes: those of a shell's background job ignore SIGINT from the start."""
    if hasattr(session.config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    NodeManager.EXIT_TIMEOUT = CLEANUP_SECONDS


def share(nodeid: str) -> str:
    """Name the share of a test: the folder of its real engine, else its file."""
    file = PurePosixPath(nodeid.partition("::")[0])
    return str(file.parent) if str(file.parent) in REAL_ENGINES else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Have xdist give each process one share after the other, in the order of the tests."""
    config.option.loadscopereorder = False
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = share
    return scheduling


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with real engines first, those of the managed plugin before the others."""
    places = {name: place for place, name in enumerate(REAL_ENGINES)}
    items.sort(key=lambda item: places.get(share(item.nodeid), len(places)))


def pytest_keyboard_interrupt() -> None:
    """Let the tests clean up: xdist interrupts its processes once more when that takes them longer than 5 seconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

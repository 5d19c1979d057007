"""Fixtures for tests under a real Docker engine, which the tests start themselves: one for all of them."""

import os
from collections.abc import Generator, Iterator

import pytest

from tests.testbed.containers import Containers
from tests.testbed.dockerd import PrivateEngine, missing_programs
from tests.testbed.images import busybox_image
from tests.testbed.unmanaged import Driver, unmanaged_driver

ENGINE_LOG = pytest.StashKey[PrivateEngine]()


def require(condition: object, reason: str) -> None:
    """Skip what cannot run on this machine; in CI that is a failure, because nothing may be left out there."""
    if not condition:
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="package")
def shared_dockerd(pytestconfig: pytest.Config) -> Iterator[PrivateEngine]:
    """The engine behind `dockerd`."""
    require(os.geteuid() == 0, "a Docker engine of our own needs root")
    missing = missing_programs()
    require(not missing, f"{', '.join(missing)} not found: python3 tests/testbed/host.py engine, as root on Debian")
    with PrivateEngine() as engine:
        pytestconfig.stash[ENGINE_LOG] = engine
        yield engine
        del pytestconfig.stash[ENGINE_LOG]


@pytest.fixture
def dockerd(shared_dockerd: PrivateEngine) -> PrivateEngine:
    """A running engine with live-restore, whatever the test before did to it."""
    if shared_dockerd.process is None:
        shared_dockerd.start()
    return shared_dockerd


@pytest.fixture(scope="package")
def shared_driver(shared_dockerd: PrivateEngine) -> Iterator[Driver]:
    """The driver behind `driver`."""
    assert shared_dockerd.process is not None
    with unmanaged_driver() as driver:
        yield driver
        driver.server.cleanup()
        print(f"--- log of the driver\n{driver.server.log[-20_000:]}")
        assert "Traceback" not in driver.server.log


@pytest.fixture
def driver(shared_driver: Driver) -> Driver:
    """A running unmanaged driver, whatever the test before did to it."""
    if not shared_driver.server.alive:
        shared_driver.server.start()
    return shared_driver


@pytest.fixture
def containers(dockerd: PrivateEngine, driver: Driver) -> Iterator[Containers]:
    """Containers that log to the driver; they are removed after the test."""
    made = Containers(dockerd.client, busybox_image(dockerd.client), driver.name)
    try:
        yield made
    finally:
        if dockerd.process is None:
            dockerd.start()
        if not driver.server.alive:
            driver.server.start()
        made.remove_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the engine's log with a failure."""
    report = yield
    engine = item.config.stash.get(ENGINE_LOG, None)
    if report.failed and engine is not None:
        report.sections.append(("dockerd's log ends", engine.log_tail()))
    return report

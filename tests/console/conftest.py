"""A server with the web page, its engine, and a real browser: one each for all tests of a module."""

import contextlib
import http.client
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.testbed.lifetimes import dying_engine, tidy_server
from tests.testbed.ports import HeldPort
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

CHROMIUM = "chromium"

expect.set_options(timeout=60_000)


@dataclass(frozen=True)
class Site:
    """The page's server: what it answers to plain requests."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; returns status, headers by lower-case name, and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON answer of the API."""
        query = urlencode(parameters, doseq=True)
        status, _, content = self.request("GET", f"{path}?{query}" if query else path)
        assert status == 200, content
        return json.loads(content)

    def is_up(self) -> bool:
        """Return whether the page's process answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/healthz")[0] == 200
        return False


@contextlib.contextmanager
def console_server(folder: Path, **settings: str) -> Iterator[tuple[Server, Site]]:
    """Run a server with the page on a port of its own."""
    with HeldPort() as port:
        environment = {"PEAVEY_CONSOLE": "true", "PEAVEY_HTTP": f"127.0.0.1:{port.number}", **settings}
        with tidy_server(Server(folder, environment)) as server:
            server.start()
            site = Site(port.number)
            wait_until(site.is_up, "the page answers")
            yield server, site


@pytest.fixture(scope="module")
def shared_console(shared_folder: Path) -> Iterator[tuple[Server, Site]]:
    """One server with the page for all tests of a module."""
    with console_server(shared_folder) as both:
        yield both


@pytest.fixture(scope="module")
def site(shared_console: tuple[Server, Site]) -> Site:
    """The page's server."""
    return shared_console[1]


@pytest.fixture(scope="module")
def site_engine(shared_console: tuple[Server, Site], shared_folder: Path) -> Iterator[Engine]:
    """The engine of the server with the page."""
    assert shared_console[0].alive
    with dying_engine(shared_folder) as engine:
        yield engine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; while it is open, an event loop runs in this thread, so it is for this module alone."""
    path = shutil.which(CHROMIUM)
    if path is None:
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        # The sandbox refuses to run as root; what is opened is our own page.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a test's own, on which nothing may go wrong unseen."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, timezone_id="UTC")
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert not faults

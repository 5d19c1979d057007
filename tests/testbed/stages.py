"""Where the demonstration plays: the Docker engine at hand, else a private one, else the stand-in."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from tests.testbed import host, standin
from tests.testbed.client import PluginClient
from tests.testbed.containers import Container, Containers
from tests.testbed.dockerd import Client, EngineError, PrivateEngine, answers, missing_programs
from tests.testbed.folders import DataFolder
from tests.testbed.images import busybox_image
from tests.testbed.server import Server
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver, unmanaged_driver

BURST = 1000
PAUSE = 0.015  # seconds between bursts, so that the printing lasts some seconds
PULL_SECONDS = 30.0
_NOT_FOUND = re.compile(r"plugin\b.*\bnot found", re.DOTALL)


class UnusableError(Exception):
    """An engine cannot be used here; the message says why."""


class Stage(Protocol):
    """An engine with a driver: it can run one container that prints numbered lines."""

    @property
    def description(self) -> str:
        """What the engine is, in one line."""

    @property
    def driver(self) -> Driver:
        """The running driver."""

    def start(self, lines: int) -> str:
        """Start the container that prints the numbers up to `lines`; return its id."""

    def wait(self) -> None:
        """Wait until it has printed all of them; raises EngineError when it failed."""

    def read_back(self) -> bytes:
        """What `docker logs` prints."""


class RealStage:
    """A Docker engine, whose log driver is an unmanaged plugin."""

    def __init__(self, description: str, containers: Containers, driver: Driver) -> None:
        self.description = description
        self.driver = driver
        self._containers = containers
        self._container: Container | None = None

    def start(self, lines: int) -> str:
        """Start the container."""
        self._container = self._containers.shell(
            f"n=0; while [ $n -lt {lines} ]; do "
            f"seq $((n + 1)) $((n + {BURST})); n=$((n + {BURST})); usleep {PAUSE * 1e6:.0f}; done"
        )
        return self._container.id

    def wait(self) -> None:
        """Wait for the container."""
        status = self._printing().wait()
        if status != 0:
            raise EngineError(f"the container failed: exit code {status}")

    def read_back(self) -> bytes:
        """Run `docker logs`."""
        return self._printing().logs()

    def _printing(self) -> Container:
        if self._container is None:
            raise EngineError("no container was started")
        return self._container


class StandInStage:
    """The stand-in for an engine: it speaks with the driver as an engine does, but runs no container."""

    description = "none; its stand-in from this project's tests speaks with the driver just as an engine would"

    def __init__(self, engine: standin.Engine, driver: Driver) -> None:
        self.driver = driver
        self._container = engine.create()
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._lines = 0
        self._error: BaseException | None = None

    def start(self, lines: int) -> str:
        """Start printing."""
        self._lines = lines
        self._container.start()
        self._printer.start()
        return self._container.id

    def wait(self) -> None:
        """Wait until all is printed."""
        self._printer.join()
        if self._error is not None:
            raise EngineError(f"printing failed: {self._error!r}") from self._error
        self._container.stop()

    def read_back(self) -> bytes:
        """Ask the driver for the logs."""
        return self._container.output()

    def _print(self) -> None:
        try:
            for first in range(1, self._lines + 1, BURST):
                self._container.print(numbered(min(first + BURST - 1, self._lines), first))
                time.sleep(PAUSE)
        except (OSError, standin.EngineGoneError, standin.ContainerHeldUpError) as error:
            self._error = error


@contextmanager
def best_stage() -> Iterator[Stage]:
    """Set up the best engine that works here, and a driver; prints what it does, and removes all afterwards."""
    with ExitStack() as stack:
        try:
            stage: Stage = stack.enter_context(_real_stage())
        except UnusableError as reason:
            print(f"No real engine: {reason}")
            stage = stack.enter_context(_stand_in_stage())
        yield stage


@contextmanager
def _real_stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        socket = engine_at_hand()
        if os.geteuid() != 0:
            raise UnusableError(
                "engines look for drivers in /run/docker/plugins, and only root may put one there (sudo make demo)"
            )
        if socket is not None:
            client = Client(f"unix://{socket}")
            image = stack.enter_context(_borrowed_busybox(client))
            kind = f"the one at {socket}"
        else:
            _install_engine()
            try:
                client = stack.enter_context(PrivateEngine()).client
                image = busybox_image(client)
            except EngineError as error:
                raise UnusableError(f"a private one does not start here: {_shortened(error)}") from error
            kind = "a private one, started for this demonstration"
        driver = stack.enter_context(unmanaged_driver())
        _try_out(client, image, driver.name)
        version = client.text("version", "--format={{.Server.Version}}")
        containers = Containers(client, image, driver.name)
        stack.callback(containers.remove_all)
        yield RealStage(f"Docker {version}, {kind}", containers, driver)


@contextmanager
def _stand_in_stage() -> Iterator[Stage]:
    with TemporaryDirectory(prefix="peavey-demo-") as name:
        folder = Path(name)
        server = Server(folder)
        engine = standin.Engine(PluginClient(server.socket), server.logging_folder)
        try:
            server.start()
            yield StandInStage(engine, Driver("peavey", server, DataFolder(server.data)))
        finally:
            server.cleanup()
            engine.kill()


def engine_at_hand() -> Path | None:
    """Find the socket of a running engine: DOCKER_HOST's where it is a Unix socket, else the usual one."""
    place = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    path = Path(place.removeprefix("unix://"))
    return path if place.startswith("unix://") and answers(path) and not _client_missing() else None


def _client_missing() -> bool:
    return "docker" in missing_programs()


def _install_engine() -> None:
    """See to it that the programs of an engine are installed; raises UnusableError where that cannot be."""
    if not host.NEEDS["engine"].present():
        if not host.is_installable():
            raise UnusableError("none is running, and only on Debian can one be installed here by itself")
        print("No Docker engine here: installing Debian's, which stays installed.")
    try:
        host.provide(["engine"])
    except SystemExit as error:
        raise UnusableError(f"none is running, and {error}") from error
    if missing := missing_programs():
        raise UnusableError(f"none is running, and {', '.join(missing)} cannot be installed")


@contextmanager
def _borrowed_busybox(client: Client) -> Iterator[str]:
    """Return the name of a busybox image: the engine's own, one that is pulled, or one made here; gone afterwards."""
    if client.run("image", "inspect", "busybox", check=False).returncode == 0:
        yield "busybox"
        return
    pulled = _pull(client, "busybox")
    image = "busybox" if pulled else _import_busybox(client)
    source = "from the registry" if pulled else "made of this machine's busybox"
    print(f"The engine had no busybox image; it now has one {source}, which is removed again.")
    try:
        yield image
    finally:
        client.run("image", "rm", "--force", image, check=False)


def _pull(client: Client, image: str) -> bool:
    with client.start("pull", "--quiet", image) as pulling:
        try:
            pulling.communicate(timeout=PULL_SECONDS)
        except subprocess.TimeoutExpired:
            pulling.kill()
        return pulling.wait() == 0


def _import_busybox(client: Client) -> str:
    try:
        return busybox_image(client)
    except EngineError as error:
        raise UnusableError(f"the one at hand has no busybox image, cannot pull one, and there is {error}") from error


def _shortened(error: EngineError) -> str:
    """Return the first line of a message, and of the log that follows it the last one, which names the cause."""
    first, *log = str(error).splitlines()
    return " ".join([first, *log[-1:]])


def _try_out(client: Client, image: str, driver: str) -> None:
    """Run a container without logs and one with the driver; raises UnusableError for what is the machine's fault.

    What is the driver's fault raises EngineError: another engine would only hide it.
    """
    run = ("run", "--rm", "--network=none")
    done = client.run(*run, "--log-driver=none", image, "true", check=False)
    if done.returncode != 0:
        raise UnusableError(f"the one here runs no containers: {done.stderr.decode(errors='replace').strip()}")
    try:
        client.run(*run, f"--log-driver={driver}", image, "true")
    except EngineError as error:
        if _NOT_FOUND.search(str(error)):
            raise UnusableError("the one here looks for drivers in another place than /run/docker/plugins") from error
        raise

"""The rig: a Docker engine of our own, the log drivers to compare on it, and the receivers that they send to."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from bench.discard import AT_ONCE_OPTION
from bench.machine import PACKAGE_FOLDER, REPOSITORY
from bench.processes import cpu_seconds
from bench.receiver import Receiver
from bench.work import count_marked
from tests.testbed.containers import Container, Containers
from tests.testbed.dockerd import EngineError, PrivateEngine
from tests.testbed.images import busybox_image
from tests.testbed.unmanaged import PLUGINS, Driver, unmanaged_driver
from tests.testbed.waiting import wait_until

JSON_FILE = "json-file"
LOCAL = "local"
CEILING = "discard"
AT_ONCE = "discard at once"
JOURNAL = "peavey"
TO_HTTP = "peavey → HTTP"
TO_LOKI = "peavey → Loki"

NO_ROTATION = {"max-size": "1g"}
"""For each driver that keeps files: one file, so that nothing is thrown away, and nothing compressed."""

_QUIET_CPU = 0.02
_QUIET_STEP = 0.25
_QUIET_WITHIN = 15.0


@dataclass(frozen=True)
class Subject:
    """A log driver with its options.

    `plugin` and `delivery` give the processes that work for it outside the engine; `kept` counts the marked lines of a
    container that it has kept, where it keeps any; `receiver` is where it sends to.
    """

    name: str
    driver: str
    options: Mapping[str, str] = field(default_factory=dict)
    receiver: Receiver | None = None
    plugin: Callable[[], Collection[int]] = tuple
    delivery: Callable[[], Collection[int]] = tuple
    kept: Callable[[Container], int] | None = None


@dataclass(frozen=True)
class Rig:
    """A running engine with everything that the subjects need."""

    engine: PrivateEngine
    subjects: tuple[Subject, ...]
    image: str

    def containers(self, subject: Subject) -> Containers:
        """Return a maker of containers that log with a subject."""
        return Containers(self.engine.client, self.image, subject.driver)

    def settle(self, subject: Subject) -> None:
        """Wait until the subject is done with what went on, and its files are on the disk: the next starts alone."""
        os.sync()
        pids = [self.engine.pid, *subject.plugin(), *subject.delivery()]
        deadline = time.monotonic() + _QUIET_WITHIN
        used = sum(map(cpu_seconds, pids))
        while time.monotonic() < deadline:
            time.sleep(_QUIET_STEP)
            before, used = used, sum(map(cpu_seconds, pids))
            if used - before <= _QUIET_CPU:
                return


@contextmanager
def all_drivers() -> Iterator[Rig]:
    """Set up every subject; nothing of it remains afterwards."""
    with ExitStack() as stack:
        engine = stack.enter_context(PrivateEngine(live_restore=False))
        # The journals of a benchmark are of no use once they were counted.
        forgetful = {"PEAVEY_KEEP_STOPPED": "10s"}
        alone = stack.enter_context(unmanaged_driver(forgetful, PACKAGE_FOLDER))
        delivering = stack.enter_context(unmanaged_driver(forgetful, PACKAGE_FOLDER))
        discarding, discarder = stack.enter_context(_discarding())
        plain, http, loki = (stack.enter_context(Receiver(kind)) for kind in ("plain", "http", "loki"))
        tcp = f"tcp://127.0.0.1:{plain.port}"
        subjects = (
            Subject("none", "none"),
            *(_keeping(engine, name) for name in (JSON_FILE, LOCAL)),
            Subject("syslog", "syslog", {"syslog-address": tcp}, plain),
            Subject("gelf", "gelf", {"gelf-address": tcp}, plain),
            Subject("fluentd", "fluentd", {"fluentd-address": f"127.0.0.1:{plain.port}"}, plain),
            Subject(CEILING, discarding, plugin=lambda: [discarder]),
            Subject(AT_ONCE, discarding, {AT_ONCE_OPTION: "true"}, plugin=lambda: [discarder]),
            _peavey(JOURNAL, alone),
            _peavey(TO_HTTP, delivering, http, {"http-url": f"http://127.0.0.1:{http.port}/"}),
            _peavey(TO_LOKI, delivering, loki, {"loki-url": f"http://127.0.0.1:{loki.port}"}),
        )
        rig = Rig(engine, subjects, busybox_image(engine.client))
        for subject in subjects:
            _warm_up(rig, subject)
        yield rig


@contextmanager
def readable_drivers() -> Iterator[Rig]:
    """Set up the subjects whose logs `docker logs` can read, and the ceiling; nothing of it remains afterwards."""
    with ExitStack() as stack:
        driver = stack.enter_context(unmanaged_driver(source=PACKAGE_FOLDER))
        discarding, discarder = stack.enter_context(_discarding())
        # The last, so that it is the first to end: without its plugins it would wait long for those of its containers.
        engine = stack.enter_context(PrivateEngine(live_restore=False))
        subjects = (
            *(_keeping(engine, name) for name in (JSON_FILE, LOCAL)),
            _peavey(JOURNAL, driver),
            Subject(CEILING, discarding, plugin=lambda: [discarder]),
        )
        yield Rig(engine, subjects, busybox_image(engine.client))


def _keeping(engine: PrivateEngine, driver: str) -> Subject:
    """Make the subject of a built-in driver that keeps files."""

    def kept(container: Container) -> int:
        folder = engine.data_root / "containers" / container.id
        files = {JSON_FILE: folder / f"{container.id}-json.log", LOCAL: folder / "local-logs/container.log"}
        return count_marked(files[driver])

    return Subject(driver, driver, NO_ROTATION, kept=kept)


def _peavey(
    name: str, driver: Driver, receiver: Receiver | None = None, options: Mapping[str, str] | None = None
) -> Subject:
    return Subject(
        name,
        driver.name,
        NO_ROTATION | dict(options or {}),
        receiver,
        plugin=lambda: [driver.server.pid],
        delivery=(lambda: driver.server.delivering) if receiver else tuple,
        kept=lambda container: sum(map(count_marked, driver.data.plain(container.id))),
    )


@contextmanager
def _discarding() -> Iterator[tuple[str, int]]:
    """Run the plugin that discards; return its name and its process."""
    PLUGINS.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"discard-{secrets.token_hex(4)}"
    socket = PLUGINS / f"{name}.sock"
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.discard", str(socket)], cwd=REPOSITORY, stdin=subprocess.DEVNULL
    )
    try:
        wait_until(socket.exists, "the plugin that discards listens")
        yield name, process.pid
    finally:
        process.terminate()
        process.wait()
        socket.unlink(missing_ok=True)


def _warm_up(rig: Rig, subject: Subject) -> None:
    """Let a subject print something before it is measured: connections are made, and delivery has started."""
    containers = rig.containers(subject)
    if containers.run("echo", options=subject.options).wait() != 0:
        raise EngineError(f"no container runs with {subject.name}")
    containers.remove_all()

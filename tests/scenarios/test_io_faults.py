"""Every kind of file answers with every kind of error for a while, under load: nobody else is touched, all recovers.

Each case has a container of its own, the victim; many more print meanwhile, and must lose nothing. All of a group's
faults are on at the same time.
"""

import errno
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from plugin.status.client import ask_status, read_status
from plugin.status.model import Status
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.testbed.client import PluginError
from tests.testbed.crowd import Crowd
from tests.testbed.faultfs.faults import Fault, Faults, Operation
from tests.testbed.lifetimes import dying_engine, short_folder, tidy_server
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import WireError

OTHERS = 20
BEFORE = numbered(200, "before", padding=1_250)
"""Nearly a whole segment, so that what is printed while a fault is on begins the next one."""
DURING, AGAIN = (numbered(200, label, padding=40) for label in ("during", "again"))
FEW = 3
OPTIONS = {"max-size": "8k", "max-file": "1000", "fsync-interval": "1s"}
"""The smallest segments there are, so that all that rotates, is compressed and synced is met while a fault is on."""

FULL = (errno.ENOSPC, errno.EDQUOT)
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
BROKEN = (errno.EIO, errno.EROFS, errno.EPERM, errno.EACCES, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
NUMBERS = (*BROKEN, *FULL, *PASSING, errno.EINTR)
INTERRUPTED = 20
"""How many calls are interrupted: Python repeats each until it is not."""

KINDS = {
    "segment": "/*.log*",
    "index": "/*.idx*",
    "info.json": "/*info.json*",
    "cursor": "/cursors*",
    "dead letters": "/dead*",
    "journal": "*",
    "attachment": "/streams*",
    "reserve": "/reserve*",
    "counters": "/grown*",
    "report": "/delivery*",
    "list of journals": "/containers",
    "disk": "*",
}
"""Patterns behind the path of a journal, or of the data folder. A temporary file has the name of what it becomes in its
own."""

FOUND = {
    "segment": "OPEN READ WRITE RENAME UNLINK FSYNC STAT",
    "index": "OPEN READ WRITE STAT",
    "info.json": "OPEN READ WRITE RENAME STAT",
    "cursor": "OPEN READ WRITE LIST STAT",
    "dead letters": "OPEN WRITE STAT LOCK",
    "journal": "OPEN READ WRITE RENAME UNLINK FSYNC STAT MKDIR LIST TRUNCATE",
}
"""The operations that Peavey uses on each kind of file of a journal while a container prints and starts again."""

SHARED = {
    "attachment": "OPEN WRITE RENAME UNLINK LIST READ",
    "reserve": "OPEN ALLOCATE STAT MKDIR",
    "counters": "OPEN READ WRITE",
    "report": "OPEN READ WRITE RENAME LIST MKDIR",
    "list of journals": "LIST STAT",
    "disk": "STATVFS",
}
"""The same for the files that concern all containers."""


@dataclass(frozen=True)
class Case:
    """An error that an operation on one kind of file gets."""

    kind: str
    operation: Operation
    number: int

    def __str__(self) -> str:
        return f"{errno.errorcode[self.number]} at {self.operation.name.lower()} of {self.kind}"

    def begin(self, faults: Faults, folder: Path) -> Fault:
        """Switch it on for the files of a folder."""
        times = INTERRUPTED if self.number == errno.EINTR else -1
        return faults.begin(f"{folder}{KINDS[self.kind]}", self.operation, number=self.number, times=times)

    @property
    def may_lose(self) -> bool:
        """Whether its container may lose lines, which are counted then."""
        return self.kind in ("segment", "journal") and self.number not in PASSING


def every_case() -> list[Case]:
    """List each kind of file with each operation on it and each error."""
    return [
        Case(kind, Operation[name], number)
        for kind, names in FOUND.items()
        for name in names.split()
        for number in NUMBERS
    ]


def some_cases() -> list[Case]:
    """List each kind of file with each operation on it, and two errors of it: one that lasts, and one that passes."""
    lasting, passing = itertools.cycle(BROKEN + FULL), itertools.cycle((*PASSING, errno.EINTR))
    return [
        Case(kind, Operation[name], number)
        for kind, names in FOUND.items()
        for name in names.split()
        for number in (next(lasting), next(passing))
    ]


@dataclass
class Victim:
    """A container whose journal has a fault of its own."""

    case: Case
    container: Container
    printed: list[bytes] = field(default_factory=list)

    def print(self, lines: Sequence[bytes]) -> None:
        """Print lines, if it runs: few of them where each is refused on its own."""
        if self.case.kind == "dead letters":
            lines = lines[:FEW]
        if self.container.fifo is not None:
            self.container.print(b"".join(lines))
            self.printed += lines

    def start_again(self) -> None:
        """Stop and start, as `docker restart` does; the start may be refused, if it is answered."""
        self.container.stop()
        self.start()

    def start(self) -> None:
        try:
            self.container.start()
        except PluginError as error:
            self.container.fifo = None
            print(f"{self.case}: not started: {error}")

    def read(self) -> list[bytes] | None:
        """What `docker logs` prints; ``None`` if it is answered with an error."""
        try:
            return [entry.line for entry in self.container.logs()]
        except (PluginError, WireError) as error:
            print(f"{self.case}: docker logs: {error!r}")
            return None

    def is_well(self) -> bool:
        """Print a line, and return whether `docker logs` shows it."""
        if self.container.fifo is None:
            self.start()
        self.print([b"probe %d\n" % len(self.printed)])
        found = self.read()
        return found is not None and found[-1:] == self.printed[-1:]


class Refusing(BaseHTTPRequestHandler):
    """A destination that refuses everything for good."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[dict[str, str]]:
    """The log-opts of a second sink, which buries everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield {"sink": "http,refused=http", "refused.http-url": url, "refused.batch-wait": "50ms"}
        server.shutdown()
        thread.join()


class Scene:
    """A server with a faulty file system, its engine, and a destination that takes all."""

    def __init__(self, server: Server, engine: Engine, faults: Faults, receiver: ReceiverProcess) -> None:
        self.server = server
        self.engine = engine
        self.faults = faults
        self.receiver = receiver
        self._arrived: dict[str, dict[bytes, None]] = {}
        self._seen = 0

    def arrived(self, container: Container, last: bytes) -> dict[bytes, None]:
        """Wait for a container's last line; returns those that have arrived, in their first order."""
        lines = self._arrived.setdefault(container.name, {})

        def look() -> bool:
            received = self.receiver.received
            for one in received[self._seen :]:
                if one.source == "stdout":
                    self._arrived.setdefault(one.container, {})[one.line] = None
            self._seen = len(received)
            return last in lines

        wait_until(look, f"{last!r} of {container.name} arrives")
        return lines

    @property
    def status(self) -> Status:
        return read_status(ask_status(self.server.socket))

    def crowd(self) -> Crowd:
        """Make containers that print meanwhile."""
        return Crowd(self.engine, OTHERS, self.receiver.options)

    def victim(self, case: Case, options: dict[str, str]) -> Victim:
        """Have a container print."""
        victim = Victim(case, self.engine.run(self.receiver.options | OPTIONS | options))
        victim.print(BEFORE)
        return victim

    def begin(self, victim: Victim) -> Fault:
        """Begin the fault of a journal."""
        return victim.case.begin(self.faults, self.server.data / "containers" / victim.container.id)

    def all_is_answered(self) -> None:
        assert self.server.alive
        status = self.status
        assert status.delivery.alive == status.delivery.wanted == 1

    def all_is_well_again(self, victims: list[Victim]) -> None:
        """End all faults, and wait until each victim's log is kept and read again."""
        self.faults.end_all()
        ill = list(victims)

        def are_well() -> bool:
            ill[:] = [victim for victim in ill if not victim.is_well()]
            if ill:
                time.sleep(0.3)
            return not ill

        try:
            wait_until(are_well, "every victim is well again", 60)
        finally:
            print("not well:", [str(victim.case) for victim in ill])

    def nothing_is_missing(self, others: Crowd) -> None:
        """Stop the others; all that they printed is kept, and arrives at least once, in its order."""
        for container, lines in others.finish():
            assert [entry.line for entry in container.logs()] == lines
            expected = plain(lines)
            assert list(self.arrived(container, expected[-1])) == expected

    def all_is_accounted_for(self, victim: Victim) -> None:
        """What a victim printed is kept in its order, or counted as dropped; what is kept arrives, some of it twice."""
        kept = victim.read()
        assert kept is not None
        assert is_within(kept, victim.printed)
        dropped = len(victim.printed) - len(kept)
        assert dropped == 0 or victim.case.may_lose
        assert [one.dropped_lines for one in self.status.containers if one.id == victim.container.id] == [dropped]
        name = victim.container.name
        if dropped:
            assert f"container {name} ({victim.container.id[:12]}): cannot write the journal" in self.server.log
        arrived = self.arrived(victim.container, plain(victim.printed)[-1])
        assert list(arrived) == plain(kept)


def is_within(part: list[bytes], whole: list[bytes]) -> bool:
    remaining = iter(whole)
    return all(line in remaining for line in part)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with short_folder() as folder, Receivers(folder) as receivers:
        faults = Faults(folder)
        with tidy_server(Server(folder, faults.environment)) as server:
            server.start()
            with dying_engine(folder) as engine:
                yield Scene(server, engine, faults, receivers.up("http"))


@pytest.fixture(autouse=True)
def no_fault_stays(scene: Scene) -> Iterator[None]:
    yield
    scene.faults.end_all()


def suffer(scene: Scene, refusing: dict[str, str], cases: list[Case]) -> None:
    """Have a container for each case print, start again and print while its journal is at fault."""
    with scene.crowd() as others, ThreadPoolExecutor(8) as pool:
        victims = [scene.victim(case, refusing if case.kind == "dead letters" else {}) for case in cases]
        for victim in victims:
            scene.arrived(victim.container, plain(victim.printed)[-1])
        faults = [scene.begin(victim) for victim in victims]
        list(pool.map(lambda victim: victim.print(DURING), victims))
        scene.all_is_answered()
        list(pool.map(Victim.read, victims))
        list(pool.map(Victim.start_again, victims))
        list(pool.map(lambda victim: victim.print(AGAIN), victims))
        others.wait_for(20)
        are_met(cases, faults)
        scene.all_is_answered()
        scene.all_is_well_again(victims)
        others.wait_for(20)
        for victim in victims:
            scene.all_is_accounted_for(victim)
        scene.nothing_is_missing(others)


def are_met(cases: Sequence[Case], faults: Sequence[Fault]) -> None:
    """Wait until the server has met every fault: one that it never meets tests nothing."""

    def unmet() -> list[str]:
        return [str(case) for case, fault in zip(cases, faults, strict=True) if not fault.hits]

    try:
        wait_until(lambda: not unmet(), "every fault has been met")
    finally:
        print("never met:", unmet())


def test_a_journal_with_a_fault(scene: Scene, refusing: dict[str, str]) -> None:
    suffer(scene, refusing, some_cases())


@pytest.mark.chaos
def test_a_journal_with_any_fault(scene: Scene, refusing: dict[str, str], is_long: bool) -> None:
    cases = every_case()
    random.Random(1).shuffle(cases)  # noqa: S311 (no secret)
    for first in range(0, len(cases) if is_long else 8, 64):
        suffer(scene, refusing, cases[first : first + (64 if is_long else 8)])


def rounds(*, every: bool) -> list[list[Case]]:
    """List what is at fault at the same time: one operation of each kind of file that concerns all."""
    lasting, passing = itertools.cycle(BROKEN + FULL), itertools.cycle((*PASSING, errno.EINTR))
    return [
        [Case(kind, Operation[name], next(errors)) for kind, name in zip(SHARED, names, strict=True) if name]
        for names in itertools.zip_longest(*(names.split() for names in SHARED.values()))
        for errors in (lasting, passing) * (7 if every else 1)
    ]


def test_a_fault_of_what_all_share(scene: Scene, is_long: bool) -> None:
    with scene.crowd() as others:
        for number, cases in enumerate(rounds(every=is_long)):
            print(*cases, sep="; ")
            for case in cases:
                case.begin(scene.faults, scene.server.data)
            if number in (0, 1):  # more often, and it would be started again after a longer and longer while
                scene.server.kill_delivery()
            victim = scene.victim(cases[0], {})
            others.wait_for(10)
            victim.start_again()
            victim.print(AGAIN)
            victim.read()
            wait_until(lambda: scene.status.delivery.alive, "delivery runs")
            scene.all_is_well_again([victim])
            assert victim.read() == victim.printed
            assert scene.server.alive
        scene.nothing_is_missing(others)

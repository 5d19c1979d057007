"""Every sink, driven by delivery itself: a journal on one side, a receiver that fails in every way on the other."""

import asyncio
import base64
import contextlib
import importlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.config.options import validate
from plugin.delivery.dead_letters import dead_letters_path, read_letter
from plugin.delivery.destination import Destination
from plugin.delivery.destination_key import DeliverySettings
from plugin.delivery.origin import make_origin
from plugin.delivery.report import SinkStatus
from plugin.delivery.tail import Tail
from plugin.docker.frames import Entry as Frame
from plugin.docker.frames import PartialMetadata
from plugin.journal.cursors.store import Cursor, read_cursor
from plugin.journal.seeking import journal_end
from plugin.sinks.registry import make_sink, schema
from tests.delivery.conftest import Journal
from tests.sinks.conformance import SECRET, Entry, Network
from tests.sinks.factories import INFO, TIME
from tests.sinks.receiving.received import Received, joined, without_repeats
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.standin import Copier
from tests.testbed.waiting import wait_until

ENTRIES: tuple[Entry, ...] = tuple(
    entry
    for file in sorted(Path(__file__).parent.glob("*/conformance.py"))
    for entry in importlib.import_module(f"tests.sinks.{file.parent.name}.conformance").ENTRIES
)
QUICK = DeliverySettings(batch_wait=0.01, batch_size=100_000, retry_min=0.005, retry_max=0.05)
SMALL = replace(QUICK, batch_size=4_000)
LINES_OF_SMALL = (4_000 + 4_096) // 36 + 1
PATIENCE = "2m"
"""How long sinks wait for an answer where that is not what is tested: a machine may be very busy."""


class Printing:
    """A container's journal, and what was written to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.journal = Journal(folder)
        self.printed: list[Frame] = []
        self._time = TIME

    def print(self, output: bytes, source: str = "stdout") -> None:
        """Print whole lines, which the engine cuts into parts where they are long."""
        for entry in Copier(source).feed(output):
            part = entry.part
            if part is None or part.ordinal == 1:
                self._time += 1_234_567
            metadata = None if part is None else PartialMetadata(part.last, part.id, part.ordinal)
            self.journal.write(Frame(source, self._time, entry.line, partial=entry.partial, metadata=metadata))
        for line in output.split(b"\n")[:-1]:
            self.printed.append(Frame(source, 0, line))

    def count(self, lines: int) -> None:
        """Print further lines with numbers."""
        first = len(self.printed)
        self.print(b"".join(b"line %06d\n" % number for number in range(first, first + lines)))


class DestinationHarness:
    """One destination of the sink under test, and containers that it delivers."""

    def __init__(self, entry: Entry, place: Any, folder: Path, options: Mapping[str, str], at: Any = None) -> None:
        self.entry = entry
        self.place = place
        self._folder = folder
        (self.choice,) = validate({**entry.options(at or place), **options}, schema=schema()).sinks
        folder.mkdir(exist_ok=True)
        self.containers: list[Printing] = []
        self.network: Network | None = None
        self._runner = asyncio.Runner()
        self._task: asyncio.Task[None] | None = None
        self.destination = Destination(self.choice.instance, make_sink(self.choice), QUICK)

    def container(self, name: str = "web") -> Printing:
        """Begin a container."""
        identifier = f"{len(self.containers):04x}" * 16  # short ids differ, too
        printing = Printing(self._folder / identifier, name)
        self.containers.append(printing)
        self._add(printing)
        return printing

    def renew(self, settings: DeliverySettings = QUICK) -> Destination:
        """Begin anew, as delivery does after it was killed: what is known is what the cursors say."""
        self._runner.run(self._end())
        self._runner.close()
        self._runner = asyncio.Runner()
        self.destination = Destination(self.choice.instance, make_sink(self.choice), settings)
        for container in self.containers:
            self._add(container)
        return self.destination

    def _add(self, printing: Printing) -> None:
        folder = printing.journal.folder
        info = msgspec.structs.replace(INFO, container_id=folder.name, container_name=f"/{printing.name}")
        cursor = read_cursor(folder, self.choice.instance) or Cursor(offset=0, resume=0)
        sink = self.destination.sink
        self.destination.add(
            Tail(folder, self.choice.instance, sink, sink.prepare(make_origin(info, self.choice, TIME)), cursor)
        )

    def deliver(self, until: Callable[[], object] | None = None) -> None:
        """Let the destination run until something is so, at first until every journal is at its end."""
        self._runner.run(self._watch(until or self.is_done))

    def is_done(self) -> bool:
        """Whether all is acknowledged or buried."""
        return all(tail.cursor.offset >= journal_end(tail.folder) for tail in self.destination.tails.values())

    def close(self) -> None:
        """End the destination, wherever it is."""
        self._runner.run(self._end())
        self._runner.close()
        for container in self.containers:
            container.journal.close()

    async def _watch(self, until: Callable[[], object]) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self.destination.run())
        async with asyncio.timeout(120):
            while not until():
                assert not self._task.done()
                for tail in self.destination.tails.values():
                    if tail.has_news():
                        self.destination.announce(tail)
                await asyncio.sleep(0.002)

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.destination.sink.close()

    def wait_for(self, count: int) -> list[Received]:
        """Wait for what protocols without answers may bring after they have acknowledged it."""
        wait_until(lambda: len(self.place.received) >= count, f"{count} records arrive")
        return list(self.place.received)

    def check(self, but: bytes | None = None, *, repeats: bool = False) -> None:
        """Compare what arrived with what was printed, by container and source, but for one line."""
        expected = {
            (container.name, source): [
                expressed
                for frame in container.printed
                if self._source_of(frame) == source and frame.line != but
                if (expressed := self.entry.express(frame.line)) is not None
            ]
            for container in self.containers
            for source in ("stdout", "stderr")
        }
        repeats = repeats and not self.entry.exactly_once
        if repeats:
            wanted = {(*key, line) for key, lines in expected.items() for line in lines}
            wait_until(
                lambda: wanted <= {(r.container, r.source, r.line) for r in self.place.received}, "all lines arrive"
            )
        else:
            self.wait_for(sum(map(len, expected.values())))
        arrived = joined(self.place.received)
        for (container, source), lines in expected.items():
            got = [r.line for r in arrived if (r.container, r.source) == (container, source)]
            assert (without_repeats(got).lines if repeats else got) == lines

    def _source_of(self, frame: Frame) -> str:
        return frame.source if self.entry.has_sources else "stdout"

    def mark(self) -> int:
        """Mark the present, once all that was sent has arrived."""
        if isinstance(self.place, Receiver):
            return self.place.settle()
        (tail,) = self.destination.tails.values()
        wait_until(lambda: len({r.line for r in self.place.received}) >= tail.cursor.records, "what was sent arrives")
        return len(self.place.received)

    def arrived_since(self, mark: int) -> list[Received]:
        """Return what has arrived since then, over new connections where there are any."""
        arrived: list[Received] = self.place.received
        if isinstance(self.place, Receiver):
            return [record for record in arrived if record.connection > mark]
        return arrived[mark:]


def after(seconds: float) -> Callable[[], bool]:
    """Return a condition that holds some time from now on."""
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() > moment


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> Entry:
    """The sink under test."""
    chosen: Entry = request.param
    return chosen


@pytest.fixture
def make_harness(entry: Entry, tmp_path: Path) -> Iterator[Callable[..., DestinationHarness]]:
    """Makes a harness, and closes its journals."""
    made: list[DestinationHarness] = []
    with entry.place(tmp_path) as place, contextlib.ExitStack() as stack:

        def make(*, secret: bool = False, patience: str = "", cuts: bool = False) -> DestinationHarness:
            secrets = entry.secret_options(place) if secret and entry.secret_options else {}
            waits = {entry.patience: patience or PATIENCE} if entry.patience else {}
            network = stack.enter_context(Network(place)) if cuts else None
            at = network.at if network else place
            made.append(DestinationHarness(entry, place, tmp_path / "containers", {**secrets, **waits}, at))
            made[-1].network = network
            return made[-1]

        yield make
        for harness in made:
            harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., DestinationHarness]) -> DestinationHarness:
    """One harness."""
    return make_harness()


every_sink = pytest.mark.parametrize("entry", ENTRIES, ids=str, indirect=True)


def whose_receiver_can(fault: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "entry", [entry for entry in ENTRIES if fault in entry.faults], ids=str, indirect=True
    )


def test_every_sink_is_listed() -> None:
    chosen = {
        "amqp",
        "awslogs",
        "clickhouse",
        "elasticsearch",
        "loki",
        "gcplogs",
        "http",
        "journald",
        "splunk",
        "fluentd",
        "syslog",
        "gelf",
        "json-file",
        "kafka",
        "nats",
        "otlp",
        "redis",
        "s3",
    }
    assert {sink.name for sink in schema().sinks} >= chosen
    assert {entry.name.partition(" ")[0] for entry in ENTRIES} == {sink.name for sink in schema().sinks}


@every_sink
def test_all_lines_arrive_once_in_order(harness: DestinationHarness) -> None:
    web = harness.container()
    web.count(3_000)
    harness.deliver()
    web.count(500)
    harness.deliver()
    harness.check()


@every_sink
def test_lines_of_any_bytes(harness: DestinationHarness) -> None:
    web = harness.container()
    every_byte = bytes(byte for byte in range(256) if byte != ord("\n"))
    for line in (
        b"first",
        b"",
        every_byte,
        "žluťoučký kůň 🐎".encode(),
        b"\xff\xfe\xe2\x82",
        b"",
        b'{"a":"\\"}',
        b"last",
    ):
        web.print(line + b"\n")
        web.print(line + b"\n", "stderr")
    harness.deliver()
    harness.check()


@every_sink
def test_lines_longer_than_the_engine_leaves_whole(harness: DestinationHarness) -> None:
    web = harness.container()
    for size in (16_383, 16_384, 16_385, 40_000, 100_000):
        web.print(b"before\n")
        web.print(b"%d " % size + b"x" * (size - 6) + b"\n")
    for shift in range(4):  # wherever in a character it cuts
        web.print(b"x" * shift + "😀".encode() * 10_000 + b"\n")
    web.print(b"after\n", "stderr")
    harness.deliver()
    harness.check()


@every_sink
def test_times_are_those_of_the_lines(harness: DestinationHarness) -> None:
    web = harness.container()
    moments = [TIME + 1_234_567 * (number + 1) for number in range(50)]
    web.count(50)
    harness.deliver()
    times = [received.time for received in harness.wait_for(50)]
    resolution = harness.entry.resolution
    assert times == [moment // resolution * resolution for moment in moments]


@every_sink
def test_several_containers(harness: DestinationHarness) -> None:
    containers = [harness.container(f"web{number}") for number in range(20)]
    for _ in range(3):
        for container in containers:
            container.count(50)
        harness.deliver()
    harness.check()


@whose_receiver_can("down")
def test_down_at_the_start(harness: DestinationHarness) -> None:
    harness.place.stop()
    web = harness.container()
    web.count(1_000)
    harness.deliver(lambda: harness.destination.state.retries >= 3)
    assert harness.destination.state.failing_since
    assert harness.destination.state.records == 0

    harness.place.start()
    harness.deliver()
    assert harness.destination.state.failing_since == 0
    harness.check()


@whose_receiver_can("down")
def test_down_in_mid_stream_for_longer_than_a_batch(harness: DestinationHarness) -> None:
    harness.renew(SMALL)
    web = harness.container()
    web.count(500)
    harness.deliver()
    for _ in range(3):
        web.count(500)
        harness.deliver(lambda: harness.destination.state.records % 500)
        harness.place.stop()
        retries = harness.destination.state.retries
        web.count(500)
        harness.deliver(lambda retries=retries: harness.destination.state.retries >= retries + 2)  # type: ignore[misc]
        harness.place.start()
        harness.deliver()
    harness.check(repeats=True)


@whose_receiver_can("slow")
def test_slow(harness: DestinationHarness) -> None:
    harness.place.delay = 0.02
    harness.renew(SMALL)
    web = harness.container()
    web.count(500)
    harness.deliver()
    harness.check()


@whose_receiver_can("frozen")
def test_frozen_for_a_while(make_harness: Callable[..., DestinationHarness]) -> None:
    harness = make_harness(patience="1s")
    web = harness.container()
    web.count(200)
    harness.deliver()
    harness.place.freeze()
    web.count(20_000)
    if "silent" in harness.entry.faults:
        harness.deliver(lambda: harness.destination.state.retries >= 1)
        assert harness.destination.state.records == 200
    else:
        harness.deliver(after(0.5))
    harness.place.thaw()
    harness.deliver()
    harness.check(repeats=True)


@whose_receiver_can("breaks")
def test_broken_off_in_the_middle_of_an_answer(harness: DestinationHarness) -> None:
    harness.renew(SMALL)
    web = harness.container()
    harness.place.breaks = 3
    web.count(1_000)
    harness.deliver()
    assert harness.place.breaks == 0
    harness.check(repeats=True)


@whose_receiver_can("cuts")
def test_a_network_that_is_cut_in_mid_batch_before_an_answer_and_for_a_while(
    make_harness: Callable[..., DestinationHarness],
) -> None:
    harness = make_harness(patience="1s", cuts=True)
    network = harness.network
    assert network is not None
    harness.renew(SMALL)
    web = harness.container()
    web.count(200)
    harness.deliver()
    cuts: list[dict[str, bool]] = [{}, {"answer": True}, {"reset": False}]
    for cut in cuts:
        retries = harness.destination.state.retries
        network.cut(1_000, **cut)
        web.count(500)
        harness.deliver(lambda: network.is_cut)
        if "reset" in cut:
            harness.deliver(lambda retries=retries: harness.destination.state.retries > retries)  # type: ignore[misc]
        network.mend()
        harness.deliver()
    harness.check(repeats=True)
    assert len(harness.place.received) - len(web.printed) <= 2 * len(cuts) * LINES_OF_SMALL


@pytest.mark.parametrize("status", [429, 500, 503, 401, 404])
@whose_receiver_can("statuses")
def test_answers_that_are_no_yes(harness: DestinationHarness, status: int) -> None:
    harness.place.answers.extend([status] * 3)
    web = harness.container()
    web.count(1_000)
    harness.deliver(lambda: not harness.place.answers)
    assert harness.destination.state.misconfigured == (status in (401, 404))
    assert str(status) in harness.destination.state.last_error
    harness.deliver()
    assert not harness.destination.state.misconfigured
    harness.check()


@whose_receiver_can("refuses")
def test_one_record_that_is_refused_for_good(harness: DestinationHarness) -> None:
    refused = harness.entry.refused_line
    if hasattr(harness.place, "refused"):
        harness.place.refused = refused
    web, other = harness.container(), harness.container("other")
    web.count(100)
    web.print(refused + b"\n")
    web.count(100)
    other.count(150)
    harness.deliver()
    harness.check(but=refused)

    letters = dead_letters_path(web.journal.folder, harness.choice.instance).read_bytes().splitlines()
    (letter,) = map(read_letter, letters)
    assert letter is not None
    assert letter.content == refused
    assert letter.reason
    assert harness.destination.state.dead == 1


@every_sink
def test_delivery_that_is_killed_repeats_no_more_than_was_in_flight(harness: DestinationHarness) -> None:
    web = harness.container()
    lives = []
    for _ in range(6):
        web.count(1_000)
        destination = harness.renew(SMALL)
        (tail,) = destination.tails.values()
        lives.append((tail.cursor.records, harness.mark(), len(harness.place.received)))
        harness.deliver(lambda destination=destination: destination.state.batches >= 2)  # type: ignore[misc]
    harness.renew()
    harness.deliver()
    harness.check(repeats=True)

    for delivered, mark, arrived in lives:
        first = harness.arrived_since(mark)[0]
        new = arrived if harness.entry.exactly_once else delivered
        assert first.line == b"line %06d" % new, "a new life begins where the one before was acknowledged"


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.secret_options], ids=str, indirect=True)
def test_no_secret_shows(
    make_harness: Callable[..., DestinationHarness], entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    harness = make_harness(secret=True)
    harness.container().count(10)
    told = [repr(harness.choice), str(harness.choice), repr(harness.destination.sink), repr(harness.destination)]
    told.append(harness.choice.options.destination)
    assert told[-1], "the log has to name where it goes"

    def fails(until: Callable[[], object]) -> None:
        harness.deliver(until)
        state = harness.destination.state
        told.extend(
            (state.last_error, repr(state), msgspec.json.encode(SinkStatus.of("x", harness.destination)).decode())
        )

    if "statuses" in entry.faults:
        harness.place.echo = True
        for status in (401, 500, 503):
            harness.place.answers.extend([status] * 2)
            fails(lambda: not harness.place.answers)
    harness.place.stop()
    retries = harness.destination.state.retries
    fails(lambda: harness.destination.state.retries >= retries + 2)

    told.append(caplog.text)
    hidden = (SECRET, base64.b64encode(f"user:{SECRET}".encode()).decode())
    assert "failing" in "".join(told)
    assert not [text for text in told for secret in hidden if secret in text]

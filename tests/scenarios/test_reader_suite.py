"""moby's own suite for log readers (``daemon/logger/loggertest/logreader.go``), through the plugin's protocol.

Two things differ on purpose. Peavey joins the parts of a line, so the seven messages of the suite are six lines. And
the engine's adapter filters by time once more, so what the plugin sends and what ``docker logs`` shows are looked at
apart.
"""

import threading
import time
from collections.abc import Iterable

import pytest

from tests.testbed.standin import ALL, Container, Engine, ReadConfig
from tests.testbed.wire import LogEntry, Part

MINUTE = 60 * 1_000_000_000
MILLISECOND = 1_000_000
FAR_FUTURE = 4_118_000_000_000_000_000

Line = tuple[str, int, bytes]


def make_messages() -> list[LogEntry]:
    """The suite's messages, as the engine writes them."""
    now = time.time_ns()
    return [
        LogEntry("stdout", now - 30 * MINUTE, b"a message"),
        LogEntry("stdout", now - 20 * MINUTE, b"another message", partial=True, part=Part("aaaaaaaa", 1, last=True)),
        LogEntry("stderr", now - 15 * MINUTE, b"to be...", partial=True, part=Part("bbbbbbbb", 1, last=False)),
        LogEntry("stderr", now - 15 * MINUTE, b"continued", partial=True, part=Part("bbbbbbbb", 2, last=True)),
        LogEntry("stderr", now - 10 * MINUTE, b"a really long message " + b"a" * 4096),
        LogEntry("stderr", now - 10 * MINUTE, b"just one more message"),
        LogEntry("stdout", now - 90 * MINUTE, b"someone adjusted the clock"),
    ]


def lines_of(messages: Iterable[LogEntry]) -> list[Line]:
    """The lines that must be read back for messages that were logged."""
    lines: list[Line] = []
    held = b""
    for message in messages:
        held += message.line
        if message.part is None or message.part.last:
            lines.append((message.source, message.time_nano, held + b"\n"))
            held = b""
    return lines


def read(entries: Iterable[LogEntry]) -> list[Line]:
    """What was read, reduced to what the engine looks at."""
    return [(entry.source, entry.time_nano, entry.line) for entry in entries]


def log_all(container: Container, messages: Iterable[LogEntry]) -> None:
    for message in messages:
        container.log(message)


class TestTail:
    """Reading without following, while the container runs and after it stopped."""

    @pytest.fixture(params=["live", "stopped"])
    def container(self, shared_engine: Engine, request: pytest.FixtureRequest) -> Container:
        container = shared_engine.run()
        self.messages = make_messages()
        self.lines = lines_of(self.messages)
        log_all(container, self.messages)
        if request.param == "stopped":
            container.stop()
        return container

    def test_exactly_what_there_is(self, container: Container) -> None:
        assert read(container.entries(tail=len(self.lines))) == self.lines

    def test_less_than_there_is(self, container: Container) -> None:
        assert read(container.entries(tail=2)) == self.lines[-2:]

    def test_more_than_there_is(self, container: Container) -> None:
        assert read(container.entries(tail=100)) == self.lines

    def test_none(self, container: Container) -> None:
        assert read(container.entries(tail=0)) == []

    @pytest.mark.parametrize("tail", [ALL, -2, -(2**31)])
    def test_all(self, container: Container, tail: int) -> None:
        assert read(container.entries(tail=tail)) == self.lines

    @pytest.mark.parametrize("tail", range(7))
    def test_any_number_of_lines(self, container: Container, tail: int) -> None:
        assert read(container.entries(tail=tail)) == self.lines[len(self.lines) - min(tail, len(self.lines)) :]

    def test_since_skips_only_leading_lines(self, container: Container) -> None:
        since = self.messages[1].time_nano
        assert read(container.entries(since=since)) == self.lines[1:]

    def test_the_engine_itself_drops_later_lines_that_are_older(self, container: Container) -> None:
        since = self.messages[1].time_nano
        assert read(container.logs(since=since)) == self.lines[1:5]

    def test_more_than_since(self, container: Container) -> None:
        since = self.messages[1].time_nano
        assert read(container.entries(tail=len(self.lines), since=since)) == self.lines[1:]

    def test_less_than_since(self, container: Container) -> None:
        since = self.messages[1].time_nano
        assert read(container.entries(tail=len(self.lines) - 2, since=since)) == self.lines[2:]

    def test_since_a_nanosecond_after_a_line_leaves_it_out(self, container: Container) -> None:
        since = self.messages[1].time_nano + 1
        assert read(container.entries(since=since)) == self.lines[2:]

    def test_until_ends_at_the_first_later_line(self, container: Container) -> None:
        until = self.messages[2].time_nano - MILLISECOND
        assert read(container.entries(until=until)) == self.lines[:2]

    def test_until_includes_its_instant(self, container: Container) -> None:
        until = self.messages[1].time_nano
        assert read(container.entries(until=until)) == self.lines[:2]
        assert read(container.entries(until=until - 1)) == self.lines[:1]

    def test_since_and_until(self, container: Container) -> None:
        moment = self.messages[1].time_nano
        assert read(container.entries(since=moment, until=moment + MILLISECOND)) == self.lines[1:2]

    def test_tail_is_chosen_before_until(self, container: Container) -> None:
        until = self.messages[1].time_nano
        assert read(container.entries(tail=2, until=until)) == []

    def test_since_the_future(self, container: Container) -> None:
        assert read(container.entries(since=FAR_FUTURE)) == []

    def test_until_the_distant_past(self, container: Container) -> None:
        assert read(container.entries(until=1)) == []


@pytest.mark.parametrize("state", ["live", "stopped", "never started"])
@pytest.mark.parametrize(
    "config",
    [
        ReadConfig(tail=0),
        ReadConfig(),
        ReadConfig(tail=42),
        ReadConfig(since=1_000_000_000),
        ReadConfig(until=FAR_FUTURE),
        ReadConfig(since=1_000_000_000, until=FAR_FUTURE),
    ],
)
def test_an_empty_log_reads_as_empty(shared_engine: Engine, state: str, config: ReadConfig) -> None:
    container = shared_engine.create()
    if state != "never started":
        container.start()
    if state == "stopped":
        container.stop()

    with container.reading(config) as reader:
        assert reader.rest() == []


class TestFollow:
    """Following until the container stops."""

    @pytest.mark.parametrize("tail", [-1, 0, 1, 42])
    def test_from_an_empty_log(self, shared_engine: Engine, tail: int) -> None:
        container = shared_engine.run()
        messages = make_messages()
        reader = container.follow(tail=tail)

        log_all(container, messages)
        container.stop()

        assert read(reader.rest()) == lines_of(messages)

    def test_beginning_in_mid_stream(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:1])
        reader = container.follow()

        log_all(container, messages[1:])
        container.stop()

        assert read(reader.rest()) == lines_of(messages)

    def test_beginning_between_the_parts_of_a_line(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:3])
        reader = container.follow()

        log_all(container, messages[3:])
        container.stop()

        assert read(reader.rest()) == lines_of(messages)

    def test_since(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        reader = container.follow(since=messages[2].time_nano)

        log_all(container, messages)
        container.stop()

        assert read(reader.rest()) == lines_of(messages)[2:]

    def test_until_ends_before_the_container_does(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        reader = container.follow(until=messages[2].time_nano - MILLISECOND)

        log_all(container, messages)

        assert read(reader.rest()) == lines_of(messages)[:2]
        container.stop()

    def test_since_and_until(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        reader = container.follow(since=messages[1].time_nano - MILLISECOND, until=messages[2].time_nano - MILLISECOND)

        log_all(container, messages)

        assert read(reader.rest()) == lines_of(messages)[1:2]
        container.stop()

    def test_no_line_of_the_past(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:2])
        reader = container.follow(tail=0)

        log_all(container, messages[2:])
        container.stop()

        assert read(reader.rest()) == lines_of(messages[2:])

    def test_one_line_of_the_past(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:2])
        reader = container.follow(tail=1)

        log_all(container, messages[2:])
        container.stop()

        assert read(reader.rest()) == lines_of(messages)[1:]

    def test_several_starts(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:4])
        container.stop()
        container.start()
        reader = container.follow()

        log_all(container, messages[4:])
        container.stop()

        assert read(reader.rest()) == lines_of(messages)

    def test_a_start_in_mid_line_ends_the_line(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        messages = make_messages()
        log_all(container, messages[:3])
        container.stop()
        container.start()
        reader = container.follow()

        log_all(container, messages[4:])
        container.stop()

        before = [*lines_of(messages[:2]), ("stderr", messages[2].time_nano, b"to be...")]
        assert read(reader.rest()) == [*before, *lines_of(messages[4:])]

    def test_lines_arrive_while_the_container_prints(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        reader = container.follow()
        for number in range(20):
            container.print(b"%d\n" % number)
            assert [entry.line for entry in reader.take(1)] == [b"%d\n" % number]
        container.stop()
        assert reader.rest() == []

    def test_two_outputs_at_once(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        reader = container.follow()
        messages = make_messages()
        outputs = {
            source: [message for message in messages if message.source == source] for source in ("stdout", "stderr")
        }

        threads = [threading.Thread(target=log_all, args=(container, part)) for part in outputs.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        container.stop()

        lines = read(reader.rest())
        for source, part in outputs.items():
            assert [line for line in lines if line[0] == source] == lines_of(part)

    def test_many_lines_without_a_gap(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        reader = container.follow()
        followed: list[LogEntry] = []
        thread = threading.Thread(target=lambda: followed.extend(reader.rest()))
        thread.start()

        container.print(b"".join(b"%d\n" % number for number in range(20_000)))
        container.stop()
        thread.join()

        assert [entry.line for entry in followed] == [b"%d\n" % number for number in range(20_000)]

    def test_many_followers(self, shared_engine: Engine) -> None:
        container = shared_engine.run()
        readers = [container.follow() for _ in range(20)]

        container.print(b"to all\n")
        container.stop()

        for reader in readers:
            assert [entry.line for entry in reader.rest()] == [b"to all\n"]


def test_parts_of_engines_that_give_no_metadata(shared_engine: Engine) -> None:
    container = shared_engine.run()
    now = time.time_ns()
    container.log(LogEntry("stdout", now, b"one ", partial=True))
    container.log(LogEntry("stderr", now + 1, b"between"))
    container.log(LogEntry("stdout", now + 2, b"line"))
    container.stop()

    assert [(entry.source, entry.time_nano, entry.line) for entry in container.entries()] == [
        ("stderr", now + 1, b"between\n"),
        ("stdout", now, b"one line\n"),
    ]

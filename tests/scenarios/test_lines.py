"""Whatever a container prints comes back as it was."""

import itertools
import random
import time

import pytest

from tests.testbed.standin import PART_SIZE, Engine
from tests.testbed.wire import LogEntry

MEBIBYTE = 1 << 20

OUTPUTS = {
    "every byte value": bytes(range(256)) + b"\n",
    "empty lines": b"\n\n\n",
    "an empty line between others": b"a\n\nb\n",
    "carriage returns": b"progress 1%\rprogress 2%\r\nend\n",
    "invalid UTF-8": b"\xff\xfe\xfa\n\xc3\x28\n\xed\xa0\x80\n",
    "control characters": b"\x1b[31mred\x1b[0m\x00\x07\n",
    "no newline at the end": b"whole\nrest",
    "nothing but a rest": b"rest",
    "just below a part": b"x" * (PART_SIZE - 1) + b"\nnext\n",
    "exactly a part": b"x" * PART_SIZE + b"\nnext\n",
    "just above a part": b"x" * (PART_SIZE + 1) + b"\nnext\n",
    "exactly two parts": b"x" * (2 * PART_SIZE) + b"\nnext\n",
    "a part and no newline": b"x" * PART_SIZE,
    "what looks like a frame": b"\x00\x00\x00\x13\n\x06stdout\x10\x01\x1a\x04evil\n",
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize("source", ["stdout", "stderr"])
def test_bytes_come_back_unharmed(shared_engine: Engine, output: bytes, source: str) -> None:
    container = shared_engine.run()
    container.print(output, source)
    container.stop()

    assert container.output(source) == output


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_bytes_come_back_unharmed_while_the_container_runs(shared_engine: Engine, output: bytes) -> None:
    container = shared_engine.run()
    container.print(output)
    complete = output[: output.rfind(b"\n") + 1] or output[: len(output) // PART_SIZE * PART_SIZE]

    assert container.output() == complete
    container.stop()


def test_a_line_of_one_mebibyte_is_one_line(shared_engine: Engine) -> None:
    line = every_byte(MEBIBYTE - 1) + b"\n"
    container = shared_engine.run()
    container.print(b"before\n" + line + b"after\n")
    container.stop()

    assert [entry.line for entry in container.logs()] == [b"before\n", line, b"after\n"]
    assert [entry.line for entry in container.logs(tail=2)] == [line, b"after\n"]


def test_a_line_of_five_mebibytes_comes_whole_in_pieces_of_bounded_size(shared_engine: Engine) -> None:
    line = every_byte(5 * MEBIBYTE) + b"\n"
    container = shared_engine.run()
    reader = container.follow()
    container.print(b"before\n" + line + b"after\n")
    followed = [entry.line for entry in reader.take(2)]
    container.stop()
    followed += [entry.line for entry in reader.rest()]

    read = [entry.line for entry in container.logs()]
    assert b"".join(read) == b"before\n" + line + b"after\n"
    assert max(len(piece) for piece in read) <= MEBIBYTE + PART_SIZE
    assert read == followed


def test_long_lines_of_both_outputs_are_joined_apart(shared_engine: Engine) -> None:
    container = shared_engine.run()
    for _ in range(10):
        container.print(b"o" * PART_SIZE, "stdout")
        container.print(b"e" * PART_SIZE, "stderr")
    container.print(b"\n", "stderr")
    container.print(b"\n", "stdout")
    container.stop()

    assert [(entry.source, len(entry.line)) for entry in container.logs()] == [
        ("stderr", 10 * PART_SIZE + 1),
        ("stdout", 10 * PART_SIZE + 1),
    ]


def test_a_joined_line_has_the_time_of_its_first_part(shared_engine: Engine) -> None:
    container = shared_engine.run()
    before = time.time_ns()
    container.print(b"x" * PART_SIZE)
    between = time.time_ns()
    container.print(b"y\n")
    container.stop()

    (entry,) = container.logs()
    assert before <= entry.time_nano <= between


@pytest.mark.parametrize("piece", [1, 7, 1000, 4096, 5000])
def test_large_frames_may_arrive_in_pieces(shared_engine: Engine, piece: int) -> None:
    output = b"x" * 5000 + b"\nshort\n" + b"y" * 16000 + b"\n" + b"z" * 40000 + b"\n"
    container = shared_engine.run(piece=piece)
    container.print(output)
    container.stop()

    assert container.output() == output


def test_timestamps_may_go_backwards(shared_engine: Engine) -> None:
    now = time.time_ns()
    times = [now + step for step in (0, 5, -10, 3, -(10**18), 10**18, 1)]
    container = shared_engine.run()
    for number, moment in enumerate(times):
        container.log(LogEntry("stdout", moment, b"%d" % number))
    container.stop()

    assert [entry.time_nano for entry in container.entries()] == times
    assert [entry.time_nano for entry in container.entries(since=now + 4)] == times[1:]
    assert [entry.time_nano for entry in container.entries(until=now + 6)] == times[:5]
    assert [entry.time_nano for entry in container.entries(tail=3)] == times[-3:]


def test_times_before_1970_and_none_at_all(shared_engine: Engine) -> None:
    container = shared_engine.run()
    container.log(LogEntry("stdout", -1, b"before"))
    container.log(LogEntry("stdout", 0, b"at"))
    container.log(LogEntry("stdout", 1, b"after"))
    container.stop()

    assert [(entry.time_nano, entry.line) for entry in container.entries()] == [
        (-1, b"before\n"),
        (0, b"at\n"),
        (1, b"after\n"),
    ]


def test_tail_and_since_in_a_long_log_whose_clock_jumps(shared_engine: Engine) -> None:
    chance = random.Random(7)  # noqa: S311  (no secret)
    base = time.time_ns()
    times = [base + number * 1000 + chance.choice((0, 0, 0, -5_000_000, 5_000_000)) for number in range(20_000)]
    container = shared_engine.run()
    for number, moment in enumerate(times):
        container.log(LogEntry("stdout", moment, b"%d %s" % (number, b"." * chance.randrange(60))))
    container.stop()

    for _ in range(10):
        tail = chance.randrange(len(times))
        since = base + chance.randrange(-1_000_000, 25_000_000)
        until = since + chance.randrange(10_000_000)
        expected = choose(times, tail, since, until)
        assert [entry.time_nano for entry in container.entries(tail, since, until)] == expected


def choose(times: list[int], tail: int, since: int, until: int) -> list[int]:
    """Choose as the engine's own readers do: the tail first, then from since on, then up to the first after until."""
    chosen = itertools.dropwhile(lambda moment: moment < since, times[len(times) - tail :])
    return list(itertools.takewhile(lambda moment: moment <= until, chosen))


def every_byte(count: int) -> bytes:
    """Make a line of this many bytes in which each value occurs that a line can hold."""
    values = bytes(range(256)).replace(b"\n", b"?")
    return (values * (count // len(values) + 1))[:count]

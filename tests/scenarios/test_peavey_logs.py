"""``peavey logs`` reads the data folder itself, and prints what ``docker logs`` does."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.testbed.printer import numbered
from tests.testbed.server import REPOSITORY, Server, plugin_environment, refusal, run_to_end
from tests.testbed.standin import Container, Engine, rfc3339
from tests.testbed.wire import LogEntry

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def command(server: Server, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "plugin", "logs", "--data", str(server.data), *arguments]


def peavey_logs(server: Server, *arguments: str) -> tuple[bytes, bytes]:
    """Run it; returns what it printed to its two outputs."""
    done = run_to_end(command(server, *arguments))
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, done.stderr


@contextmanager
def running(server: Server, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run it in the background; it is ended with the block."""
    with subprocess.Popen(
        command(server, *arguments),
        cwd=REPOSITORY,
        env=plugin_environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def docker_logs(entries: list[LogEntry], *, timestamps: bool = False) -> tuple[bytes, bytes]:
    """What ``docker logs`` prints for entries: each output for itself."""
    printed = {"stdout": b"", "stderr": b""}
    for entry in entries:
        stamp = rfc3339(entry.time_nano).encode() + b" " if timestamps else b""
        printed[entry.source] += stamp + entry.line
    return printed["stdout"], printed["stderr"]


@pytest.fixture(scope="module")
def container(shared_engine: Engine) -> Container:
    """A stopped container with several segments, both outputs, long and binary lines; one line a second."""
    container = shared_engine.run({"max-size": "20k", "max-file": "1000"})
    for number, line in enumerate(numbered(1_000, padding=800)):
        container.log(LogEntry("stderr" if number % 3 == 0 else "stdout", START + number * SECOND, line[:-1]))
    container.log(LogEntry("stdout", START + 1_000 * SECOND, bytes(set(range(256)) - {10})))
    container.stop()
    container.start()
    container.print(b"x" * 50_000 + b"\n")
    container.print(b"rest")
    container.stop()
    return container


FLAGS: dict[str, tuple[list[str], Callable[[Container], list[LogEntry]]]] = {
    "all": ([], lambda container: container.logs()),
    "-n": (["-n", "7"], lambda container: container.logs(tail=7)),
    "-n0": (["-n", "0"], lambda container: container.logs(tail=0)),
    "--tail": (["--tail", "500"], lambda container: container.logs(tail=500)),
    "--tail=all": (["--tail=all"], lambda container: container.logs()),
    "--since": (
        ["--since", rfc3339(START + 500 * SECOND)],
        lambda container: container.logs(since=START + 500 * SECOND),
    ),
    "--since in seconds": (["--since", "1700000500"], lambda container: container.logs(since=START + 500 * SECOND)),
    "--since with a fraction": (
        ["--since", "1700000500.000000001"],
        lambda container: container.logs(since=START + 500 * SECOND + 1),
    ),
    "--since ago": (["--since", "1h"], lambda container: container.logs(tail=2)),
    "--until": (["--until", rfc3339(START + 9 * SECOND)], lambda container: container.logs(until=START + 9 * SECOND)),
    "both": (
        ["--since", "1700000100", "--until", "1700000200", "-n", "950"],
        lambda container: container.logs(950, START + 100 * SECOND, START + 200 * SECOND),
    ),
}


@pytest.mark.parametrize(("flags", "expected"), FLAGS.values(), ids=FLAGS.keys())
@pytest.mark.parametrize("timestamps", [[], ["-t"], ["--timestamps"]], ids=["plain", "-t", "--timestamps"])
def test_it_prints_what_docker_logs_prints(
    shared_server: Server,
    container: Container,
    flags: list[str],
    expected: Callable[[Container], list[LogEntry]],
    timestamps: list[str],
) -> None:
    printed = peavey_logs(shared_server, *flags, *timestamps, container.id)

    assert printed == docker_logs(expected(container), timestamps=bool(timestamps))


def test_the_first_digits_of_the_id_are_enough(shared_server: Server, container: Container) -> None:
    assert peavey_logs(shared_server, "-n", "1", container.id[:12]) == docker_logs(container.logs(tail=1))


def test_it_needs_no_server(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"line\n")
    container.stop()
    assert server.terminate() == 0

    assert peavey_logs(server, container.id) == (b"line\n", b"")


def test_it_reads_while_the_container_runs(shared_server: Server, shared_engine: Engine) -> None:
    container = shared_engine.run()
    container.print(b"line\n")
    assert container.output() == b"line\n"

    assert peavey_logs(shared_server, container.id) == (b"line\n", b"")
    container.stop()


def test_it_follows_until_the_container_stops(shared_server: Server, shared_engine: Engine) -> None:
    container = shared_engine.run()
    container.print(b"before\n")
    with running(shared_server, "--until-stop", container.id) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"before\n"
        container.print(b"while it follows\n")
        assert following.stdout.readline() == b"while it follows\n"
        container.print(b"last\n")
        container.stop()
        output, errors = following.communicate(timeout=120)

    assert (output, errors) == (b"last\n", b"")
    assert following.returncode == 0


def test_an_unknown_container_is_told(shared_server: Server) -> None:
    assert "f" * 12 in refusal(command(shared_server, "f" * 64))


def test_a_reader_of_its_output_that_leaves_is_no_fault(shared_server: Server, container: Container) -> None:
    with running(shared_server, container.id) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        printing.stdout.readline()
        printing.stdout.close()
        assert b"Traceback" not in printing.stderr.read()


def test_it_knows_the_time_zone_of_a_moment(shared_server: Server, container: Container) -> None:
    moment = datetime.fromtimestamp(START // SECOND + 998, UTC)
    zoned = moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")

    assert peavey_logs(shared_server, "--since", zoned, container.id) == docker_logs(
        container.logs(since=START + 998 * SECOND)
    )
    assert time.time_ns() > START

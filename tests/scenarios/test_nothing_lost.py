"""Every line is kept once and in order, whatever happens to the server."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.testbed.folders import DataFolder
from tests.testbed.printer import Printer, numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Copier, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import decode_all, encode

PIPE_ROOM = 60_000  # bytes that fit into a new pipe of 64 KiB


def kept(data: DataFolder, container: Container) -> list[bytes]:
    """The lines in the journal's own files, newlines put back."""
    return [entry.line + b"\n" for entry in decode_all(data.journal(container.id))]


def fill_pipe(container: Container, label: str) -> list[bytes]:
    """Print as much as fits into the pipe while nobody reads it."""
    lines = numbered(PIPE_ROOM // 200, label, padding=120)
    for line in lines:
        container.print(line)
    return lines


def test_two_hundred_thousand_lines(shared_engine: Engine) -> None:
    lines = numbered(200_000)
    container = shared_engine.run()
    container.print(b"".join(lines))
    container.stop()

    assert [entry.line for entry in container.logs()] == lines


def test_twenty_containers_at_once(shared_engine: Engine) -> None:
    containers = [shared_engine.run() for _ in range(20)]
    with ThreadPoolExecutor(len(containers)) as pool:
        for number, container in enumerate(containers):
            pool.submit(container.print, b"".join(numbered(3_000, f"container {number}")))
    for container in containers:
        container.stop()

    for number, container in enumerate(containers):
        assert [entry.line for entry in container.logs()] == numbered(3_000, f"container {number}")


def test_five_hundred_containers_start_at_once(server: Server, engine: Engine) -> None:
    count = 500
    at_once = threading.Barrier(count)

    def live(number: int) -> Container:
        container = engine.create()
        at_once.wait()
        container.start()
        container.print(b"".join(numbered(10, f"container {number}")))
        container.stop()
        return container

    with ThreadPoolExecutor(count) as pool:
        containers = list(pool.map(live, range(count)))

    for number, container in enumerate(containers):
        assert [entry.line for entry in container.logs()] == numbered(10, f"container {number}")
    assert server.alive


def test_five_hundred_running_containers_outlive_the_server(server: Server, engine: Engine) -> None:
    containers = [engine.run() for _ in range(500)]
    server.kill()
    for number, container in enumerate(containers):
        container.print(b"%d while it was away\n" % number)
    server.start()
    for number, container in enumerate(containers):
        container.print(b"%d when it was back\n" % number)
        container.stop()

    for number, container in enumerate(containers):
        assert container.output() == b"%d while it was away\n%d when it was back\n" % (number, number)


def test_a_server_that_is_killed_again_and_again(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    with Printer(container) as printer:
        for _ in range(5):
            printer.wait_for(1_000)
            server.restart()
        printer.wait_for(1_000)
        lines = printer.finish()
    container.stop()

    assert [entry.line for entry in container.logs()] == lines
    assert kept(data, container) == lines


def test_lines_that_wait_in_the_pipe_are_read_before_logs_are_answered(server: Server, engine: Engine) -> None:
    container = engine.run()
    server.kill()
    lines = fill_pipe(container, "waiting")
    server.start()

    assert [entry.line for entry in container.logs()] == lines
    container.stop()


def test_stop_logging_drains(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    server.pause()
    lines = fill_pipe(container, "last words")
    stopping = threading.Thread(target=container.stop)
    stopping.start()
    server.resume()
    stopping.join()

    assert kept(data, container) == lines
    assert data.attachments() == set()


@pytest.mark.parametrize("repetition", ["complete", "empty"])
def test_stop_logging_drains_when_it_is_the_first_request_after_a_kill(
    server: Server, engine: Engine, data: DataFolder, repetition: str
) -> None:
    others = [engine.run() for _ in range(50)]
    container = engine.run()
    assert container.fifo is not None
    server.kill()
    lines = fill_pipe(container, "last words")
    server.start()
    body = json.dumps({"File": str(container.fifo.path)}).encode() if repetition == "complete" else b""
    engine.client.post("/LogDriver.StopLogging", body)
    container.fifo.remove()
    container.fifo = None

    wait_until(lambda: len(data.attachments()) == len(others), "the stream is closed")
    assert [entry.line for entry in container.logs()] == lines


def test_sigterm_takes_what_is_in_the_pipes(server: Server, engine: Engine, data: DataFolder) -> None:
    containers = [engine.run() for _ in range(10)]
    follower = containers[0].follow()
    server.pause()
    lines = [fill_pipe(container, f"container {number}") for number, container in enumerate(containers)]
    terminating = threading.Thread(target=server.terminate)
    terminating.start()
    server.resume()
    terminating.join()

    assert server.exit_code == 0
    for container, expected in zip(containers, lines, strict=True):
        assert kept(data, container) == expected
    follower.close()


def test_a_server_that_was_terminated_goes_on_where_it_was(server: Server, engine: Engine) -> None:
    container = engine.run()
    with Printer(container) as printer:
        for _ in range(2):
            printer.wait_for(1_000)
            assert server.terminate() == 0
            server.start()
        printer.wait_for(1_000)
        lines = printer.finish()
    container.stop()

    assert [entry.line for entry in container.logs()] == lines


def test_a_frame_that_is_cut_in_two_by_a_kill(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run()
    lines = numbered(4, padding=6_000)
    frames = [frame for line in lines for frame in frames_of(line)]
    for number, frame in enumerate(frames):
        half = frame[: 3 ** (2 * number)]
        container.write(half)
        wait_for_bytes(data, container, sum(map(len, frames[:number])) + len(half))
        server.restart()
        container.write(frame[len(half) :])
    container.stop()

    assert [entry.line for entry in container.logs()] == lines


def test_killed_while_it_rotates(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run({"max-size": "20k", "max-file": "10000"})
    with Printer(container, padding=500) as printer:
        for _ in range(4):
            printer.wait_for(1_500)
            server.restart()
        lines = printer.finish()
    container.stop()

    assert kept(data, container) == lines
    assert [entry.line for entry in container.logs()] == lines
    assert len(data.segments(container.id)) > 10


def test_several_lives_of_a_container_and_of_the_server(server: Server, engine: Engine) -> None:
    container = engine.create()
    lines: list[bytes] = []
    for life in range(6):
        container.start()
        lines += fill_pipe(container, f"life {life}")
        if life % 2:
            server.restart()
        container.stop()
        if life % 3 == 0:
            server.restart()

    assert [entry.line for entry in container.logs()] == lines


def test_a_line_that_spans_a_kill_is_joined(server: Server, engine: Engine) -> None:
    container = engine.run()
    container.print(b"x" * 40_000)
    server.restart()
    container.print(b"y" * 40_000 + b"\n")
    container.stop()

    assert [entry.line for entry in container.logs()] == [b"x" * 40_000 + b"y" * 40_000 + b"\n"]


def wait_for_bytes(data: DataFolder, container: Container, count: int) -> None:
    wait_until(lambda: len(data.journal(container.id)) == count, f"{count} bytes are kept")


def frames_of(line: bytes) -> list[bytes]:
    return [encode(entry) for entry in Copier("stdout").feed(line)]

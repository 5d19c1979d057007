"""The journal's bounds: segments, compression, what is kept, and reading across all of it."""

import threading

import pytest

from plugin.journal.retention import LEAST_SEGMENT
from tests.testbed.folders import DataFolder
from tests.testbed.printer import Printer, numbered
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import LogEntry, decode_all

LINES = numbered(10_000, padding=200)
ROOMY = {"max-size": "50k", "max-file": "1000"}


def lines_in(data: DataFolder, container: Container) -> list[bytes]:
    return [entry.line + b"\n" for entry in decode_all(data.journal(container.id))]


@pytest.mark.parametrize("compress", ["true", "false"])
def test_old_segments_go_and_the_newest_lines_stay(
    shared_engine: Engine, shared_data: DataFolder, compress: str
) -> None:
    container = shared_engine.run({"max-size": "50k", "max-file": "3", "compress": compress})
    container.print(b"".join(LINES))
    live = [entry.line for entry in container.logs()]
    assert live == LINES[-len(live) :]
    container.stop()
    wait_until(lambda: len(shared_data.segments(container.id)) <= 3, "old segments are gone")

    kept = [entry.line for entry in container.logs()]
    assert kept == LINES[-len(kept) :]
    assert 300 < len(kept) < len(LINES)


def test_all_is_kept_within_the_bounds(shared_engine: Engine, shared_data: DataFolder) -> None:
    container = shared_engine.run(ROOMY)
    container.print(b"".join(LINES))
    container.stop()

    assert lines_in(shared_data, container) == LINES
    assert [entry.line for entry in container.logs()] == LINES


def test_segments_are_closed_at_frame_boundaries_near_their_size(
    shared_engine: Engine, shared_data: DataFolder
) -> None:
    container = shared_engine.run(ROOMY | {"compress": "false"})
    container.print(b"".join(LINES))
    container.stop()

    segments = shared_data.segments(container.id)
    assert sum(len(decode_all(segment.read_bytes())) for segment in segments) == len(LINES)
    for segment in segments[:-1]:
        assert LEAST_SEGMENT <= segment.stat().st_size <= LEAST_SEGMENT + 50_000


def test_closed_segments_are_compressed_and_read_like_others(shared_engine: Engine, shared_data: DataFolder) -> None:
    container = shared_engine.run(ROOMY)
    container.print(b"".join(LINES))
    wait_until(
        lambda: shared_data.plain(container.id) == shared_data.segments(container.id)[-1:], "all but one are compressed"
    )

    for tail in (1, 7, 999, 5_000, len(LINES)):
        assert [entry.line for entry in container.logs(tail=tail)] == LINES[-tail:]
    container.stop()
    assert lines_in(shared_data, container) == LINES


def test_none_is_compressed_where_that_is_not_wanted(shared_engine: Engine, shared_data: DataFolder) -> None:
    container = shared_engine.run(ROOMY | {"compress": "false"})
    container.print(b"".join(LINES))
    container.stop()

    assert len(shared_data.segments(container.id)) > 5
    assert shared_data.compressed(container.id) == []


def test_since_and_until_across_segments(shared_engine: Engine) -> None:
    container = shared_engine.run(ROOMY)
    start = 1_700_000_000_000_000_000
    for number, line in enumerate(LINES):
        container.log(LogEntry("stdout", start + number, line[:-1]))

    for first, last in ((0, 0), (5_000, 5_100), (9_999, 9_999), (1_234, 8_765)):
        read = container.entries(since=start + first, until=start + last)
        assert [entry.line for entry in read] == LINES[first : last + 1]
    container.stop()


def test_a_follower_sees_every_line_across_rotations(shared_engine: Engine) -> None:
    container = shared_engine.run(ROOMY)
    reader = container.follow()
    followed: list[bytes] = []
    thread = threading.Thread(target=lambda: followed.extend(entry.line for entry in reader))
    thread.start()
    with Printer(container, padding=100) as printer:
        printer.wait_for(10_000)
        lines = printer.finish()
    container.stop()
    thread.join()

    assert followed == lines


def test_a_line_in_parts_across_segments_is_joined(shared_engine: Engine, shared_data: DataFolder) -> None:
    container = shared_engine.run({"max-size": "20k", "max-file": "1000"})
    lines = [b"%d " % number + b"x" * 100_000 + b"\n" for number in range(20)]
    container.print(b"".join(lines))
    container.stop()

    assert [entry.line for entry in container.logs()] == lines
    assert [entry.line for entry in container.logs(tail=2)] == lines[-2:]
    assert len(shared_data.segments(container.id)) > 5


def test_a_line_larger_than_a_segment(shared_engine: Engine) -> None:
    container = shared_engine.run({"max-size": "1k", "max-file": "1000"})
    lines = [b"%d " % number + b"x" * 400_000 + b"\n" for number in range(5)]
    container.print(b"".join(lines))
    container.stop()

    assert [entry.line for entry in container.logs()] == lines


def test_one_segment_is_the_least_that_is_kept(shared_engine: Engine, shared_data: DataFolder) -> None:
    container = shared_engine.run({"max-size": "50k", "max-file": "1", "compress": "false"})
    container.print(b"".join(LINES))
    container.stop()
    wait_until(lambda: len(shared_data.segments(container.id)) <= 1, "old segments are gone")

    kept = [entry.line for entry in container.logs()]
    assert kept == LINES[-len(kept) :]
    assert kept


def test_readers_and_rotation_at_the_same_time(shared_engine: Engine) -> None:
    container = shared_engine.run({"max-size": "20k", "max-file": "3"})
    with Printer(container, padding=1_000) as printer:
        for _ in range(20):
            numbers = [int(entry.line.split()[1].rstrip(b".")) for entry in container.logs()]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
            printer.wait_for(100)
        lines = printer.finish()
    container.stop()

    kept = [entry.line for entry in container.logs()]
    assert kept == lines[-len(kept) :]


def test_logs_of_rotated_containers_survive_a_kill(server: Server, engine: Engine, data: DataFolder) -> None:
    container = engine.run(ROOMY)
    container.print(b"".join(LINES[:5_000]))
    server.restart()
    container.print(b"".join(LINES[5_000:]))
    server.restart()

    assert [entry.line for entry in container.logs()] == LINES
    container.stop()
    assert lines_in(data, container) == LINES

"""What intake tells of its containers, for status and metrics."""

import errno
from pathlib import Path

import pytest

from plugin.intake.stream import Dropped, Received
from plugin.journal import active_segment, splice, writer
from tests.intake.pump_harness import ONE, OTHER, PumpHarness, frames
from tests.journal.entries import write_journal


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the disk is full, as a list of one."""
    full = [True]
    move, create = splice.move, active_segment.create_segment

    def limited_move(fifo: int, file: int, limit: int, position: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return move(fifo, file, limit, position)

    def limited_create(folder: Path, base: int, content: bytes = b"") -> active_segment.NewestSegment:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(folder, base, content)

    monkeypatch.setattr(writer, "move", limited_move)
    monkeypatch.setattr(writer, "create_segment", limited_create)
    return full


def test_a_container_that_has_not_printed(harness: PumpHarness) -> None:
    harness.begin("a")
    ((one,), stopped) = harness.pump.snapshot()
    assert (one.info.container_id, one.streams, one.received, one.dropped) == (ONE, 1, None, Dropped())
    assert not one.dropping
    assert not one.throttled
    assert stopped == {}


def test_what_came_in_counts_over_all_streams(harness: PumpHarness) -> None:
    first, second = harness.begin("a"), harness.begin("b")
    harness.begin("c", OTHER)
    first.write(frames(3))
    second.write(frames(2))
    harness.turn(3)
    one, other = harness.pump.snapshot()[0]
    assert (one.streams, one.received) == (2, len(frames(3) + frames(2)))
    assert (other.info.container_id, other.received) == (OTHER, None)


def test_a_throttled_one_is_told(harness: PumpHarness) -> None:
    harness.begin("a")
    harness.pump.throttle({ONE})
    assert harness.pump.snapshot()[0][0].throttled


def test_what_a_full_disk_takes_is_counted_over_bursts_and_streams(harness: PumpHarness, full_disk: list[bool]) -> None:
    fifo = harness.begin("a")
    fifo.write(frames(3))
    harness.turn()
    (one,) = harness.pump.snapshot()[0]
    assert one.dropping
    assert (one.received, one.dropped) == (len(frames(3)), Dropped(3, len(frames(3))))
    full_disk[0] = False
    harness.pump.do_chores(0.0)
    fifo.write(frames(2))
    harness.turn()
    (one,) = harness.pump.snapshot()[0]
    assert not one.dropping
    assert (one.received, one.dropped.lines) == (len(frames(3) + frames(2)), 3)
    full_disk[0] = True
    fifo.write(frames(4))
    harness.turn()
    assert harness.pump.snapshot()[0][0].dropped == Dropped(7, len(frames(3) + frames(4)))
    harness.pump.detach(fifo.name)
    assert harness.pump.snapshot() == ([], {ONE: Dropped(7, len(frames(3) + frames(4)))})
    harness.begin("b")
    assert harness.pump.snapshot()[0][0].dropped.lines == 7
    assert harness.pump.snapshot()[1] == {}


def test_it_is_forgotten_with_the_journal(harness: PumpHarness, full_disk: list[bool]) -> None:
    fifo = harness.begin("a")
    fifo.write(frames(3))
    harness.turn()
    harness.pump.detach(fifo.name)
    assert harness.pump.snapshot()[1]
    assert not harness.remove(), "what was dropped is not marked in it yet"
    full_disk[0] = False
    harness.pump.do_chores(0.0)
    assert harness.pump.snapshot()[1]
    assert harness.remove()
    assert harness.pump.snapshot() == ([], {})


def test_what_came_in_is_counted_over_streams_containers_and_their_ends(harness: PumpHarness) -> None:
    first, other = harness.begin("a"), harness.begin("c", OTHER)
    first.write(frames(3))
    other.write(frames(2))
    harness.turn(2)
    size = len(frames(3) + frames(2))
    assert harness.pump.received() == Received(5, size, Dropped())
    harness.pump.detach("a")
    assert harness.pump.received() == Received(5, size, Dropped())
    again = harness.begin("b")
    again.write(frames(4))
    harness.turn()
    assert harness.pump.received() == Received(9, size + len(frames(4)), Dropped())


def test_what_was_there_before_has_not_come_in(harness: PumpHarness) -> None:
    write_journal(harness.data.container(ONE), frames(7))
    harness.begin("a").write(frames(2))
    harness.turn()
    assert harness.pump.received() == Received(2, len(frames(2)), Dropped())


def test_lines_are_counted_over_segments(harness: PumpHarness) -> None:
    stream = harness.begin("a")
    for _ in range(3):
        stream.write(frames(2))
        harness.turn()
        assert harness.pump.rotate(ONE)
    assert harness.pump.received() == Received(6, 3 * len(frames(2)), Dropped())


def test_what_is_dropped_came_in_as_well(harness: PumpHarness, full_disk: list[bool]) -> None:
    stream = harness.begin("a")
    stream.write(frames(3))
    harness.turn()
    size = len(frames(3))
    assert harness.pump.received() == Received(3, size, Dropped(3, size))
    full_disk[0] = False
    harness.pump.detach("a")
    assert harness.pump.received() == Received(3, size, Dropped(3, size))

"""The record that tells a sink of a gap names the bound that made it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.delivery.tail import Tail
from plugin.journal import writer as writer_module
from plugin.journal.cursors.store import Cursor
from plugin.journal.layout import gap_path
from tests.delivery.conftest import FakeSink
from tests.intake.housekeeper_harness import HOUR, SEGMENT, Housekeeping, disk, write_segments
from tests.intake.pump_harness import ONE, Clock, PumpHarness, frames


def told(folder: Path) -> str:
    """Read the first line that a sink is sent which has come nowhere yet."""
    tail = Tail(folder, "http", FakeSink(), "prepared", Cursor(offset=0, resume=0))  # type: ignore[arg-type]
    (gap, *_) = tail.read(1 << 20).records
    tail.close()
    return gap.line.decode()


def beyond_max_file(housekeeping: Housekeeping, _: pytest.MonkeyPatch) -> None:
    housekeeping.stopped(ONE, 5, max_file="2")
    housekeeping.keeper().round()


def beyond_max_age(housekeeping: Housekeeping, _: pytest.MonkeyPatch) -> None:
    housekeeping.running(ONE, 3, max_age="1h")
    housekeeping.age(ONE, 0, HOUR + 1)
    housekeeping.keeper().round()


def beyond_buffer_limit(housekeeping: Housekeeping, _: pytest.MonkeyPatch) -> None:
    housekeeping.running(ONE, 5, max_size="1k", buffer_limit="2k", http_url="http://127.0.0.1:9/")
    housekeeping.keeper().round()


def beyond_disk_limit(housekeeping: Housekeeping, _: pytest.MonkeyPatch) -> None:
    housekeeping.stopped(ONE, 4)
    housekeeping.keeper(limit=2 * SEGMENT).round()


def within_disk_free(housekeeping: Housekeeping, patch: pytest.MonkeyPatch) -> None:
    housekeeping.stopped(ONE, 4)
    disk(patch, available=8 * SEGMENT, total=100 * SEGMENT)
    housekeeping.keeper(limit=100 * SEGMENT, free=10 * SEGMENT).round()


def where_a_kill_dropped(housekeeping: Housekeeping, _: pytest.MonkeyPatch) -> None:
    folder = housekeeping.harness.data.container(ONE)
    folder.mkdir()
    gap_path(folder, SEGMENT).touch()
    write_segments(folder, [1])


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (beyond_max_file, "max-size and max-file do not keep them"),
        (beyond_max_age, "they were older than max-age"),
        (beyond_buffer_limit, "they had to make room before they could be delivered (buffer-limit)"),
        (beyond_disk_limit, "they had to make room before they could be delivered (PEAVEY_DISK_LIMIT)"),
        (within_disk_free, "they had to make room on the disk before they could be delivered (PEAVEY_DISK_FREE)"),
        (where_a_kill_dropped, "the disk was full when they came, or refused to take them"),
    ],
)
def test_a_gap_names_its_cause(
    housekeeping: Housekeeping,
    monkeypatch: pytest.MonkeyPatch,
    lose: Callable[[Housekeeping, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    lose(housekeeping, monkeypatch)

    assert told(housekeeping.harness.data.container(ONE)).endswith(
        f" bytes of this container's log are missing here: {reason}"
    )


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk was full when they came"),
        (errno.EIO, "the journal could not be written when they came"),
    ],
)
def test_what_was_dropped_has_the_cause_that_the_disk_told(
    harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    fifo = harness.begin("a")
    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "move", refuse)
        fifo.write(frames(10))
        harness.turn()
    clock.pass_by(40)
    harness.turn()
    assert told(harness.data.container(ONE)).endswith(f" bytes of this container's log are missing here: {reason}")

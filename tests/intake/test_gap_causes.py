"""The record that tells a sink of a gap names the bound that made it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.delivery.tail import Tail
from plugin.journal.cursors.store import Cursor
from plugin.journal.layout import gap_path
from tests.delivery.conftest import FakeSink
from tests.intake.housekeeping_bench import HOUR, SEGMENT, House, disk, write_segments
from tests.intake.pump_bench import ONE


def told(folder: Path) -> str:
    """Read the first line that a sink is sent which has come nowhere yet."""
    tail = Tail(folder, "http", FakeSink(), "prepared", Cursor(offset=0, resume=0))  # type: ignore[arg-type]
    (gap, *_) = tail.read(1 << 20).records
    tail.close()
    return gap.line.decode()


def beyond_max_file(house: House, _: pytest.MonkeyPatch) -> None:
    house.stopped(ONE, 5, max_file="2")
    house.keeper().round()


def beyond_max_age(house: House, _: pytest.MonkeyPatch) -> None:
    house.running(ONE, 3, max_age="1h")
    house.age(ONE, 0, HOUR + 1)
    house.keeper().round()


def beyond_buffer_limit(house: House, _: pytest.MonkeyPatch) -> None:
    house.running(ONE, 5, max_size="1k", buffer_limit="2k", http_url="http://127.0.0.1:9/")
    house.keeper().round()


def beyond_disk_limit(house: House, _: pytest.MonkeyPatch) -> None:
    house.stopped(ONE, 4)
    house.keeper(limit=2 * SEGMENT).round()


def within_disk_free(house: House, patch: pytest.MonkeyPatch) -> None:
    house.stopped(ONE, 4)
    disk(patch, available=8 * SEGMENT, total=100 * SEGMENT)
    house.keeper(limit=100 * SEGMENT, free=10 * SEGMENT).round()


def on_a_full_disk(house: House, _: pytest.MonkeyPatch) -> None:
    folder = house.bench.data.container(ONE)
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
        (on_a_full_disk, "the disk was full when they came"),
    ],
)
def test_a_gap_names_its_cause(
    house: House, monkeypatch: pytest.MonkeyPatch, lose: Callable[[House, pytest.MonkeyPatch], None], reason: str
) -> None:
    lose(house, monkeypatch)

    assert told(house.bench.data.container(ONE)).endswith(f" bytes of this container's log are missing here: {reason}")

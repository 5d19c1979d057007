"""What the status is gathered from may be broken: one container must not keep the others from being shown."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_note
from plugin.status.collector import Overview
from plugin.status.model import Status
from tests.intake.pump_bench import ONE, OTHER, Bench, frames, info_of
from tests.journal.entries import write_journal


class NoWorkers:
    """No delivery runs."""

    def wanted(self) -> int:
        """None should."""
        return 0

    def alive(self) -> int:
        """None does."""
        return 0


class House:
    """A container that has stopped, and intake, which runs."""

    def __init__(self, bench: Bench) -> None:
        bounds = DiskBounds(None, None, None)
        self.bench = bench
        self.intake = Intake(bench.data, bench.logging, bounds, lambda info: validate_leniently(info.options)[0])
        self._overview = Overview(
            bench.data, self.intake, NoWorkers(), bounds, lambda info: validate_leniently(info.options)[0]
        )
        write_journal(bench.data.container(OTHER), frames(3))
        write_note(bench.data.container(OTHER), info_of(OTHER), "gone", 12)

    def gather(self) -> Status:
        return self._overview.gather()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Bench(tmp_path) as bench:
        house = House(bench)
        house.intake.start()
        yield house
        house.intake.stop()


def test_a_file_in_place_of_a_containers_folder_is_an_empty_journal(house: House) -> None:
    house.bench.data.container(ONE).write_bytes(b"not a folder")
    fifo = house.bench.fifo("a")
    house.intake.attach(str(fifo.path), info_of(ONE), validate_leniently({})[0])
    fifo.write(frames(3))
    house.intake.drain().result()
    by_id = {one.id: one for one in house.gather().containers}
    assert (by_id[ONE].journal, by_id[ONE].dropped_lines) == (0, 3)
    assert by_id[OTHER].journal == len(frames(3))


def test_a_folder_that_cannot_be_listed_leaves_what_is_known(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: DataFolder) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    house.gather()
    monkeypatch.setattr(DataFolder, "container_ids", refuse)
    status = house.gather()
    assert [one.id for one in status.containers] == [OTHER]
    assert status.faults == [f"the journals cannot be listed: [Errno {errno.EIO}] {os.strerror(errno.EIO)}"]


def test_a_disk_that_does_not_tell_of_its_room_has_what_it_had(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> os.statvfs_result:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    before = house.gather()
    monkeypatch.setattr(os, "statvfs", refuse)
    status = house.gather()
    assert status.disk.free == before.disk.free > 0
    assert before.faults == []
    assert [fault.partition(":")[0] for fault in status.faults] == ["the room on the disk cannot be told"]

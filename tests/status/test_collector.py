"""What the status is gathered from may be broken: one container must not keep the others from being shown."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.admission import Admission
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.status.collector import Overview
from plugin.status.model import Status
from tests.intake.pump_harness import ONE, OTHER, PumpHarness, frames, info_of
from tests.journal.entries import write_journal


class NoWorkers:
    """No delivery runs."""

    def wanted(self) -> int:
        """None should."""
        return 0

    def alive(self) -> int:
        """None does."""
        return 0


class Housekeeping:
    """A container that has stopped, and intake, which runs."""

    def __init__(self, harness: PumpHarness) -> None:
        bounds = DiskBounds(None, None, None)
        self.harness = harness
        self.intake = Intake(harness.data, harness.logging, bounds, lambda info: validate_leniently(info.options)[0])
        self._overview = Overview(harness.data, self.intake, NoWorkers(), bounds, Admission(harness.data, {}))
        write_journal(harness.data.container(OTHER), frames(3))
        write_metadata(harness.data.container(OTHER), info_of(OTHER), "gone", 12)

    def gather(self) -> Status:
        return self._overview.gather()


@pytest.fixture
def housekeeping(tmp_path: Path) -> Iterator[Housekeeping]:
    with PumpHarness(tmp_path) as harness:
        housekeeping = Housekeeping(harness)
        housekeeping.intake.start()
        yield housekeeping
        housekeeping.intake.stop()


def test_a_file_in_place_of_a_containers_folder_is_an_empty_journal(housekeeping: Housekeeping) -> None:
    housekeeping.harness.data.container(ONE).write_bytes(b"not a folder")
    fifo = housekeeping.harness.fifo("a")
    housekeeping.intake.attach(str(fifo.path), info_of(ONE), validate_leniently({})[0])
    fifo.write(frames(3))
    housekeeping.intake.drain().result()
    by_id = {one.id: one for one in housekeeping.gather().containers}
    assert (by_id[ONE].journal, by_id[ONE].dropped_lines) == (0, 3)
    assert by_id[OTHER].journal == len(frames(3))


def test_a_folder_that_cannot_be_listed_leaves_what_is_known(
    housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: DataFolder) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    housekeeping.gather()
    monkeypatch.setattr(DataFolder, "container_ids", refuse)
    status = housekeeping.gather()
    assert [one.id for one in status.containers] == [OTHER]
    assert status.faults == [f"the journals cannot be listed: [Errno {errno.EIO}] {os.strerror(errno.EIO)}"]


def test_a_disk_that_does_not_tell_of_its_room_has_what_it_had(
    housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> os.statvfs_result:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    before = housekeeping.gather()
    monkeypatch.setattr(os, "statvfs", refuse)
    status = housekeeping.gather()
    assert status.disk.free == before.disk.free > 0
    assert before.faults == []
    assert [fault.partition(":")[0] for fault in status.faults] == ["the room on the disk cannot be told"]

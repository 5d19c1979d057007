"""What the status is gathered from may be broken: one container must not keep the others from being shown."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.delivery.report import ShareStatus, write_status
from plugin.errors import StoppedError
from plugin.intake import service
from plugin.intake.admission import Admission
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.cursors.store import Cursor, write_cursor
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.status.collector import Overview
from plugin.status.model import Status, TakenAway
from tests.intake.pump_harness import ONE, OTHER, PumpHarness, frames, info_of
from tests.journal.entries import write_journal
from tests.status.examples import SECOND


class NoWorkers:
    """No delivery runs, though it may be wanted."""

    def __init__(self) -> None:
        self.should = 0

    def wanted(self) -> int:
        """So many should."""
        return self.should

    def alive(self) -> int:
        """None does."""
        return 0


class Housekeeping:
    """A container that has stopped, and intake, which runs."""

    def __init__(self, harness: PumpHarness) -> None:
        bounds = DiskBounds(None, None, None)
        self.harness = harness
        self.intake = Intake(harness.data, harness.logging, bounds, lambda info: validate_leniently(info.options)[0])
        self.workers = NoWorkers()
        self.overview = Overview(harness.data, self.intake, self.workers, bounds, Admission(harness.data, {}))
        write_journal(harness.data.container(OTHER), frames(3))
        write_metadata(harness.data.container(OTHER), info_of(OTHER), "gone", 12)

    def gather(self) -> Status:
        return self.overview.gather()


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
    assert (by_id[ONE].journal_bytes, by_id[ONE].dropped_lines) == (0, 3)
    assert by_id[OTHER].journal_bytes == len(frames(3))


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
    assert status.disk.free_bytes == before.disk.free_bytes > 0
    assert before.faults == []
    assert [fault.partition(":")[0] for fault in status.faults] == ["the room on the disk cannot be told"]


def test_a_plugin_that_works_has_no_troubles(housekeeping: Housekeeping) -> None:
    assert housekeeping.overview.troubles() == []


def test_a_delivery_process_that_does_not_report_is_a_trouble_after_a_while(
    housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_700_000_000 * SECOND]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    housekeeping.workers.should = 1
    assert housekeeping.overview.troubles() == []
    now[0] += 31 * SECOND
    assert housekeeping.overview.troubles() == ["delivery process 0 does not report"]
    report = ShareStatus(pid=1, share=0, started=1, written=now[0], sinks=[], faults=[])
    write_status(housekeeping.harness.data, report)
    assert housekeeping.overview.troubles() == []


def test_an_intake_that_does_not_answer_is_a_trouble(
    housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_ANSWER_WITHIN", 0.01)
    over = threading.Event()
    try:
        housekeeping.intake._pump.call(over.wait)
        assert housekeeping.overview.troubles() == ["intake does not answer"]
    finally:
        over.set()


def test_an_intake_that_has_ended_is_stopping(housekeeping: Housekeeping) -> None:
    housekeeping.intake.stop()
    with pytest.raises(StoppedError):
        housekeeping.overview.troubles()


def test_what_is_wrong_with_containers_that_have_stopped_is_told_apart(housekeeping: Housekeeping) -> None:
    housekeeping.workers.should = 1
    faults = [f"{OTHER[:12]} http: no such file", f"{ONE[:12]} http: no such file"]
    write_status(housekeeping.harness.data, ShareStatus(pid=1, share=0, started=1, written=1, sinks=[], faults=faults))
    status = housekeeping.gather()
    assert (status.faults, status.faults_of_stopped) == (faults[1:], faults[:1])


def test_sinks_that_a_container_has_no_longer_are_told_with_what_they_have_not_got(housekeeping: Housekeeping) -> None:
    folder = housekeeping.harness.data.container(OTHER)
    size = len(frames(3))
    for instance, offset in (("standard.http", 0), ("redirect-1.loki", size), ("replay-0badcafe", 0)):
        write_cursor(folder, instance, Cursor(offset=offset, resume=offset, birth=12))
    (container,) = (one for one in housekeeping.gather().containers if one.id == OTHER)
    assert container.sinks == []
    assert container.taken_away == [
        TakenAway(instance="redirect-1.loki", undelivered_bytes=0),
        TakenAway(instance="standard.http", undelivered_bytes=size),
    ]

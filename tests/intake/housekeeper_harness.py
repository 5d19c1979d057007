"""A test harness: a housekeeper whose rounds the test makes itself, journals of running and stopped containers."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.housekeeper import Housekeeper
from plugin.journal.layout import list_segments
from plugin.journal.metadata import write_metadata
from plugin.journal.writer import JournalWriter
from plugin.sinks.registry import schema
from tests.intake.pump_harness import SECOND, Clock, Fifo, PumpHarness, frames, info_of
from tests.journal.entries import append, pipe

SEGMENT = len(frames(10, size=100))
DEFAULTS = {"compress": "false", "max_size": str(SEGMENT)}
HOUR, DAY = 3600, 86400


def write_segments(folder: Path, numbers: Iterable[int]) -> None:
    """Make a journal, or go on with one: ten lines in each segment."""
    writer = JournalWriter(folder, 1 << 30)
    with pipe() as fifo:
        for number in numbers:
            writer.rotate()
            append(writer, fifo, frames(10, number * 10, 100))
    writer.close()


class Housekeeping:
    """A housekeeper whose rounds the test makes itself, beside a pump that runs."""

    def __init__(self, harness: PumpHarness, clock: Clock) -> None:
        self.harness = harness
        self.clock = clock
        self.fifos: dict[str, Fifo] = {}
        harness.pump.start()

    def keeper(
        self,
        limit: int | None = None,
        free: int | None = None,
        keep_stopped: float | None = None,
        keep_undelivered: float | None = None,
    ) -> Housekeeper:
        """Make a housekeeper for the harness's data folder."""
        bounds = DiskBounds(limit, free, keep_stopped, keep_undelivered)
        return Housekeeper(
            self.harness.data, self.harness.pump, bounds, lambda info: validate_leniently(info.options, {}, schema())[0]
        )

    def stopped(self, container: str, segments: int, age: float = 0, **options: str) -> None:
        """Leave the journal of a stopped container behind, of so many segments with ten lines each, all of one age."""
        folder = self.harness.data.container(container)
        moment = self.clock.wall - int(age * SECOND)
        write_segments(folder, range(segments))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("plugin.journal.metadata.time", SimpleNamespace(time_ns=lambda: moment))
            write_metadata(folder, info_of(container, **DEFAULTS | options), "fifo", moment)
        for path in folder.iterdir():
            os.utime(path, ns=(moment, moment))

    def running(self, container: str, segments: int, age: float = 0, **options: str) -> None:
        """Leave a journal behind as ``stopped`` does, and let the container run on."""
        self.stopped(container, segments, age, **options)
        self.runs_again(container, **options)

    def runs_again(self, container: str, **options: str) -> None:
        """Let a container that has stopped run again."""
        self.fifos[container] = fifo = self.harness.fifo(f"{container}-{len(self.fifos)}")
        attachment = self.harness.attachment(fifo, container, **DEFAULTS | options)
        self.harness.pump.call(self.harness.pump.attach, attachment, 1 << 20, fifo.open()).result()

    def stops(self, container: str) -> None:
        """Let a container that runs stop."""
        self.harness.pump.call(self.harness.pump.detach, self.fifos.pop(container).name).result()

    def throttled(self) -> set[str]:
        """The containers that are slowed down."""
        snapshots, _ = self.harness.pump.call(self.harness.pump.snapshot).result()
        return {snapshot.info.container_id for snapshot in snapshots if snapshot.throttled}

    def prints(self, container: str, content: bytes) -> None:
        """Let a container print."""
        self.fifos[container].write(content)
        self.harness.pump.call(self.harness.pump.collect, container).result()

    def bases(self, container: str) -> list[int]:
        """Numbers of the segments of a container's journal."""
        return [segment.base // SEGMENT for segment in list_segments(self.harness.data.container(container))]

    def age(self, container: str, number: int, seconds: float) -> None:
        """Let one segment have been written some time ago."""
        moment = self.clock.wall - int(seconds * SECOND)
        os.utime(list_segments(self.harness.data.container(container))[number].path, ns=(moment, moment))


def disk(monkeypatch: pytest.MonkeyPatch, available: int, total: int = 1_000 * SEGMENT, files: int = 0) -> None:
    """Let the disk be as large and as full, in bytes; if it has a number of files at most, it has them all."""
    status = SimpleNamespace(f_blocks=total, f_frsize=1, f_bavail=available, f_files=files, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: status)

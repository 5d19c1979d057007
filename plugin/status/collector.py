"""Gather what ``/status`` and ``/metrics`` show, from intake, delivery's reports and the disk.

Lag is measured by the cursors on disk, so it is right even while delivery is down or stuck.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from plugin import __version__
from plugin.config.options import ContainerOptions, SinkChoice
from plugin.delivery.destination_ids import DestinationNames
from plugin.delivery.destination_key import destination_key
from plugin.delivery.report import ShareStatus, SinkStatus, read_status
from plugin.docker.info import Info, short_id
from plugin.errors import JournalError, StoppedError
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.intake.stream import NOTHING_DROPPED, ContainerSnapshot, Dropped
from plugin.journal.cursors.store import REPLAY_PREFIX, Cursor, cursor_in, instances_with_cursors
from plugin.journal.lag import Lag, journal_size, measure_lag
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata
from plugin.journal.redirects import time_of_redirect
from plugin.journal.retention import SegmentUse, measure, undelivered
from plugin.status.model import (
    ContainerStatus,
    Delivery,
    DestinationState,
    DestinationStatus,
    Disk,
    FilteredRecords,
    SinkProgress,
    Status,
    TakenAway,
    Totals,
    WorkerStatus,
    at,
    moment,
)

logger = logging.getLogger(__name__)

_SECOND = 1_000_000_000
_SILENT = 30 * _SECOND
"""For how long a delivery process may not report, which it does every second, before that is a trouble."""


class Options(Protocol):
    """What makes the options of containers of their log-opts."""

    @property
    def rules(self) -> object:
        """What they are made by: another object whenever that has changed."""
        ...

    def options_of(self, info: Info) -> ContainerOptions:
        """Return the options of a container that were accepted before."""
        ...


class Workers(Protocol):
    """What keeps the delivery processes running."""

    def wanted(self) -> int:
        """Count the processes that should run."""
        ...

    def alive(self) -> int:
        """Count those that do."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """What does not change about a container as long as ``made_by`` is the same: its info.json, and the rules."""

    made_by: object
    info: Info
    birth: int
    sinks: tuple[SinkChoice, ...]
    destinations: tuple[str, ...]


class Overview:
    """The plugin's status; ``options`` makes those of containers.

    ``own_faults`` returns what is wrong with the plugin's own settings and profiles; empty texts count for nothing.

    It reads from the disk for each container, so call it in a thread, one call at a time.
    """

    def __init__(
        self,
        data: DataFolder,
        intake: Intake,
        workers: Workers,
        bounds: DiskBounds,
        options: Options,
        own_faults: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._own_faults = own_faults
        self._data = data
        self._intake = intake
        self._workers = workers
        self._bounds = bounds
        self._options = options
        self._known: dict[str, _Known] = {}
        self._filtered: dict[tuple[str, str], list[FilteredRecords]] = {}
        self._names: DestinationNames | None = None
        self._started = time.time_ns()
        self._first_wanted = 0
        self._free = self._disk_size = 0

    def gather(self) -> Status:
        """Gather the status of this moment; where the disk refuses, what is known from before, and the fault."""
        shares = read_status(self._data)
        self._filtered = _filtered(shares)
        attached, dropped = self._intake.snapshot()
        received = self._intake.received()
        by_id = {snapshot.info.container_id: snapshot for snapshot in attached}
        faults = [*self._own_faults()]
        try:
            kept = set(self._data.container_ids())
        except OSError as error:
            faults.append(f"the journals cannot be listed: {error}")
            kept = set(self._known)
        try:
            self._free, self._disk_size = _disk_bytes(self._data)
        except OSError as error:
            faults.append(f"the room on the disk cannot be told: {error}")
        ids = by_id.keys() | kept
        self._known = {container_id: known for container_id, known in self._known.items() if container_id in ids}
        containers = [
            self._container_safely(one, by_id.get(one), dropped.get(one, NOTHING_DROPPED)) for one in sorted(ids)
        ]
        wanted = self._workers.wanted()
        shares = [share for share in shares if share.share < wanted]
        told = [fault for share in shares for fault in share.faults]
        stopped = tuple(short_id(one.id) for one in containers if not one.is_running)
        now = time.time_ns()
        return Status(
            version=__version__,
            started=at(self._started),
            now=at(now),
            uptime_seconds=(now - self._started) / _SECOND,
            disk=self._disk(containers, dropping=any(snapshot.dropping for snapshot in attached)),
            delivery=Delivery(
                wanted=wanted,
                alive=self._workers.alive(),
                workers=[
                    WorkerStatus(
                        share=share.share, pid=share.pid, started=at(share.started), reported=at(share.written)
                    )
                    for share in shares
                ],
            ),
            totals=Totals(
                received_lines=received.lines,
                received_bytes=received.bytes,
                dropped_lines=received.dropped.lines,
                dropped_bytes=received.dropped.bytes,
                given_up_bytes=self._intake.given_up_bytes,
            ),
            containers=containers,
            destinations=[destination for share in shares for destination in _destinations(share)],
            faults=[*filter(None, faults), *(one for one in told if not one.startswith(stopped))],
            faults_of_stopped=[one for one in told if one.startswith(stopped)],
        )

    def troubles(self) -> list[str]:
        """Return what of the plugin does not work, for ``/healthz``; destinations and full disks are not its fault.

        Raises ``StoppedError`` if it is shutting down.
        """
        found = []
        try:
            self._intake.received()
        except StoppedError:
            raise
        except TimeoutError:
            found.append("intake does not answer")
        now = time.time_ns()
        wanted = self._workers.wanted()
        if wanted and not self._first_wanted:
            self._first_wanted = now
        reported = {share.share: share.written for share in read_status(self._data)} if wanted else {}
        for share in range(wanted):
            silent_since = max(reported.get(share, 0), self._first_wanted)
            found += [f"delivery process {share} does not report"] * (now - silent_since > _SILENT)
        return found

    def _disk(self, containers: list[ContainerStatus], *, dropping: bool) -> Disk:
        return Disk(
            used_bytes=sum(container.journal_bytes for container in containers),
            limit_bytes=self._bounds.limit,
            free_bytes=self._free,
            keep_free_bytes=self._bounds.kept_free(self._disk_size),
            dropping=dropping,
        )

    def _container_safely(
        self, container_id: str, snapshot: ContainerSnapshot | None, dropped: Dropped
    ) -> ContainerStatus:
        """Return what can be told of a container: an odd journal must not keep all others from being shown."""
        try:
            return self._container(container_id, snapshot, dropped)
        except Exception:
            logger.exception("container %s: its journal cannot be looked at", container_id[:12])
        return ContainerStatus(
            id=container_id,
            name="" if snapshot is None else snapshot.info.name,
            image="" if snapshot is None else snapshot.info.container_image_name,
            streams=0 if snapshot is None else snapshot.streams,
            received_bytes=0 if snapshot is None else snapshot.received or 0,
            journal_bytes=0,
            dropped_lines=dropped.lines,
            dropped_bytes=dropped.bytes,
            throttled=snapshot is not None and snapshot.throttled,
            sinks=[],
        )

    def _container(self, container_id: str, snapshot: ContainerSnapshot | None, dropped: Dropped) -> ContainerStatus:
        segments = self._measure(container_id)
        known = self._look_up(container_id, snapshot)
        received = None if snapshot is None else snapshot.received
        if received is None:
            received = _size(segments)
        if snapshot is not None:
            dropped = snapshot.dropped
        return ContainerStatus(
            id=container_id,
            name="" if known is None else known.info.name,
            image="" if known is None else known.info.container_image_name,
            streams=0 if snapshot is None else snapshot.streams,
            received_bytes=received,
            journal_bytes=sum(use.bytes for use in segments),
            dropped_lines=dropped.lines,
            dropped_bytes=dropped.bytes,
            throttled=snapshot is not None and snapshot.throttled,
            sinks=[] if known is None else list(self._progresses(container_id, known, segments)),
            redirected=moment(time_of_redirect(self._data.container(container_id))),
            taken_away=[] if known is None else list(self._taken_away(container_id, known, segments)),
        )

    def _taken_away(self, container_id: str, known: _Known, segments: list[SegmentUse]) -> Iterator[TakenAway]:
        """Yield the sinks that have left a cursor, and that the container has no longer."""
        folder = self._data.container(container_id)
        try:
            instances = set(instances_with_cursors(folder))
        except OSError as error:
            logger.debug("container %s: %s", short_id(container_id), error)
            return
        for instance in sorted(instances - {choice.instance for choice in known.sinks}):
            if instance.startswith(REPLAY_PREFIX):
                continue
            try:
                cursor = cursor_in(folder, instance, known.birth)
            except (OSError, JournalError) as error:
                logger.debug("container %s: %s", short_id(container_id), error)
                continue
            if cursor is not None:
                yield TakenAway(instance=instance, undelivered_bytes=undelivered(segments, cursor.offset))

    def _measure(self, container_id: str) -> list[SegmentUse]:
        """Measure a journal; one that cannot be read, as where a file is in its folder's place, shows as empty."""
        try:
            return measure(self._data.container(container_id))
        except OSError as error:
            logger.debug("container %s: cannot measure the journal: %s", short_id(container_id), error)
            return []

    def _look_up(self, container_id: str, snapshot: ContainerSnapshot | None) -> _Known | None:
        """Return what is known of a container by its journal, or by its stream while it has not printed anything."""
        folder = self._data.container(container_id)
        made_by: object = None
        try:
            changed = os.stat(folder / "info.json").st_mtime_ns
            made_by = (changed, time_of_redirect(folder), self._options.rules)
            known = self._known.get(container_id)
            if known is not None and known.made_by == made_by:
                return known
            metadata = read_metadata(folder)
        except FileNotFoundError:
            changed, metadata = 0, None
        except (OSError, JournalError) as error:
            logger.debug("container %s: %s", short_id(container_id), error)
            changed, metadata = 0, None
        if metadata is not None:
            info, birth = metadata.info, metadata.birth
        elif snapshot is not None:
            info, birth = snapshot.info, 0
        else:
            return None
        sinks = self._options.options_of(info).sinks
        known = _Known(made_by, info, birth, sinks, tuple(map(self._destination, sinks)))
        if changed and not any(choice.faults for choice in known.sinks):  # a file that is missing may come back
            self._known[container_id] = known
        return known

    def _destination(self, choice: SinkChoice) -> str:
        """Return the id of the destination that delivery has for a sink; empty if its options cannot be used."""
        if choice.faults:
            return ""
        if self._names is None:
            self._names = DestinationNames(self._data)
        return self._names.name(destination_key(choice))

    def _progresses(self, container_id: str, known: _Known, segments: list[SegmentUse]) -> Iterator[SinkProgress]:
        """Yield the progress of each sink; one that is newer than the container has no cursor and gets nothing."""
        for choice, destination in zip(known.sinks, known.destinations, strict=True):
            try:
                cursor = cursor_in(self._data.container(container_id), choice.instance, known.birth)
            except JournalError as error:
                logger.debug("container %s: %s", short_id(container_id), error)
                cursor = Cursor(offset=0, resume=0)
            if cursor is None and not choice.needs_all:
                if choice.since is None:
                    continue
                size = _size(segments)  # delivery is about to find where it begins
                cursor = Cursor(offset=size, resume=size)
            filtered = self._filtered.get((container_id, choice.instance), [])
            yield self._progress(choice, destination, cursor or Cursor(offset=0, resume=0), segments, filtered)

    def _progress(
        self,
        choice: SinkChoice,
        destination: str,
        cursor: Cursor,
        segments: list[SegmentUse],
        filtered: list[FilteredRecords],
    ) -> SinkProgress:
        try:
            lag = measure_lag(segments, cursor.offset, cursor.resume)
        except OSError:  # a segment was compressed or removed meanwhile
            lag = Lag(bytes=max(0, _size(segments) - cursor.offset))
        return SinkProgress(
            instance=choice.instance,
            type=choice.sink,
            destination=destination,
            delivered_bytes=cursor.offset,
            lag_bytes=lag.bytes,
            lag_lines=lag.lines,
            lag_seconds=max(0.0, (time.time_ns() - lag.oldest) / _SECOND) if lag.oldest else 0.0,
            records=cursor.records,
            dead_letters=cursor.dead,
            gap_bytes=cursor.gap_bytes + max(0, _size(segments) - cursor.offset - lag.bytes),
            last_success=moment(cursor.last_success),
            faults=list(choice.faults),
            filtered=filtered,
        )


def _disk_bytes(data: DataFolder) -> tuple[int, int]:
    """Return how many bytes of the disk are free, and how large it is. Raises ``OSError``."""
    status = os.statvfs(data.path)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize


def _size(segments: list[SegmentUse]) -> int:
    try:
        return journal_size(segments)
    except OSError:  # the newest segment was compressed or removed meanwhile
        return segments[-1].segment.base


def _filtered(shares: list[ShareStatus]) -> dict[tuple[str, str], list[FilteredRecords]]:
    """Return what was dropped on purpose, by container and sink instance."""
    found: dict[tuple[str, str], list[FilteredRecords]] = {}
    for share in shares:
        for one in share.filtered:
            records = FilteredRecords(stage=one.stage, reason=one.reason, records=one.records)
            found.setdefault((one.container, one.instance), []).append(records)
    return found


def _destinations(share: ShareStatus) -> list[DestinationStatus]:
    return [
        DestinationStatus(
            id=sink.id,
            instance=sink.instance,
            type=sink.sink,
            share=share.share,
            address=sink.address,
            state=_state(sink),
            containers=sink.containers,
            batches=sink.batches,
            records=sink.records,
            sent_bytes=sink.bytes,
            retries=sink.retries,
            dead_letters=sink.dead,
            last_success=moment(sink.last_success),
            last_error=sink.last_error,
            failing_since=moment(sink.failing_since),
            delays=sink.delays,
        )
        for sink in share.sinks
    ]


def _state(sink: SinkStatus) -> DestinationState:
    if sink.failing_since:
        return DestinationState.MISCONFIGURED if sink.misconfigured else DestinationState.FAILING
    if sink.last_refusal > sink.last_success:
        return DestinationState.REFUSING
    return DestinationState.OK if sink.last_success else DestinationState.IDLE

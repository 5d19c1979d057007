"""What ``GET /status`` answers, documented field by field in ``docs/json.md``.

Times are RFC 3339 in UTC, null for never; numbers have their unit in the name, or are counts. It names containers,
sinks and destinations. Log-opts, labels and environment variables are not in it, nor any secret.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from plugin.delivery.histogram import Histogram

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(nanoseconds: int) -> datetime | None:
    """Return a time in nanoseconds since 1970 UTC, to the microsecond; 0 is never."""
    return at(nanoseconds) if nanoseconds else None


def at(nanoseconds: int) -> datetime:
    """Return a time in nanoseconds since 1970 UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk of the data folder; a bound that is off is ``None``.

    ``used_bytes``
        by all journals together, which ``limit_bytes`` bounds
    ``free_bytes``
        on the file system, of which ``keep_free_bytes`` is left to others
    ``dropping``
        whether it is so full that lines are dropped
    """

    used_bytes: int
    limit_bytes: int | None
    free_bytes: int
    keep_free_bytes: int | None
    dropping: bool


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery process; ``reported`` is when it last reported, which it does every second."""

    share: int
    pid: int
    started: datetime
    reported: datetime


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery processes: none is wanted until a container has a sink."""

    wanted: int
    alive: int
    workers: list[WorkerStatus]


class FilteredRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Records that were not sent on purpose: the stage that dropped them, and the log-opt that made it do so."""

    stage: str
    reason: str
    records: int


class SinkProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One container's journal on its way to one sink.

    ``instance`` (in JSON ``sink``), ``type``
        the sink's name at the container, and what it is; one of a profile is called ``PROFILE.SINK``
    ``destination``
        the id of the destination that it uses, empty while ``faults`` keep it from having one
    ``delivered_bytes``
        the offset in the journal up to which all is delivered
    ``lag_bytes``, ``lag_lines``, ``lag_seconds``
        what is not delivered yet: bytes of journal, lines (see ``plugin.journal.lag``), and the age of the oldest
    ``records``, ``dead_letters``, ``gap_bytes``
        delivered, refused for good, and lost before they could be delivered, since the sink's first cursor; lost ones
        count at once, not only when the sink has been told
    ``faults``
        why it cannot be used with the log-opts that it has
    ``filtered``
        records that its log-opts (exclude, sample, rate-limit and such) kept back, since its delivery process began;
        none of them is lost
    """

    instance: str = msgspec.field(name="sink")
    type: str
    destination: str
    delivered_bytes: int
    lag_bytes: int
    lag_lines: int
    lag_seconds: float
    records: int
    dead_letters: int
    gap_bytes: int
    last_success: datetime | None
    faults: list[str]
    filtered: list[FilteredRecords] = []


class TakenAway(msgspec.Struct, frozen=True, kw_only=True):
    """A sink that a container has no longer, and goes on with where it was if it is given back.

    ``instance`` (in JSON ``sink``)
        as in ``SinkProgress``
    ``undelivered_bytes``
        what it has not got of the journal, and does not get either
    """

    instance: str = msgspec.field(name="sink")
    undelivered_bytes: int


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A container that has a stream or a journal; in JSON ``container_id`` and ``container_name``.

    ``streams``
        how many FIFOs are attached: 0 for one that has stopped
    ``received_bytes``
        what came in since its journal began, dropped lines included
    ``journal_bytes``
        what its journal takes on the disk
    ``dropped_lines``, ``dropped_bytes``
        what a full disk could not take, since the plugin's start
    ``throttled``
        whether it is slowed down because too much waits to be delivered (``overflow=throttle``)
    ``redirected``
        since when other log-opts hold instead of its own (``peavey redirect``)
    ``taken_away``
        sinks that a profile, a route or a redirect chose for it before, and none does now
    """

    id: str = msgspec.field(name="container_id")
    name: str = msgspec.field(name="container_name")
    image: str
    streams: int
    received_bytes: int
    journal_bytes: int
    dropped_lines: int
    dropped_bytes: int
    throttled: bool
    sinks: list[SinkProgress]
    redirected: datetime | None = None
    taken_away: list[TakenAway] = []

    @property
    def is_running(self) -> bool:
        """Whether it runs, as far as its FIFOs tell."""
        return self.streams > 0


class DestinationState(StrEnum):
    """How a destination is doing."""

    IDLE = "idle"
    """It has not answered yet: nothing was sent."""
    OK = "ok"
    """It took what it was last sent."""
    REFUSING = "refusing"
    """It refused for good what it was last sent, which became dead letters."""
    FAILING = "failing"
    """It takes nothing now; it is retried."""
    MISCONFIGURED = "misconfigured"
    """It refuses the settings it is used with, which needs attention; it is retried slowly."""


class DestinationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One sink with one set of options in one delivery process; counts are since that process began.

    All of it is as ``reported``, while the containers' sinks are as of now: counts there may be ahead.

    ``id``
        stays the same as long as the options do
    ``instance`` (in JSON ``sink``), ``type``
        as at the first container that uses it
    ``address``
        where it sends to, without anything secret
    ``last_error``
        the newest failure while ``failing_since`` is not null
    ``delays``
        from when the engine read the oldest line of a batch to when the batch was acknowledged
    """

    id: str
    instance: str = msgspec.field(name="sink")
    type: str
    address: str
    state: DestinationState
    share: int
    containers: int
    batches: int
    records: int
    sent_bytes: int
    retries: int
    dead_letters: int
    last_success: datetime | None
    last_error: str
    failing_since: datetime | None
    delays: Histogram


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What came in from all containers since the plugin's start, and what of it a full disk could not take.

    Bytes are those of journals, which have some 25 more per line than the text. ``given_up_bytes`` are those of stopped
    containers that a destination had not taken for longer than ``PEAVEY_KEEP_UNDELIVERED``.
    """

    received_lines: int
    received_bytes: int
    dropped_lines: int
    dropped_bytes: int
    given_up_bytes: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    ``faults``
        what needs attention: misconfigured sinks of containers, an unavailable address of ``PEAVEY_HTTP``, damaged
        info.json files
    ``faults_of_stopped``
        the same of containers that have stopped, and may have been removed: nobody need be woken for it
    """

    version: str
    started: datetime
    now: datetime
    uptime_seconds: float
    disk: Disk
    delivery: Delivery
    totals: Totals
    containers: list[ContainerStatus]
    destinations: list[DestinationStatus]
    faults: list[str]
    faults_of_stopped: list[str] = []

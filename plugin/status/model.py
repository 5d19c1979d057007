"""What ``GET /status`` says. Times are nanoseconds since 1970 UTC, 0 for never; sizes are bytes.

It names containers, sinks and destinations. Log-opts, labels and environment variables are not in it, nor any secret.
"""

import msgspec


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk of the data folder; a bound that is off is ``None``.

    ``used``
        by all journals together, which ``limit`` bounds
    ``free``
        on the file system, of which ``keep_free`` is left to others
    ``dropping``
        whether it is so full that lines are dropped
    """

    used: int
    limit: int | None
    free: int
    keep_free: int | None
    dropping: bool


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery process; ``reported`` is when it last reported, which it does every second."""

    share: int
    pid: int
    started: int
    reported: int


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

    ``instance``, ``type``
        the sink's name at the container, and what it is
    ``cursor``
        the offset up to which all is delivered
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

    instance: str
    type: str
    cursor: int
    lag_bytes: int
    lag_lines: int
    lag_seconds: float
    records: int
    dead_letters: int
    gap_bytes: int
    last_success: int
    faults: list[str]
    filtered: list[FilteredRecords] = []


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A container that has a stream or a journal.

    ``streams``
        how many FIFOs are attached: 0 for one that has stopped
    ``received``
        bytes that came in since its journal began, dropped ones included
    ``journal``
        bytes that its journal takes on the disk
    ``dropped_lines``, ``dropped_bytes``
        what a full disk could not take, since the plugin's start
    ``throttled``
        whether it is slowed down because too much waits to be delivered (``overflow=throttle``)
    ``redirected``
        since when other log-opts hold instead of its own (``peavey redirect``)
    """

    id: str
    name: str
    image: str
    streams: int
    received: int
    journal: int
    dropped_lines: int
    dropped_bytes: int
    throttled: bool
    sinks: list[SinkProgress]
    redirected: int = 0


class DestinationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One sink with one set of options in one delivery process; counts are since that process began.

    All of it is as ``reported``, while the containers' sinks are as of now: counts there may be ahead.

    ``id``
        stays the same as long as the options do
    ``instance``, ``type``
        as at the first container that uses it
    ``last_error``
        the newest failure while ``failing_since`` is not 0
    ``misconfigured``
        whether that failure needs attention: it is retried slowly
    """

    id: str
    instance: str
    type: str
    share: int
    containers: int
    batches: int
    records: int
    bytes: int
    retries: int
    dead_letters: int
    last_success: int
    last_error: str
    failing_since: int
    misconfigured: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; ``uptime`` in seconds.

    ``faults``
        what needs attention: misconfigured sinks of containers, an unavailable address of ``PEAVEY_HTTP``, damaged
        info.json files
    """

    version: str
    started: int
    now: int
    uptime: float
    disk: Disk
    delivery: Delivery
    containers: list[ContainerStatus]
    destinations: list[DestinationStatus]
    faults: list[str]

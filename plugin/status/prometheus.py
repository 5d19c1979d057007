"""``GET /metrics``: the status as Prometheus metrics (documented in ``docs/status.md``).

Label values are bounded by what there is: containers that run, and destinations. Those that have stopped, of which
there may be thousands, are summed up by destination. Error text is not a label: its cardinality is unbounded.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from plugin.delivery.histogram import BOUNDS
from plugin.status.model import (
    ContainerStatus,
    DestinationState,
    DestinationStatus,
    Disk,
    FilteredRecords,
    SinkProgress,
    Status,
    Totals,
)
from plugin.status.waiting import LossCounter, Waiting, waiting

_CONTAINER = ("container_id", "container_name")
_SINK = (*_CONTAINER, "sink", "type")
_TARGET = ("destination", "sink", "type")
_DESTINATION = (*_TARGET, "share")

T = TypeVar("T")


class Metrics:
    """The status that ``gather`` returns, as metrics."""

    def __init__(self, gather: Callable[[], Status]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_StatusCollector(gather))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their media type, in the format that an ``Accept`` header prefers."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _StatusCollector(Collector):
    """The metrics of one status for each request, so that they agree with one another."""

    def __init__(self, gather: Callable[[], Status]) -> None:
        self._gather = gather
        self._losses = LossCounter()

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, so that registering does not gather."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of this moment."""
        status = self._gather()
        yield from _plugin_metrics(status)
        yield from _disk_metrics(status.disk)
        yield from (metric.family((), [((), status.totals)]) for metric in _TOTALS)
        yield from _by_state(status)
        containers = [((one.id, one.name), one) for one in status.containers if one.is_running]
        sinks = [((*names, sink.instance, sink.type), sink) for names, one in containers for sink in one.sinks]
        destinations = [((one.id, one.instance, one.type, str(one.share)), one) for one in status.destinations]
        yield from (metric.family(_CONTAINER, containers) for metric in _CONTAINER_METRICS)
        yield from (metric.family(_SINK, sinks) for metric in _SINK_METRICS)
        yield _FILTERED.family(
            (*_SINK, "stage", "reason"),
            [((*names, one.stage, one.reason), one) for names, sink in sinks for one in sink.filtered],
        )
        yield from (metric.family(_DESTINATION, destinations) for metric in _DESTINATION_METRICS)
        yield _delays(status.destinations)
        summed = [((*target, _state(running)), one) for (target, running), one in waiting(status).items()]
        yield from (metric.family((*_TARGET, "state"), summed) for metric in _WAITING_METRICS)
        yield _LOST.family(_TARGET, list(self._losses.count(status).items()))


@dataclass(frozen=True, slots=True)
class _Metric(Generic[T]):
    """Name, meaning and value of a metric; names of counters end in ``_total``."""

    name: str
    help: str
    value: Callable[[T], float]

    def family(self, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], T]]) -> Metric:
        """Return it with one sample for each row of label values and what the value is taken from."""
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.help, labels=labels)
        for values, row in rows:
            family.add_metric(values, self.value(row))
        return family


_CONTAINER_METRICS: tuple[_Metric[ContainerStatus], ...] = (
    _Metric("peavey_container_streams", "FIFOs that are attached.", lambda one: one.streams),
    _Metric(
        "peavey_container_received_bytes_total",
        "Bytes of journal that came in, dropped ones included.",
        lambda one: one.received_bytes,
    ),
    _Metric("peavey_container_journal_bytes", "What the journal takes on the disk.", lambda one: one.journal_bytes),
    _Metric(
        "peavey_container_dropped_lines_total", "Lines that a full disk could not take.", lambda one: one.dropped_lines
    ),
    _Metric(
        "peavey_container_dropped_bytes_total", "Bytes that a full disk could not take.", lambda one: one.dropped_bytes
    ),
    _Metric("peavey_container_throttled", "1 while it is slowed down by overflow=throttle.", lambda one: one.throttled),
)

_SINK_METRICS: tuple[_Metric[SinkProgress], ...] = (
    _Metric("peavey_sink_lag_bytes", "Bytes of journal that are not delivered yet.", lambda one: one.lag_bytes),
    _Metric("peavey_sink_lag_lines", "Lines that are not delivered yet, about.", lambda one: one.lag_lines),
    _Metric("peavey_sink_lag_seconds", "Age of the oldest line not delivered yet.", lambda one: one.lag_seconds),
    _Metric("peavey_sink_records_total", "Records that were acknowledged.", lambda one: one.records),
    _Metric("peavey_sink_dead_letters_total", "Records that were refused for good.", lambda one: one.dead_letters),
    _Metric(
        "peavey_sink_gap_bytes_total",
        "Bytes of journal that were lost before they could be delivered.",
        lambda one: one.gap_bytes,
    ),
    _Metric(
        "peavey_sink_last_success_timestamp_seconds",
        "When records were last acknowledged, 0 for never.",
        lambda one: _unix_time(one.last_success),
    ),
    _Metric("peavey_sink_faulty", "1 if its log-opts can no longer be used.", lambda one: float(bool(one.faults))),
)

_FILTERED: _Metric[FilteredRecords] = _Metric(
    "peavey_sink_filtered_records_total",
    "Records that log-opts kept back on purpose, such as by exclude, sample or rate-limit.",
    lambda one: one.records,
)

_DESTINATION_METRICS: tuple[_Metric[DestinationStatus], ...] = (
    _Metric("peavey_destination_containers", "Containers that use it.", lambda one: one.containers),
    _Metric("peavey_destination_batches_total", "Batches that it acknowledged.", lambda one: one.batches),
    _Metric("peavey_destination_records_total", "Records that it acknowledged.", lambda one: one.records),
    _Metric(
        "peavey_destination_sent_bytes_total", "Encoded bytes of the acknowledged batches.", lambda one: one.sent_bytes
    ),
    _Metric("peavey_destination_retries_total", "Attempts that failed.", lambda one: one.retries),
    _Metric("peavey_destination_dead_letters_total", "Records that it refused for good.", lambda one: one.dead_letters),
    _Metric(
        "peavey_destination_failing", "1 while it takes nothing.", lambda one: float(one.failing_since is not None)
    ),
    _Metric(
        "peavey_destination_failing_since_timestamp_seconds",
        "Since when it takes nothing, 0 while it does.",
        lambda one: _unix_time(one.failing_since),
    ),
    _Metric(
        "peavey_destination_misconfigured",
        "1 while it refuses the settings it is used with: needs attention.",
        lambda one: one.state is DestinationState.MISCONFIGURED,
    ),
    _Metric(
        "peavey_destination_last_success_timestamp_seconds",
        "When it last acknowledged a batch, 0 for never.",
        lambda one: _unix_time(one.last_success),
    ),
)

_WAITING_METRICS: tuple[_Metric[Waiting], ...] = (
    _Metric(
        "peavey_destination_waiting_containers",
        "Containers with lines that it has not got.",
        lambda one: one.containers,
    ),
    _Metric("peavey_destination_lag_bytes", "Bytes of journal that it has not got.", lambda one: one.bytes),
    _Metric("peavey_destination_lag_lines", "Lines that it has not got, about.", lambda one: one.lines),
    _Metric("peavey_destination_lag_seconds", "Age of the oldest line that it has not got.", lambda one: one.seconds),
)

_LOST: _Metric[int] = _Metric(
    "peavey_destination_gap_bytes_total",
    "Bytes of journal, of all containers, that were lost before they could be delivered to it.",
    float,
)

_TOTALS: tuple[_Metric[Totals], ...] = (
    _Metric(
        "peavey_received_lines_total", "Lines that came in, dropped ones included.", lambda one: one.received_lines
    ),
    _Metric(
        "peavey_received_bytes_total",
        "Bytes of journal that came in, dropped ones included.",
        lambda one: one.received_bytes,
    ),
    _Metric("peavey_dropped_lines_total", "Lines that a full disk could not take.", lambda one: one.dropped_lines),
    _Metric("peavey_dropped_bytes_total", "Bytes that a full disk could not take.", lambda one: one.dropped_bytes),
    _Metric(
        "peavey_given_up_bytes_total",
        "Bytes of stopped containers that no destination has taken in time (PEAVEY_KEEP_UNDELIVERED).",
        lambda one: one.given_up_bytes,
    ),
)


def _unix_time(time: datetime | None) -> float:
    return 0.0 if time is None else time.timestamp()


def _state(running: bool) -> str:
    return "running" if running else "stopped"


def _by_state(status: Status) -> Iterable[Metric]:
    """Yield what there is of containers that run, and of those that have stopped."""
    count = GaugeMetricFamily("peavey_containers", "Containers with a stream or a journal.", labels=["state"])
    size = GaugeMetricFamily("peavey_journal_bytes", "What their journals take on the disk.", labels=["state"])
    for running in (True, False):
        of_them = [one for one in status.containers if one.is_running == running]
        count.add_metric([_state(running)], len(of_them))
        size.add_metric([_state(running)], sum(one.journal_bytes for one in of_them))
    yield from (count, size)


def _delays(destinations: Iterable[DestinationStatus]) -> Metric:
    family = HistogramMetricFamily(
        "peavey_destination_delivery_seconds",
        "From when the oldest line of a batch was read to when the batch was acknowledged.",
        labels=_DESTINATION,
    )
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    for one in destinations:
        if len(one.delays.counts) == len(bounds):  # a report of another version may have other bounds
            buckets = list(zip(bounds, accumulate(one.delays.counts), strict=True))
            family.add_metric([one.id, one.instance, one.type, str(one.share)], buckets, one.delays.sum_seconds)
    return family


def _plugin_metrics(status: Status) -> Iterable[Metric]:
    yield InfoMetricFamily("peavey_build", "The version that runs.", {"version": status.version})
    yield GaugeMetricFamily("peavey_start_time_seconds", "When it was started.", _unix_time(status.started))
    yield GaugeMetricFamily(
        "peavey_delivery_workers_wanted", "Delivery processes that should run.", status.delivery.wanted
    )
    yield GaugeMetricFamily("peavey_delivery_workers_alive", "Delivery processes that run.", status.delivery.alive)
    reported = GaugeMetricFamily(
        "peavey_delivery_report_timestamp_seconds", "When a delivery process last reported.", labels=["share"]
    )
    for worker in status.delivery.workers:
        reported.add_metric([str(worker.share)], _unix_time(worker.reported))
    yield reported
    yield GaugeMetricFamily(
        "peavey_faults",
        "What needs attention: misconfigured sinks, an unavailable PEAVEY_HTTP, damaged info.json files.",
        len(status.faults),
    )
    yield GaugeMetricFamily(
        "peavey_faults_of_stopped", "The same of containers that have stopped.", len(status.faults_of_stopped)
    )


def _disk_metrics(disk: Disk) -> Iterable[Metric]:
    yield GaugeMetricFamily("peavey_disk_used_bytes", "What all journals take.", disk.used_bytes)
    if disk.limit_bytes is not None:
        yield GaugeMetricFamily("peavey_disk_limit_bytes", "What they may take (PEAVEY_DISK_LIMIT).", disk.limit_bytes)
    yield GaugeMetricFamily("peavey_disk_free_bytes", "What is free on the file system.", disk.free_bytes)
    if disk.keep_free_bytes is not None:
        yield GaugeMetricFamily(
            "peavey_disk_keep_free_bytes", "What is left free for others (PEAVEY_DISK_FREE).", disk.keep_free_bytes
        )
    yield GaugeMetricFamily("peavey_disk_full", "1 while the disk is so full that lines are dropped.", disk.dropping)

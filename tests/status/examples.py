"""Statuses for tests."""

from plugin.delivery.histogram import Histogram
from plugin.status.model import (
    ContainerStatus,
    Delivery,
    DestinationState,
    DestinationStatus,
    Disk,
    SinkProgress,
    Status,
    Totals,
    WorkerStatus,
    at,
)

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def sink(instance: str = "loki", **changes: object) -> SinkProgress:
    """A sink that is half a minute behind."""
    fields: dict[str, object] = {
        "instance": instance,
        "type": "loki",
        "destination": "0badcafe",
        "delivered_bytes": 1_000,
        "lag_bytes": 2_500_000,
        "lag_lines": 31_000,
        "lag_seconds": 30.5,
        "records": 12_345,
        "dead_letters": 2,
        "gap_bytes": 4_096,
        "last_success": at(NOW - 31 * SECOND),
        "faults": [],
    }
    return SinkProgress(**(fields | changes))  # type: ignore[arg-type]


def container(number: int = 0, **changes: object) -> ContainerStatus:
    """A running container with one sink."""
    fields: dict[str, object] = {
        "id": f"{number:064x}",
        "name": f"web-{number}",
        "image": "nginx",
        "streams": 1,
        "received_bytes": 5_000_000,
        "journal_bytes": 3_000_000,
        "dropped_lines": 0,
        "dropped_bytes": 0,
        "throttled": False,
        "sinks": [sink()],
    }
    return ContainerStatus(**(fields | changes))  # type: ignore[arg-type]


def destination(**changes: object) -> DestinationStatus:
    """A destination that works."""
    fields: dict[str, object] = {
        "id": "0badcafe",
        "instance": "loki",
        "type": "loki",
        "address": "http://loki:3100",
        "state": DestinationState.OK,
        "share": 0,
        "containers": 1,
        "batches": 17,
        "records": 12_345,
        "sent_bytes": 777_000,
        "retries": 3,
        "dead_letters": 2,
        "last_success": at(NOW - 31 * SECOND),
        "last_error": "",
        "failing_since": None,
        "delays": Histogram(counts=[0, 5, 12, *[0] * 11], sum_seconds=4.5),
    }
    return DestinationStatus(**(fields | changes))  # type: ignore[arg-type]


def status(**changes: object) -> Status:
    """A plugin with one container and one destination."""
    fields: dict[str, object] = {
        "version": "1.2.3",
        "started": at(NOW - 3_720 * SECOND),
        "now": at(NOW),
        "uptime_seconds": 3_720.0,
        "disk": Disk(
            used_bytes=3_000_000,
            limit_bytes=10**10,
            free_bytes=5 * 10**10,
            keep_free_bytes=10**9,
            dropping=False,
        ),
        "delivery": Delivery(
            wanted=1, alive=1, workers=[WorkerStatus(share=0, pid=7, started=at(NOW - SECOND), reported=at(NOW))]
        ),
        "totals": Totals(
            received_lines=60_000, received_bytes=6_000_000, dropped_lines=3, dropped_bytes=99, given_up_bytes=7
        ),
        "containers": [container()],
        "destinations": [destination()],
        "faults": [],
    }
    return Status(**(fields | changes))  # type: ignore[arg-type]

"""Statuses for tests."""

from plugin.status.model import ContainerStatus, Delivery, DestinationStatus, Disk, SinkProgress, Status, WorkerStatus

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def sink(instance: str = "loki", **changes: object) -> SinkProgress:
    """A sink that is half a minute behind."""
    fields: dict[str, object] = {
        "instance": instance,
        "type": "loki",
        "cursor": 1_000,
        "lag_bytes": 2_500_000,
        "lag_lines": 31_000,
        "lag_seconds": 30.5,
        "records": 12_345,
        "dead_letters": 2,
        "gap_bytes": 4_096,
        "last_success": NOW - 31 * SECOND,
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
        "received": 5_000_000,
        "journal": 3_000_000,
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
        "share": 0,
        "containers": 1,
        "batches": 17,
        "records": 12_345,
        "bytes": 777_000,
        "retries": 3,
        "dead_letters": 2,
        "last_success": NOW - 31 * SECOND,
        "last_error": "",
        "failing_since": 0,
        "misconfigured": False,
    }
    return DestinationStatus(**(fields | changes))  # type: ignore[arg-type]


def status(**changes: object) -> Status:
    """A plugin with one container and one destination."""
    fields: dict[str, object] = {
        "version": "1.2.3",
        "started": NOW - 3_720 * SECOND,
        "now": NOW,
        "uptime": 3_720.0,
        "disk": Disk(used=3_000_000, limit=10**10, free=5 * 10**10, keep_free=10**9, dropping=False),
        "delivery": Delivery(
            wanted=1, alive=1, workers=[WorkerStatus(share=0, pid=7, started=NOW - SECOND, reported=NOW)]
        ),
        "containers": [container()],
        "destinations": [destination()],
        "faults": [],
    }
    return Status(**(fields | changes))  # type: ignore[arg-type]

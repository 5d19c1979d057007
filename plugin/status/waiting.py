"""What waits and was lost, by destination: sums over containers, of which there may be many that have stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from plugin.status.model import ContainerStatus, SinkProgress, Status


class Target(NamedTuple):
    """A destination: its id, and sink and type as at the first container that uses it.

    Sinks that cannot be used have none: there the id is empty, and sink and type are the container's.
    """

    destination: str
    sink: str
    type: str


@dataclass(slots=True)
class Waiting:
    """What containers have that a destination has not got: how many of them, and the age of the oldest line."""

    containers: int = 0
    bytes: int = 0
    lines: int = 0
    seconds: float = 0.0


def waiting(status: Status) -> dict[tuple[Target, bool], Waiting]:
    """Return what waits for each destination, of containers that run (True) and of those that have stopped."""
    found: dict[tuple[Target, bool], Waiting] = {}
    for container, sink, target in _sinks(status):
        total = found.setdefault((target, container.is_running), Waiting())
        total.containers += sink.lag_bytes > 0
        total.bytes += sink.lag_bytes
        total.lines += sink.lag_lines
        total.seconds = max(total.seconds, sink.lag_seconds)
    return found


class LossCounter:
    """Counts by destination what was lost before it could be delivered, and never less than before.

    It goes by what each status says: what is lost with a whole journal between two of them is not seen.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}
        self._lost: dict[Target, int] = {}

    def count(self, status: Status) -> dict[Target, int]:
        """Return the bytes of journal that were lost, for each destination that is there."""
        seen: dict[tuple[str, str], int] = {}
        lost: dict[Target, int] = {}
        for container, sink, target in _sinks(status):
            key = container.id, sink.instance
            seen[key] = sink.gap_bytes
            total = lost.get(target, self._lost.get(target, 0))
            lost[target] = total + max(0, sink.gap_bytes - self._seen.get(key, 0))
        self._seen, self._lost = seen, lost
        return lost


def _sinks(status: Status) -> Iterator[tuple[ContainerStatus, SinkProgress, Target]]:
    names = {one.id: Target(one.id, one.instance, one.type) for one in reversed(status.destinations)}
    for container in status.containers:
        for sink in container.sinks:
            target = names.get(sink.destination) or Target(sink.destination, sink.instance, sink.type)
            if sink.destination:
                names.setdefault(sink.destination, target)
            yield container, sink, target

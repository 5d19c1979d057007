"""Which part of a status is shown, and what is wrong in it."""

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from plugin.commands.humanize import show_bytes, show_count
from plugin.errors import PeaveyError
from plugin.status.model import ContainerStatus, DestinationState, DestinationStatus, SinkProgress, Status

_LATE = 60.0  # seconds
_WORST_FIRST = (
    DestinationState.MISCONFIGURED,
    DestinationState.FAILING,
    DestinationState.REFUSING,
    DestinationState.OK,
    DestinationState.IDLE,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted: containers of these names (patterns, or beginnings of ids), those that run, or are in trouble.

    ``everything``
        whether stopped containers that have nothing left to deliver are listed as well
    """

    names: tuple[str, ...] = ()
    running: bool = False
    failing: bool = False
    everything: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not (self.names or self.running or self.failing)

    @property
    def shows_finished(self) -> bool:
        """Whether containers are shown that have stopped, and of which nothing waits."""
        return self.everything or bool(self.names)


def selected(status: Status, selection: Selection) -> Status:
    """Return a status with the containers that are wanted, and the destinations that they use.

    Raises ``PeaveyError`` for a name that means none of them.
    """
    if selection.is_whole:
        return status
    for name in selection.names:
        if not any(_is_called(one, name) for one in status.containers):
            raise PeaveyError(f"the plugin has no container '{name}' (peavey ls lists those that it has)")
    containers = [one for one in status.containers if _is_wanted(one, selection, status)]
    used = {sink.destination for one in containers for sink in one.sinks}
    destinations = [one for one in status.destinations if one.id in used or (selection.failing and _is_bad(one))]
    if selection.failing:
        destinations = [one for one in destinations if _is_bad(one)]
    return msgspec.structs.replace(status, containers=containers, destinations=destinations)


def troubles_of(one: ContainerStatus, status: Status) -> Iterator[str]:
    """Yield what is wrong with a container, but for what is wrong with its destinations."""
    if one.throttled:
        yield "slowed down, since too much waits to be delivered (overflow=throttle)"
    if one.dropped_lines:
        yield f"{show_count(one.dropped_lines)} lines dropped for want of room on the disk"
    for sink in one.sinks:
        for fault in sink.faults:
            if not any(fault in told for told in status.faults):
                yield f"sink {sink.instance}: {fault}"
        if sink.dead_letters:
            yield f"sink {sink.instance}: {show_count(sink.dead_letters)} dead letters (peavey dead)"
        if sink.gap_bytes:
            yield f"sink {sink.instance}: {show_bytes(sink.gap_bytes)} lost before they could be delivered"


def is_late(sink: SinkProgress) -> bool:
    """Return whether a sink is more than a minute behind."""
    return sink.lag_seconds > _LATE


def merged(destinations: Iterable[DestinationStatus]) -> list[DestinationStatus]:
    """Return destinations, those that are in trouble first; one that several delivery processes have counts once."""
    found: dict[str, DestinationStatus] = {}
    for one in destinations:
        found[one.id] = _sum(found[one.id], one) if one.id in found else one
    return sorted(found.values(), key=lambda one: (_WORST_FIRST.index(one.state), one.instance, one.address, one.id))


def _sum(one: DestinationStatus, other: DestinationStatus) -> DestinationStatus:
    worse = min(one, other, key=lambda each: _WORST_FIRST.index(each.state))
    since = [each.failing_since for each in (one, other) if each.failing_since]
    success = [each.last_success for each in (one, other) if each.last_success]
    counts = ("containers", "batches", "records", "sent_bytes", "retries", "dead_letters")
    return msgspec.structs.replace(
        worse,
        failing_since=min(since, default=None),
        last_success=max(success, default=None),
        **{count: getattr(one, count) + getattr(other, count) for count in counts},
    )


def _is_wanted(one: ContainerStatus, selection: Selection, status: Status) -> bool:
    if selection.names and not any(_is_called(one, name) for name in selection.names):
        return False
    if selection.running and not one.is_running:
        return False
    return not selection.failing or _is_in_trouble(one, status)


def _is_in_trouble(one: ContainerStatus, status: Status) -> bool:
    if any(troubles_of(one, status)):
        return True
    bad = {destination.id for destination in status.destinations if _is_bad(destination)}
    return any(sink.faults or is_late(sink) or (sink.lag_bytes and sink.destination in bad) for sink in one.sinks)


def _is_bad(one: DestinationStatus) -> bool:
    return one.state not in (DestinationState.OK, DestinationState.IDLE)


def _is_called(one: ContainerStatus, name: str) -> bool:
    return one.id.startswith(name) or fnmatch.fnmatchcase(one.name, name.removeprefix("/"))

"""The status as text for a terminal, or for a pipe: first what needs attention, then destinations and containers."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from rich.text import Text

from plugin.commands.humanize import show_bytes, show_count, show_seconds, show_short_count
from plugin.commands.status_selection import (
    Selection,
    is_late,
    merged,
    selected,
    troubles_of,
)
from plugin.commands.table import Column, table
from plugin.config.parsing import printable
from plugin.docker.info import short_id
from plugin.status.model import ContainerStatus, DestinationState, DestinationStatus, SinkProgress, Status
from plugin.status.waiting import Waiting, waiting

_SILENT = 10.0  # seconds: a delivery process reports every second
_WIDE = 110
_MOST_TROUBLES = 20
_BAD = "bold red"
_DOUBTFUL = "yellow"
_QUIET = "dim"
_STYLES = {
    DestinationState.IDLE: _QUIET,
    DestinationState.OK: "green",
    DestinationState.REFUSING: _BAD,
    DestinationState.FAILING: _DOUBTFUL,
    DestinationState.MISCONFIGURED: _BAD,
}
_NOTHING = Text("-", _QUIET)


def render_status(
    status: Status, before: Status | None = None, width: int | None = None, selection: Selection | None = None
) -> list[Text]:
    """Return the lines of a status; with the one before it, how much came and went per second in between.

    ``width`` is how many characters fit into a line, None if that does not matter. Raises ``PeaveyError`` for a name
    that the selection has and the status has not.
    """
    selection = selection or Selection()
    view = _View(selected(status, selection), before, width)
    lines = [*_summary(status), *_attention(view, everything=selection.failing)]
    if view.destinations:
        lines += [Text(), *_destinations(view)]
    running = [one for one in view.containers if one.is_running]
    stopped = [one for one in view.containers if not one.is_running]
    finished = [] if selection.shows_finished else [one for one in stopped if view.is_finished(one)]
    stopped = [one for one in stopped if selection.shows_finished or not view.is_finished(one)]
    for state, containers in (("running", running), ("stopped", stopped)):
        if containers:
            lines += [Text(), *_containers(state, containers, view)]
    if finished:
        text = f"{show_count(len(finished))} stopped, with nothing left to deliver (listed by --all, and by peavey ls)"
        lines += [Text(), *_wrapped(text, width, "", _QUIET)]
    return lines


class _View:
    """A status, and what is shown at many places of it; ``before`` is an earlier one, for rates."""

    def __init__(self, status: Status, before: Status | None, width: int | None) -> None:
        self.status = status
        self.width = width
        self.is_wide = width is None or width >= _WIDE
        self.destinations = {one.id: one for one in merged(status.destinations)}
        self.troubles = {one.id: list(troubles_of(one, status)) for one in status.containers}
        self.containers = sorted(
            status.containers,
            key=lambda one: (not self.troubles[one.id], not one.is_running, one.name, one.id),
        )
        self.waiting = _waiting_by_id(status)
        self._elapsed = (status.now - before.now).total_seconds() if before else 0.0
        self._received: dict[str, int] = {}
        self._records: dict[tuple[str, str], int] = {}
        self._delivered: dict[str, int] = {}
        if before is not None:
            self._received = {one.id: one.received_bytes for one in before.containers}
            self._records = {(one.id, sink.instance): sink.records for one in before.containers for sink in one.sinks}
            self._delivered = {one.id: one.records for one in merged(before.destinations)}

    def is_finished(self, one: ContainerStatus) -> bool:
        """Return whether nothing is left to be delivered of a container, or to be looked after."""
        return not self.troubles[one.id] and not any(sink.lag_bytes for sink in one.sinks)

    def received(self, one: ContainerStatus) -> Text:
        """Return how many bytes came in."""
        return self._cell(one.received_bytes, self._received.get(one.id), show_bytes)

    def records(self, one: ContainerStatus, sink: SinkProgress) -> Text:
        """Return how many records a sink got."""
        return self._cell(sink.records, self._records.get((one.id, sink.instance)), show_short_count)

    def delivered(self, one: DestinationStatus) -> Text:
        """Return how many records a destination took."""
        return self._cell(one.records, self._delivered.get(one.id), show_short_count)

    def _cell(self, now: int, before: int | None, show: Callable[[float], str]) -> Text:
        """Return a count and how fast it grows; where that is known and there is little room, that alone."""
        rate = ""
        if before is not None and self._elapsed > 0 and now > before:
            rate = f"+{show((now - before) / self._elapsed)}/s"
        if self._elapsed and not self.is_wide:
            return Text(rate) if rate else _NOTHING
        return Text(f"{show(now)} {rate}".rstrip())


def _summary(status: Status) -> Iterator[Text]:
    disk, delivery = status.disk, status.delivery
    running = sum(one.is_running for one in status.containers)
    yield Text(
        f"peavey {status.version}, up {show_seconds(status.uptime_seconds)}; containers: {show_count(running)} running,"
        f" {show_count(len(status.containers) - running)} stopped"
    )
    limit = "" if disk.limit_bytes is None else f" of {show_bytes(disk.limit_bytes)}"
    keep = "" if disk.keep_free_bytes is None else f" ({show_bytes(disk.keep_free_bytes)} kept free)"
    yield Text(f"disk: journals take {show_bytes(disk.used_bytes)}{limit}, {show_bytes(disk.free_bytes)} free{keep}")
    if not delivery.wanted:
        yield Text("delivery: not needed, no container has a sink")
    else:
        yield Text(f"delivery: {delivery.alive} of {delivery.wanted} processes run")


def _attention(view: _View, *, everything: bool) -> Iterator[Text]:
    """Yield what is wrong, the plugin's own troubles first, then those of destinations, then those of containers."""
    status = view.status
    parts: list[tuple[str, str, str]] = [(text, "", _BAD) for text in _own_troubles(status)]
    for one in view.destinations.values():
        if one.state in (DestinationState.OK, DestinationState.IDLE):
            continue
        since = _ago(one.failing_since, status.now)
        head = f"{_name(one)}: {one.state.value}{f' for {since}' if since else ''}"
        error = one.last_error or f"{show_count(one.dead_letters)} dead letters (peavey dead)"
        parts.append((f"{head}: {error}", _told_waiting(view.waiting.get(one.id)), _STYLES[one.state]))
    own = [(one, text) for one in view.containers for text in view.troubles[one.id]]
    shown = own if everything else own[:_MOST_TROUBLES]
    parts += [(f"{_label(one)}: {text}", "", "") for one, text in shown]
    if len(own) > len(shown):
        parts.append((f"and {show_count(len(own) - len(shown))} more: peavey status --failing", "", _QUIET))
    if parts:
        yield Text()
        yield Text("needs attention:", _BAD)
    for text, more, style in parts:
        yield from _wrapped(printable(text), view.width, "  ", style)
        if more:
            yield from _wrapped(more, view.width, "    ", "")


def _own_troubles(status: Status) -> Iterator[str]:
    if status.disk.dropping:
        yield "the disk is FULL: lines are dropped"
    delivery = status.delivery
    if delivery.alive < delivery.wanted:
        yield f"delivery: only {delivery.alive} of {delivery.wanted} processes run"
    for worker in delivery.workers:
        if (status.now - worker.reported).total_seconds() > _SILENT:
            yield f"delivery: process {worker.share} last reported {_ago(worker.reported, status.now)} ago"
    yield from status.faults
    yield from status.faults_of_stopped


def _told_waiting(one: Waiting | None) -> str:
    if one is None or not one.bytes:
        return "nothing waits for it"
    plural = "" if one.containers == 1 else "s"
    return (
        f"{show_bytes(one.bytes)} of {show_count(one.containers)} container{plural} wait for it, the oldest line for"
        f" {show_seconds(one.seconds)}"
    )


def _waiting_by_id(status: Status) -> dict[str, Waiting]:
    found: dict[str, Waiting] = {}
    for (target, _), one in waiting(status).items():
        total = found.setdefault(target.destination, Waiting())
        total.containers += one.containers
        total.bytes += one.bytes
        total.lines += one.lines
        total.seconds = max(total.seconds, one.seconds)
    return found


def _destinations(view: _View) -> list[Text]:
    columns = [
        Column("destination", flexible=True, least=16),
        Column("state"),
        *([Column("id"), Column("containers", right=True)] if view.is_wide else []),
        Column("behind by", right=True),
        Column("records", right=True),
        Column("dead", right=True),
        Column("last ok", right=True),
    ]
    rows = []
    for one in view.destinations.values():
        behind = view.waiting.get(one.id, Waiting())
        row = [Text(printable(_name(one))), Text(one.state.value, _STYLES[one.state])]
        if view.is_wide:
            row += [Text(one.id), Text(show_count(one.containers))]
        row += [
            _behind(behind.bytes, behind.seconds),
            view.delivered(one),
            Text(show_short_count(one.dead_letters), _BAD) if one.dead_letters else _NOTHING,
            Text(_ago(one.last_success, view.status.now) or "never"),
        ]
        rows.append(row)
    return table(columns, rows, view.width)


def _containers(state: str, containers: Iterable[ContainerStatus], view: _View) -> list[Text]:
    columns = [
        Column(state, flexible=True, least=12),
        *([Column("id")] if view.is_wide else []),
        Column("sink", flexible=True, least=8),
        Column("in", right=True),
        *([Column("journal", right=True)] if view.is_wide else []),
        Column("behind by", right=True),
        *([Column("lines", right=True)] if view.is_wide else []),
        Column("out", right=True),
        *([Column("kept back", right=True)] if view.is_wide else []),
        Column("last ok", right=True),
    ]
    rows = []
    for one in containers:
        name = [Text(printable(one.name) or "?")]
        sizes = [view.received(one)]
        if view.is_wide:
            name.append(Text(short_id(one.id)))
            sizes.append(Text(show_bytes(one.journal_bytes)))
        sinks: Iterable[SinkProgress | None] = one.sinks or (None,)
        for sink in sinks:
            rows.append([*name, _sink_name(sink, one, view), *sizes, *_sink_cells(sink, one, view)])
            if view.width is not None:  # a line of a pipe, which may be sought by its name, has it
                name, sizes = [Text()] * len(name), [Text()] * len(sizes)
    return table(columns, rows, view.width)


def _sink_name(sink: SinkProgress | None, one: ContainerStatus, view: _View) -> Text:
    if sink is None:
        return _NOTHING
    destination = view.destinations.get(sink.destination)
    is_wrong = sink.faults or (destination is not None and destination.state is DestinationState.MISCONFIGURED)
    name = sink.instance if sink.type in sink.instance.split(".") else f"{sink.instance} ({sink.type})"
    is_doubtful = one.throttled or is_late(sink)
    return Text(printable(name), _BAD if is_wrong else _DOUBTFUL if is_doubtful else "")


def _sink_cells(sink: SinkProgress | None, one: ContainerStatus, view: _View) -> Iterator[Text]:
    if sink is None:
        yield from [_NOTHING] * (5 if view.is_wide else 3)
        return
    yield _behind(sink.lag_bytes, sink.lag_seconds, _DOUBTFUL if is_late(sink) else "")
    if view.is_wide:
        yield Text(show_count(sink.lag_lines)) if sink.lag_bytes else _NOTHING
    yield view.records(one, sink)
    if view.is_wide:
        kept_back = sum(each.records for each in sink.filtered)
        yield Text(show_count(kept_back)) if kept_back else _NOTHING
    yield Text(_ago(sink.last_success, view.status.now) or "never")


def _behind(size: int, seconds: float, style: str = "") -> Text:
    return Text(f"{show_bytes(size)}, {show_seconds(seconds)}", style) if size else _NOTHING


def _label(one: ContainerStatus) -> str:
    return f"{one.name} ({short_id(one.id)})" if one.name else short_id(one.id)


def _name(one: DestinationStatus) -> str:
    return f"{one.instance}@{one.address}" if one.address else one.instance


def _ago(time: datetime | None, now: datetime) -> str:
    return "" if time is None else show_seconds(max(0.0, (now - time).total_seconds()))


def _wrapped(text: str, width: int | None, indent: str, style: str) -> list[Text]:
    if width is None:
        return [Text(indent + text, style)]
    lines = textwrap.wrap(
        text, max(20, width), initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False
    )
    return [Text(line, style) for line in lines]

"""The status as tables for a terminal."""

from collections.abc import Callable, Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plugin.commands.humanize import show_age, show_bytes, show_count, show_seconds
from plugin.config.parsing import printable
from plugin.docker.info import short_id
from plugin.status.model import ContainerStatus, DestinationStatus, SinkProgress, Status

_SECOND = 1_000_000_000
_LATE = 60.0  # seconds
_SILENT = 10.0  # seconds: a delivery process reports every second
_BAD = "bold red"
_DOUBTFUL = "yellow"


def render_status(status: Status, before: Status | None = None) -> RenderableType:
    """Render a status; with the one before it, also how much came and went per second in between."""
    parts: list[RenderableType] = [_summary(status)]
    if status.containers:
        parts += ["", _containers(status, before)]
    if status.destinations:
        parts += ["", _destinations(status, before)]
    if status.faults:
        parts += ["", Text("needs attention:", _BAD)]
        parts += [Text(f"  {printable(fault)}") for fault in status.faults]
    return Group(*parts)


def _summary(status: Status) -> Text:
    disk, delivery = status.disk, status.delivery
    limit = "" if disk.limit is None else f" of {show_bytes(disk.limit)}"
    keep = "" if disk.keep_free is None else f" ({show_bytes(disk.keep_free)} kept free)"
    lines = [
        Text(f"peavey {status.version}, up {show_seconds(status.uptime)}"),
        Text(f"disk: journals take {show_bytes(disk.used)}{limit}, {show_bytes(disk.free)} free{keep}"),
    ]
    if disk.dropping:
        lines[-1].append(", FULL: lines are dropped", _BAD)
    if not delivery.wanted:
        lines.append(Text("delivery: not needed, no container has a sink"))
    else:
        missing = delivery.alive < delivery.wanted
        lines.append(Text(f"delivery: {delivery.alive} of {delivery.wanted} processes run", _BAD if missing else ""))
        for worker in delivery.workers:
            if status.now - worker.reported > _SILENT * _SECOND:
                text = f", process {worker.share} last reported {show_age(worker.reported, status.now)}"
                lines[-1].append(text, _BAD)
    return Text("\n").join(lines)


def _table(columns: Iterable[str], left: int) -> Table:
    """Make a table whose first columns are texts and the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table


def _containers(status: Status, before: Status | None) -> Table:
    columns = ["container", "id", "state", "sink", "in", "journal", "dropped", "lag", "lines", "age", "out", "dead"]
    filters = any(sink.filtered for one in status.containers for sink in one.sinks)
    table = _table([*columns, "gap", *(["filtered"] if filters else []), "last success"], left=4)
    earlier = {one.id: one for one in before.containers} if before else {}
    elapsed = _elapsed(status, before)
    for one in status.containers:
        previous = earlier.get(one.id)
        own = _container_cells(one, None if previous is None else previous.received, elapsed)
        progress = {sink.instance: sink.records for sink in previous.sinks} if previous else {}
        for sink in one.sinks:
            rate = _rate(sink.records, progress.get(sink.instance), elapsed, show_count)
            cells = _sink_cells(sink, rate, status.now)
            if filters:
                cells.insert(-1, Text(show_count(sum(each.records for each in sink.filtered))))
            table.add_row(*own[:3], _sink_name(sink), *own[3:], *cells)
            own = [Text("")] * len(own)
        if not one.sinks:
            table.add_row(*own[:3], Text("-", "dim"), *own[3:])
    return table


def _container_cells(one: ContainerStatus, received_before: int | None, elapsed: float) -> list[Text]:
    state = Text("running" if one.streams else "stopped", "" if one.streams else "dim")
    if one.redirected:
        state.append(", redirected", _DOUBTFUL)
    if one.throttled:
        state = Text("throttled", _DOUBTFUL)
    dropped = Text("-", "dim")
    if one.dropped_bytes:
        dropped = Text(f"{show_count(one.dropped_lines)} lines", _BAD)
    received = show_bytes(one.received) + _rate(one.received, received_before, elapsed, show_bytes)
    return [
        Text(printable(one.name) or "?"),
        Text(short_id(one.id)),
        state,
        Text(received),
        Text(show_bytes(one.journal)),
        dropped,
    ]


def _sink_name(sink: SinkProgress) -> Text:
    name = sink.instance if sink.instance == sink.type else f"{sink.instance} ({sink.type})"
    return Text(printable(name), _BAD if sink.faults else "")


def _sink_cells(sink: SinkProgress, rate: str, now: int) -> list[Text]:
    late = _DOUBTFUL if sink.lag_seconds > _LATE else ""
    return [
        Text(show_bytes(sink.lag_bytes), late),
        Text(show_count(sink.lag_lines), late),
        Text(show_seconds(sink.lag_seconds) if sink.lag_bytes else "-", late),
        Text(show_count(sink.records) + rate),
        Text(show_count(sink.dead_letters), _BAD if sink.dead_letters else ""),
        Text(show_bytes(sink.gap_bytes), _BAD if sink.gap_bytes else ""),
        Text(show_age(sink.last_success, now)),
    ]


def _destinations(status: Status, before: Status | None) -> Table:
    table = _table(
        ["destination", "id", "state", "containers", "batches", "records", "sent", "retries", "dead"], left=3
    )
    table.add_column("last error", overflow="fold", ratio=1)
    earlier = {(one.id, one.share): one.bytes for one in before.destinations} if before else {}
    elapsed = _elapsed(status, before)
    for one in status.destinations:
        sent = show_bytes(one.bytes) + _rate(one.bytes, earlier.get((one.id, one.share)), elapsed, show_bytes)
        table.add_row(
            Text(printable(one.instance if one.instance == one.type else f"{one.instance} ({one.type})")),
            Text(one.id),
            _state(one, status.now),
            *map(show_count, (one.containers, one.batches, one.records)),
            sent,
            show_count(one.retries),
            Text(show_count(one.dead_letters), _BAD if one.dead_letters else ""),
            Text(printable(one.last_error)),
        )
    return table


def _state(one: DestinationStatus, now: int) -> Text:
    if not one.failing_since:
        return Text("ok", "green") if one.last_success else Text("-", "dim")
    since = show_seconds(max(0, now - one.failing_since) / _SECOND)
    if one.misconfigured:
        return Text(f"misconfigured, {since}", _BAD)
    return Text(f"failing for {since}", _DOUBTFUL)


def _elapsed(status: Status, before: Status | None) -> float:
    return (status.now - before.now) / _SECOND if before else 0.0


def _rate(now: int, before: int | None, elapsed: float, show: Callable[[float], str]) -> str:
    """Show how much a count has grown per second since it was looked at before; nothing where that is not known."""
    if before is None or elapsed <= 0 or now <= before:
        return ""
    return f" +{show((now - before) / elapsed)}/s"

"""``peavey replay``: send what journals hold to a sink once more."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import msgspec

from plugin.browse.selection import known_journals
from plugin.commands import container_arguments
from plugin.commands.container_arguments import wanted_by
from plugin.commands.discovery import find_data
from plugin.commands.humanize import show_bytes, show_count, show_seconds
from plugin.commands.log_opts import given_log_opts
from plugin.commands.rlimits import raise_file_limit
from plugin.commands.rules_in_force import RULES_SETTINGS, rules_in_force
from plugin.commands.time_arguments import read_span
from plugin.config.effective import Rules
from plugin.config.options import SinkChoice, check_start
from plugin.config.parsing import hint, printable
from plugin.config.profiles import Redirect
from plugin.delivery.destination_ids import DestinationNames
from plugin.delivery.replay import Replay, Span
from plugin.delivery.replay import run as run_replays
from plugin.docker.info import Info
from plugin.errors import OptionError, PeaveyError
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata, require_metadata
from plugin.journal.redirects import read_redirect
from plugin.transforms.base import Transform
from plugin.transforms.chain import make_stages

SUMMARY = "send what journals hold to a sink once more"
DESCRIPTION = """\
Send what the journals of containers hold, running or stopped, once more: to a sink that they have (--sink), or to
another (--log-opt, also profile=NAME). The lines keep their ids, so a destination that knows ids has none twice. Live
delivery is not touched. A replay that was interrupted goes on where it was when the same command is given again. It
works on the data folder, so as root, from this process: run it where the files that log-opts name can be read.
"""
SETTINGS = ["data", *RULES_SETTINGS]

_NICE = 19
_INTERRUPTED = 130
_TOLD_AT_MOST = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    container_arguments.add_arguments(parser)
    parser.add_argument("-a", "--all", action="store_true", help="all containers")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--sink", metavar="NAME", help="a sink that the containers have, by its name there")
    where.add_argument(
        "--log-opt", action="append", default=[], metavar="NAME=VALUE", help="another sink, as for docker run"
    )
    parser.add_argument(
        "--since", default="", metavar="TIME", help="no lines before it: 2026-01-31T12:00:00Z, a Unix time, or 10m ago"
    )
    parser.add_argument("--until", default="", metavar="TIME", help="no lines after it, in the same forms")
    parser.add_argument("--anew", action="store_true", help="begin again what was interrupted")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, one object a line")
    parser.set_defaults(wrong_usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Replay; returns 1 if a line was refused for good or a sink cannot be used, 130 if interrupted.

    Raises ``PeaveyError`` before anything is sent.
    """
    container_arguments.require_some(arguments)
    span = _span(arguments)
    data = DataFolder(find_data(arguments, os.environ))
    raise_file_limit()
    wanted = wanted_by(arguments, everything=arguments.all)
    chosen = container_arguments.choose(known_journals(data), wanted, data)
    rules = rules_in_force(data, arguments, os.environ)
    found = [require_metadata(data.container(one.id)) for one in chosen.chosen]
    if arguments.sink:
        found = _with_sink(rules, data, found, arguments.sink)
        pick = _to_own(rules, data, arguments.sink)
    else:
        pick = _to_other(rules, arguments.log_opt)
    names = DestinationNames(data)
    os.nice(max(0, _NICE - os.nice(0)))
    with ExitStack() as stack:
        replays = []
        for metadata, choice in [(one, choice) for one in found for choice in pick(one)]:
            folder = data.container(metadata.info.container_id)
            replay = Replay(folder, metadata, choice, span, names, anew=arguments.anew)
            stack.callback(replay.close)
            replays.append(replay)
        began = time.monotonic()
        interrupted = asyncio.run(_replay(data, replays, pick, silent=arguments.json))
        for replay in replays:
            outcome = _outcome(replay, time.monotonic() - began)
            print(msgspec.json.encode(outcome).decode() if arguments.json else _sentence(replay, outcome))
    if interrupted:
        return _INTERRUPTED
    return 1 if any(replay.fault or replay.refused for replay in replays) else 0


def _span(arguments: argparse.Namespace) -> Span:
    since, until = read_span(arguments)
    if until and since > until:
        raise PeaveyError("--since is later than --until: no line lies between them")
    return Span(since, until, f"{arguments.since} {arguments.until}")


_Pick = Callable[[JournalMetadata], tuple[SinkChoice, ...]]


def _to_own(rules: Rules, data: DataFolder, sink: str) -> _Pick:
    """Return what finds the sink that containers have by this name, empty for one that has none."""

    def pick(metadata: JournalMetadata) -> tuple[SinkChoice, ...]:
        return tuple(choice for choice in _sinks(rules, data, metadata) if choice.instance == sink)

    return pick


def _sinks(rules: Rules, data: DataFolder, metadata: JournalMetadata) -> tuple[SinkChoice, ...]:
    return rules.read(metadata.info, read_redirect(data.container(metadata.info.container_id)))[0].sinks


def _with_sink(rules: Rules, data: DataFolder, found: list[JournalMetadata], sink: str) -> list[JournalMetadata]:
    """Leave out, and tell, the containers that have no such sink. Raises ``PeaveyError`` if none has it."""
    having, without = [], []
    for metadata in found:
        names = [choice.instance for choice in _sinks(rules, data, metadata)]
        if sink in names:
            having.append(metadata)
            continue
        there_are = f"it has {', '.join(names)}" if names else "it has none"
        without.append(f"{metadata.info.label}: has no sink '{sink}'{hint(sink, names)} ({there_are})")
    if not having:
        raise PeaveyError("; ".join(without[:_TOLD_AT_MOST]))
    for fault in without:
        print(f"peavey: {fault}", file=sys.stderr)
    return having


def _to_other(rules: Rules, texts: Sequence[str]) -> _Pick:
    """Return what makes the sinks that log-opts choose."""
    given = given_log_opts(texts)
    redirect = Redirect(number=0, options=given, since=1)
    if not rules.replaces_sinks(redirect):
        raise PeaveyError("--log-opt: no sink is chosen (examples: loki-url=http://loki:3100, profile=standard)")

    def pick(metadata: JournalMetadata) -> tuple[SinkChoice, ...]:
        options, faults = rules.read(metadata.info, redirect)
        if faults:
            raise OptionError([f"{metadata.info.label}: {fault}" for fault in faults])
        check_start(options, metadata.info)
        return tuple(replace(one, instance=one.instance.removeprefix("redirect-0.")) for one in options.sinks)

    return pick


async def _replay(data: DataFolder, replays: Sequence[Replay], pick: _Pick, *, silent: bool) -> bool:
    """Run them; return whether they were interrupted."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with _progress(replays, silent=silent) as tell:
        await run_replays(data, replays, _stages, lambda replay: partial(pick, replay.metadata), stop, tell)
    return stop.is_set() and not all(replay.is_done for replay in replays)


def _stages(choice: SinkChoice, info: Info) -> Sequence[Transform]:
    return make_stages(choice.transforms, info, choice.options.read_stages())


@contextmanager
def _progress(replays: Sequence[Replay], *, silent: bool) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far all of them are; return what brings that up to date."""
    if silent or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        total = sum(replay.total_bytes for replay in replays)
        task = progress.add_task("replaying", total=total)

        def tell() -> None:
            progress.update(task, completed=sum(replay.done_bytes for replay in replays))

        yield tell


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one: ``state`` is ``done``, ``interrupted`` or ``failed``, which ``fault`` tells."""

    container_id: str
    container_name: str
    sink: str
    destination: str
    state: str
    resumed: bool
    records: int
    refused: int
    done_bytes: int
    total_bytes: int
    seconds: float
    fault: str = ""


def _outcome(replay: Replay, seconds: float) -> _Outcome:
    state = "failed" if replay.fault else "done" if replay.is_done else "interrupted"
    info = replay.metadata.info
    return _Outcome(
        container_id=info.container_id,
        container_name=info.name,
        sink=replay.choice.instance,
        destination=replay.choice.options.destination,
        state=state,
        resumed=replay.resumed,
        records=replay.records,
        refused=replay.refused,
        done_bytes=replay.done_bytes,
        total_bytes=replay.total_bytes,
        seconds=round(seconds, 3),
        fault=replay.fault,
    )


def _sentence(replay: Replay, outcome: _Outcome) -> str:
    """Return the outcome for people."""
    where = f"{replay.choice.sink}@{outcome.destination}" if outcome.destination else replay.choice.sink
    begun = "resumed, " if outcome.resumed else ""
    text = f"{replay.metadata.info.label} to {where}: {begun}{show_count(outcome.records)} records sent"
    if outcome.refused:
        text += f", {show_count(outcome.refused)} refused for good"
    if outcome.state == "done":
        return printable(f"{text}, {show_bytes(outcome.total_bytes)} of journal in {show_seconds(outcome.seconds)}")
    so_far = f"{show_bytes(outcome.done_bytes)} of {show_bytes(outcome.total_bytes)}"
    why = f": {outcome.fault}" if outcome.fault else ""
    return printable(f"{text}; {outcome.state} at {so_far}{why}; the same command goes on there")

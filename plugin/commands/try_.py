"""``peavey try``: run log-opts over lines that are there already, and show what a sink would be given of them."""

import argparse
import itertools
import math
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
from rich.console import Console
from rich.text import Text

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.commands.log_opts import given_log_opts
from plugin.commands.terminal import console
from plugin.config.common_options import COMMON_OPTIONS
from plugin.config.effective import Rules
from plugin.config.options import SinkChoice
from plugin.config.parsing import printable, quote
from plugin.config.profiles import Redirect
from plugin.config.schema import Schema, SinkOptions
from plugin.config.settings import CONFIG, load_settings
from plugin.config.shaping_kinds import LEVELS
from plugin.delivery.origin import make_origin
from plugin.docker.info import Info
from plugin.docker.times import format_time
from plugin.errors import OptionError, PeaveyError
from plugin.journal.accepted_profiles import Accepted, read_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata
from plugin.journal.reader import JournalReader
from plugin.journal.redirects import read_redirect
from plugin.records.decoder import Decoder
from plugin.records.labelled import Labelled
from plugin.records.record import Record
from plugin.sinks.registry import make_sink, schema
from plugin.transforms.base import Reason, Transform
from plugin.transforms.chain import make_stages
from plugin.transforms.multiline import Multiline

SUMMARY = "show what log-opts make of lines that are there already"
DESCRIPTION = """\
Run log-opts over a container's journal, a file or stdin (-), and show what a sink would be given: on a terminal the
lines before and after, else the records as JSON, one a line, those that are dropped with the reason. Nothing is sent,
and nothing of the container changes. Without --log-opt, those that the container has are taken. Profiles and routes
are those in force, or those of the file that --config names. Lines of a file count as printed to stdout now, one a
millisecond.
"""
SETTINGS = ["data", "log_opts", "config"]

_CHUNK = 1 << 20
_MILLISECOND = 1_000_000
_NO_CONTAINER = Info(container_id="0" * 64, container_name="/try")


class _Nowhere(SinkOptions):
    """Stands in for a sink where the log-opts choose none."""

    name = "try"
    prefix = "try-"


class Dropped(NamedTuple):
    """A record that a stage has dropped, and why."""

    record: Record
    why: Reason


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("source", metavar="CONTAINER|FILE|-", help="a container's name or id, a file, or - for stdin")
    parser.add_argument("--log-opt", action="append", default=[], metavar="NAME=VALUE", help="as for docker run")
    parser.add_argument("--sink", metavar="NAME", help="which sink's log-opts, where they choose several")
    parser.add_argument("-n", "--lines", type=int, default=0, metavar="N", help="only the first N lines")
    parser.add_argument("--json", action="store_true", help="print JSON on a terminal, too")
    parser.add_argument("--diff", action="store_true", help="print the lines before and after into a pipe, too")


def run(arguments: argparse.Namespace) -> int:
    """Show it. Raises ``OptionError`` with all faults of the log-opts, ``PeaveyError`` for an unknown container."""
    info, redirect, records = _source(arguments)
    if arguments.log_opt:
        info, redirect = msgspec.structs.replace(info, config=given_log_opts(arguments.log_opt)), None
    choice = _choose(_rules(arguments), info, redirect, arguments.sink)
    pipeline = choice.options.read_stages()
    trial = Trial(make_stages(choice.transforms, info, pipeline))
    if pipeline:
        records = _with_labels(records, choice, info)
    shows_diff = arguments.diff or (sys.stdout.isatty() and not arguments.json)
    show = _diff_printer(console()) if shows_diff else _print_json
    for record in itertools.islice(records, arguments.lines or None):
        for raw, made in trial.feed(record):
            show(raw, made)
        if arguments.source == "-":  # which may go on for ever
            sys.stdout.flush()
    for raw, made in trial.end():
        show(raw, made)
    sys.stdout.flush()
    sink = "" if choice.sink == _Nowhere.name else f"sink {choice.instance}: "
    print(f"{sink}{trial.summary()}", file=sys.stderr)
    return 0


class Trial:
    """Puts records through stages one by one, and keeps track of the lines that each result is made of."""

    def __init__(self, stages: Sequence[Transform]) -> None:
        self._stages = stages
        self._lines: dict[str, deque[bytes]] = {"stdout": deque(), "stderr": deque()}
        self._raw: dict[int, list[bytes]] = {}
        self._took = 0.0
        self._read = self._made = 0
        self._dropped: Counter[Reason] = Counter()

    def feed(self, record: Record) -> list[tuple[list[bytes], Record | Dropped]]:
        """Return what comes out, each with the lines that it was made of; none for what is made of nothing."""
        self._read += 1
        self._lines[record.source].append(record.line)
        return self._through(0, [record])

    def end(self) -> list[tuple[list[bytes], Record | Dropped]]:
        """Return what stages still hold."""
        results: list[tuple[list[bytes], Record | Dropped]] = []
        for number, stage in enumerate(self._stages):
            began = time.perf_counter()
            made = list(stage.flush(math.inf))
            self._took += time.perf_counter() - began
            self._note_joined(stage, made)
            results += self._through(number + 1, made)
        return results

    def summary(self) -> str:
        """Return what there was in one line."""
        dropped = ", ".join(f"{count:,} {why.stage} ({why.reason})" for why, count in self._dropped.items())
        speed = f", {self._read / self._took:,.0f} lines/s" if self._took else ""
        return f"{self._read:,} lines, {self._made:,} records, dropped: {dropped or 'none'}{speed}"

    def _through(self, first: int, records: list[Record]) -> list[tuple[list[bytes], Record | Dropped]]:
        results: list[tuple[list[bytes], Record | Dropped]] = []
        if first == 0 and not (self._stages and isinstance(self._stages[0], Multiline)):
            self._note_lines(records)
        for stage in self._stages[first:]:
            following: list[Record] = []
            for record in records:
                before = sum(stage.dropped.values())
                counts = dict(stage.dropped)
                began = time.perf_counter()
                following += stage.feed(record)
                self._took += time.perf_counter() - began
                if sum(stage.dropped.values()) > before:
                    (why,) = (why for why, count in stage.dropped.items() if count > counts.get(why, 0))
                    self._dropped[why] += 1
                    results.append((self._raw.pop(record.offset, []), Dropped(record, why)))
            self._note_joined(stage, following)
            records = following
        self._made += len(records)
        return results + [(self._raw.pop(record.offset, []), record) for record in records]

    def _note_joined(self, stage: Transform, records: Iterable[Record]) -> None:
        """Note of which lines records are, if they came out of a stage that joins lines."""
        if not isinstance(stage, Multiline):
            return
        if stage is self._stages[0]:
            self._note_lines(records)
            return
        for record in records:
            lines = self._raw.get(record.offset, [])
            for offset in sorted(offset for offset in self._raw if offset > record.offset):
                if len(lines) > record.line.count(b"\n"):
                    break
                lines += self._raw.pop(offset)

    def _note_lines(self, records: Iterable[Record]) -> None:
        """Note of which lines records are, that just came out of the first stage."""
        for record in records:
            lines = self._lines[record.source]
            self._raw[record.offset] = [lines.popleft() for _ in range(record.line.count(b"\n") + 1)]


def _source(arguments: argparse.Namespace) -> tuple[Info, Redirect | None, Iterator[Record]]:
    """Return the container, or one that stands in for it, where it was redirected to, and its records."""
    if arguments.source == "-":
        return _NO_CONTAINER, None, _records_of_lines(iter(sys.stdin.buffer))
    path = Path(arguments.source)
    if _is_file(path):
        return _NO_CONTAINER, None, _records_of_lines(path.open("rb"))
    data = DataFolder(find_data(arguments, os.environ))
    folder = data.container(find_container(data, arguments.source))
    note = read_metadata(folder)
    return _NO_CONTAINER if note is None else note.info, read_redirect(folder), _records_of_journal(folder)


def _is_file(path: Path) -> bool:
    """Return whether there is a file, or a pipe, as a shell makes of ``<(…)``."""
    return path.is_file() or path.is_fifo()


def _rules(arguments: argparse.Namespace) -> Rules:
    """Return what the server goes by: the plugin-wide log-opts, profiles and routes. Raises ``PeaveyError``."""
    settings = load_settings(vars(arguments), os.environ, schema(), SETTINGS)
    accepted = _accepted(arguments)
    log_opts = settings.log_opts or accepted.log_opts
    is_named = arguments.config is not None or bool(os.environ.get(CONFIG.variable))
    if not is_named and (accepted.profiles.profiles or not settings.config.is_file()):
        return Rules(log_opts, schema(), accepted.profiles)
    from plugin.config.profiles_file import read_profiles  # noqa: PLC0415 (YAML is for those who have such a file)

    try:
        return Rules(log_opts, schema(), read_profiles(settings.config, schema(), log_opts))
    except FileNotFoundError:
        raise PeaveyError(f"{CONFIG.variable}: there is no file {quote(str(settings.config))}") from None


def _accepted(arguments: argparse.Namespace) -> Accepted:
    """Return what the plugin of this host has in force; nothing where there is none, or others may not look."""
    try:
        return read_accepted(DataFolder(find_data(arguments, os.environ)))
    except PeaveyError:
        if arguments.data is not None:
            raise
        return Accepted()


def _records_of_lines(lines: Iterable[bytes]) -> Iterator[Record]:
    offset = 0
    now = time.time_ns()
    for number, line in enumerate(lines):
        end = offset + len(line)
        yield Record(None, "stdout", now + number * _MILLISECOND, line.removesuffix(b"\n"), offset, end, end)
        offset = end


def _records_of_journal(folder: Path) -> Iterator[Record]:
    reader = JournalReader(folder)
    decoder = Decoder(None, joined=True, first=0)
    try:
        while chunk := reader.peek(_CHUNK):
            used = decoder.feed(chunk, reader.offset)
            reader.advance(used)
            yield from decoder.take()
            if not used and not reader.next_segment():
                break
        decoder.flush(reader.offset)
        yield from decoder.take()
    finally:
        reader.close()


def _with_labels(records: Iterator[Record], choice: SinkChoice, info: Info) -> Iterator[Record]:
    """Yield records with the labels that the sink has for the container, which pipeline stages work on."""
    prepared = make_sink(choice).prepare(make_origin(info, choice, 0))
    for record in records:
        record.prepared = prepared
        yield record


def _choose(rules: Rules, info: Info, redirect: Redirect | None, wanted: str | None) -> SinkChoice:
    """Return the sink whose log-opts count: the one that is wanted, else the first."""
    sinks = _check(rules, info, redirect)
    if not sinks:
        nowhere = Rules(rules.log_opts, Schema(COMMON_OPTIONS, (*schema().sinks, _Nowhere)))
        sinks = nowhere.check(msgspec.structs.replace(info, config={**info.options, "sink": _Nowhere.name})).sinks
    for choice in sinks:
        if wanted in (None, choice.instance):
            return choice
    names = ", ".join(choice.instance for choice in sinks)
    raise PeaveyError(f"--sink: no sink is called {quote(wanted or '')} (there are: {names})")


def _check(rules: Rules, info: Info, redirect: Redirect | None) -> tuple[SinkChoice, ...]:
    """Return the sinks of a container as if it started now. Raises ``OptionError`` with all faults."""
    options, faults = rules.read(info, redirect)
    if faults:
        raise OptionError(list(faults))
    return options.sinks


def _print_json(_raw: list[bytes], made: Record | Dropped) -> None:
    sys.stdout.buffer.write(orjson.dumps(_as_json(made)) + b"\n")


def _as_json(made: Record | Dropped) -> dict[str, Any]:
    record = made.record if isinstance(made, Dropped) else made
    shown: dict[str, Any] = {"time": format_time(record.time_nano), "stream": record.source}
    if record.severity:
        shown |= {"severity": record.severity, "level": _level(record.severity)}
    shown["line"] = record.line.decode(errors="replace")
    if record.fields:
        shown["fields"] = record.fields
    shown |= _labels(record)
    if isinstance(made, Dropped):
        shown["dropped"] = {"stage": made.why.stage, "reason": made.why.reason}
    return shown


def _labels(record: Record) -> dict[str, Any]:
    """Return the labels of a record, and its tenant if it has one, where pipeline stages may have changed them."""
    prepared = record.prepared
    if not isinstance(prepared, Labelled):
        return {}
    tenant = prepared.change[1] if prepared.change else ""
    shown: dict[str, Any] = {"labels": dict(prepared.labels_of(record.source))}
    return shown | ({"tenant": tenant} if tenant else {})


def _level(severity: int) -> str:
    return max((name for name in LEVELS if LEVELS[name] <= severity), key=LEVELS.__getitem__)


def _diff_printer(terminal: Console) -> Callable[[list[bytes], Record | Dropped], None]:
    """Return what prints the lines before and after, as a unified diff does."""

    def put(sign: str, line: bytes | str, style: str) -> None:
        text = line if isinstance(line, str) else line.decode(errors="replace")
        terminal.print(Text(f"{sign} {printable(text)}", style), soft_wrap=True)

    def show(raw: list[bytes], made: Record | Dropped) -> None:
        if isinstance(made, Dropped):
            for line in raw or made.record.line.split(b"\n"):
                put("-", line, "red")
            put("#", f"dropped by {made.why.stage} ({made.why.reason})", "dim")
            return
        changed = isinstance(made.prepared, Labelled) and made.prepared.change is not None
        if raw == [made.line] and not made.fields and not changed:
            put(" ", made.line, "")
            return
        for line in raw:
            put("-", line, "red")
        for line in made.line.split(b"\n"):
            put("+", line, "green")
        if made.fields:
            put("+", "  " + orjson.dumps(made.fields).decode(), "cyan")
        if changed:
            put("+", "  " + orjson.dumps(_labels(made)).decode(), "cyan")

    return show

"""``peavey logs``: read journals from the data folder, without the engine and without the plugin."""

import argparse
import heapq
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from plugin.browse.levels import at_least
from plugin.browse.selection import Journal, Selection, known_journals
from plugin.commands import container_arguments
from plugin.commands.container_arguments import wanted_by
from plugin.commands.discovery import find_data
from plugin.commands.following import Follower, Found, lines_of, split_lines
from plugin.commands.line_printer import LinePrinter, PrintOptions, is_colourful, label
from plugin.commands.rlimits import raise_file_limit
from plugin.commands.time_arguments import read_span
from plugin.errors import PeaveyError
from plugin.journal.layout import DataFolder
from plugin.journal.lines import Line
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.search import SearchQuery, search_all
from plugin.journal.search_pattern import SearchPattern

SUMMARY = "read, search and follow containers' journals"
DESCRIPTION = """\
Print the logs of containers from their journals, like 'docker logs': stopped and removed containers too, as far as
retention has kept them. Needs neither the engine nor the running plugin. Several containers are merged by time, each
line with the name in front. The newest container of a name is meant; older ones have to be named by id. The data
folder is found by itself; run as root on the host to find that of a managed plugin.
"""
SETTINGS = ["data"]

_NICE = 10
_STREAMS = ("stdout", "stderr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``docker logs``, and those that choose containers and lines."""
    container_arguments.add_arguments(parser)
    parser.add_argument("-a", "--all", action="store_true", help="all containers")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="follow, also through restarts, and new containers that fit"
    )
    parser.add_argument("--until-stop", action="store_true", help="follow until the containers have stopped")
    parser.add_argument("-n", "--tail", default="all", metavar="N", help="only the last N lines (default: all)")
    parser.add_argument("-t", "--timestamps", action="store_true", help="print the time in front of each line")
    parser.add_argument(
        "--since", metavar="TIME", help="no lines before it: 2026-01-31T12:00:00Z, a Unix time, or 10m ago"
    )
    parser.add_argument("--until", metavar="TIME", help="no lines after it, in the same forms")
    parser.add_argument("-g", "--grep", metavar="PATTERN", help="only lines with this in them, in RE2 syntax")
    parser.add_argument("-v", "--invert-match", action="store_true", help="with -g: only lines without it")
    parser.add_argument("-C", "--context", type=int, default=0, metavar="N", help="and N lines round each of them")
    parser.add_argument("--level", metavar="LEVEL", help="only lines of this level or above, such as warn")
    parser.add_argument("--stream", choices=_STREAMS, help="only what was printed to it")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--raw", action="store_true", help="print escape sequences as they are on a terminal, too")
    parser.add_argument("--no-prefix", action="store_true", help="no name in front of lines of several containers")
    parser.set_defaults(wrong_usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the logs. Raises ``PeaveyError`` if no container fits, or an argument is invalid."""
    container_arguments.require_some(arguments)
    filtered = bool(arguments.project or arguments.service or arguments.label)
    follow = arguments.follow or arguments.until_stop
    query = _query(arguments, follow=follow)
    chooser = _chooser(arguments, query)
    if follow and arguments.context:
        raise PeaveyError("-C does not go with --follow: what comes behind a line is not known yet")
    raise_file_limit()
    data = DataFolder(find_data(arguments, os.environ))
    wanted = wanted_by(arguments, everything=arguments.all)
    journals = known_journals(data)
    chosen = container_arguments.choose(journals, wanted, data)
    several = len(chosen.chosen) > 1 or filtered or arguments.all or any("*" in name for name in arguments.names)
    printer = LinePrinter(_print_options(arguments, several=several))
    for journal in chosen.chosen:
        printer.expect(journal)
    if follow:
        follower = Follower(data, wanted, query, lambda one: _announce(one, printer), until_stop=arguments.until_stop)
        _follow(follower, journals, chosen, chooser, printer)
    elif chooser is None:
        _print_all(data, chosen, query, printer)
    else:
        os.nice(max(0, _NICE - os.nice(0)))
        _print_matches(data, chosen, chooser, printer)
    printer.flush()
    return 0


def _query(arguments: argparse.Namespace, *, follow: bool) -> LogQuery:
    tail = -1
    if arguments.tail != "all":
        try:
            tail = int(arguments.tail)
        except ValueError:
            raise PeaveyError(f"--tail: '{arguments.tail}' is neither a number nor 'all'") from None
    since, until = read_span(arguments)
    return LogQuery(tail=tail, since=since, until=until, follow=follow)


def _chooser(arguments: argparse.Namespace, query: LogQuery) -> SearchQuery | None:
    """Return which lines are wanted; None if all within the time."""
    if arguments.invert_match and arguments.grep is None:
        raise PeaveyError("-v needs a pattern: -g PATTERN")
    if arguments.context < 0:
        raise PeaveyError(f"-C: {arguments.context} is below 0")
    if arguments.grep is None and arguments.level is None and arguments.stream is None:
        return None
    return SearchQuery(
        pattern=None if arguments.grep is None else SearchPattern(arguments.grep),
        invert=arguments.invert_match,
        since=query.since,
        until=query.until,
        source=arguments.stream or "",
        accepts=None if arguments.level is None else _at_least(arguments.level),
        limit=query.tail,
        newest_first=query.tail >= 0,
        context=arguments.context,
    )


def _at_least(level: str) -> Callable[[Line], bool]:
    try:
        return at_least(level)
    except PeaveyError as error:
        raise PeaveyError(f"--{error}") from None


def _print_options(arguments: argparse.Namespace, *, several: bool) -> PrintOptions:
    terminal = sys.stdout.isatty()
    return PrintOptions(
        as_json=arguments.json,
        prefix=several and not arguments.no_prefix,
        timestamps=arguments.timestamps,
        colours=is_colourful(terminal),
        harmless=(terminal or (sys.stderr.isatty() and not several)) and not arguments.raw,
    )


def _announce(journal: Journal, printer: LinePrinter) -> None:
    printer.expect(journal)
    print(f"peavey: now also {label(journal)}", file=sys.stderr, flush=True)


def _print_all(data: DataFolder, chosen: Selection, query: LogQuery, printer: LinePrinter) -> None:
    """Print all lines within the time, merged by it; a tail is that of each container, cut to that of all."""
    readings = [(journal, LogReading(data.container(journal.id), query)) for journal in chosen.chosen]
    try:
        merged: Iterable[Found] = _merged(readings, finish=True)
        if query.tail >= 0 and len(readings) > 1:
            merged = deque(merged, query.tail)
        for journal, line in merged:
            printer.line(journal, line)
    finally:
        for _, reading in readings:
            reading.close()


def _merged(readings: Iterable[tuple[Journal, LogReading]], *, finish: bool) -> Iterator[Found]:
    return heapq.merge(*(_lines(*both, finish=finish) for both in readings), key=lambda found: found[1].time_nano)


def _lines(journal: Journal, reading: LogReading, *, finish: bool) -> Iterator[Found]:
    for line in lines_of(reading):
        yield journal, line
    if finish:
        for line in split_lines(reading.finish()):
            yield journal, line


def _print_matches(data: DataFolder, chosen: Selection, query: SearchQuery, printer: LinePrinter) -> None:
    """Print the matches with what is around them, each line once; the last ones are found from the end on."""
    by_id = {journal.id: journal for journal in chosen.chosen}
    folders = {name: data.container(name) for name in by_id}
    found = search_all(folders, query)
    last: dict[str, Line] = {}
    printed = False
    for one in reversed(list(found)) if query.newest_first else found:
        journal = by_id[one.key]
        lines = [*one.match.before, one.match.line, *one.match.after]
        previous = last.get(one.key)
        seen = lines.index(previous) + 1 if previous in lines else 0
        fresh = [line for line in lines[seen:] if previous is None or line.offset >= previous.offset]
        if query.context and printed and not seen:
            printer.gap()
        for line in fresh:
            printer.line(journal, line)
        if fresh:
            last[one.key] = fresh[-1]
        printed = True


def _follow(
    follower: Follower,
    journals: dict[str, Journal],
    chosen: Selection,
    chooser: SearchQuery | None,
    printer: LinePrinter,
) -> None:
    """Print what is there, merged by time, and then what comes."""
    wants = (lambda _: True) if chooser is None else chooser.wants
    try:
        for journal, line in _merged(follower.begin(journals, chosen.chosen).values(), finish=False):
            if wants(line):
                printer.line(journal, line)
        printer.flush()
        for found in follower.rounds():
            for journal, line in found:
                if wants(line):
                    printer.line(journal, line)
            if found:
                printer.flush()
    finally:
        follower.close()

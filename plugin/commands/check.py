"""``peavey check``: see whether destinations can be reached, and take a line."""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import orjson

from plugin.browse.selection import find_container
from plugin.commands.discovery import find_data
from plugin.commands.log_opts import given_log_opts
from plugin.config.effective import Rules
from plugin.config.files import restrict
from plugin.config.options import SinkChoice, check_start
from plugin.config.parsing import hint, printable, quote
from plugin.config.settings import Settings, load_settings
from plugin.delivery.destination_key import destination_key
from plugin.delivery.origin import make_origin
from plugin.docker.info import Info
from plugin.docker.times import format_time
from plugin.errors import OptionError, PeaveyError, SettingError
from plugin.journal.accepted_profiles import Accepted, read_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import require_metadata
from plugin.journal.redirects import read_redirect
from plugin.sinks.base import (
    MisconfiguredError,
    PartlyRefusedError,
    Record,
    RejectError,
    Sink,
    SinkError,
    UnavailableError,
)
from plugin.sinks.registry import make_sink, schema

SUMMARY = "see whether destinations can be reached, and take a line"
DESCRIPTION = """\
Send one line to destinations as delivery does, from this process: connect, authenticate, wait for the
acknowledgement, and say how that went. Those of --log-opt, of a container that exists, or of a profile; without any,
those of the plugin-wide log-opts and of all profiles. The line says that it is from this command. Run it where the
files that log-opts name can be read. The exit status is 1 if a destination did not take it.
"""
SETTINGS = ["data", "log_opts", "file_roots"]

_ID = "0" * 64
_NAME = "/peavey-check"
_CLOSE_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went with one destination.

    ``kind`` is what is wrong: ``unreachable``, ``misconfigured``, ``refused`` or ``failed``; ``acknowledged`` what its
    acknowledgement is worth.
    """

    sink: str
    type: str
    address: str
    seconds: float
    kind: str = ""
    error: str = ""
    acknowledged: str = ""

    @property
    def label(self) -> str:
        """The destination, as the log calls it."""
        return f"{self.sink}@{self.address}" if self.address else self.sink


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("container", metavar="CONTAINER", nargs="?", help="those in force for this container")
    parser.add_argument("--log-opt", action="append", default=[], metavar="NAME=VALUE", help="as for docker run")
    parser.add_argument("--profile", metavar="NAME", help="those of this profile")
    parser.add_argument("--timeout", type=float, default=15.0, metavar="SECONDS", help="wait so long for each (15)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Check; return 1 if a destination does not take the line. Raises ``PeaveyError`` if there is none to check."""
    if sum(map(bool, (arguments.container, arguments.log_opt, arguments.profile))) > 1:
        raise PeaveyError("give one of these: a CONTAINER, --log-opt NAME=VALUE, or --profile NAME")
    settings = load_settings(vars(arguments), os.environ, schema(), ["log_opts", "file_roots"])
    data = _data(arguments)
    restrict(replace(settings.file_access, data="" if data is None else str(data.path)))
    found = {destination_key(choice): (choice, info) for choice, info in _choices(arguments, settings, data)}
    if not found:
        raise PeaveyError("there is no destination to check: these log-opts choose no sink (peavey options)")
    good = True
    for choice, info in found.values():
        verdict = asyncio.run(check(choice, info, arguments.timeout))
        print(orjson.dumps(as_json(verdict)).decode() if arguments.json else _told(verdict), flush=True)
        good = good and not verdict.kind
    return 0 if good else 1


def _data(arguments: argparse.Namespace) -> DataFolder | None:
    """Return the data folder; None if there is none, which log-opts that are given here do not need."""
    try:
        return DataFolder(find_data(arguments, os.environ))
    except SettingError:
        if arguments.log_opt and arguments.data is None:
            return None
        raise


def _choices(
    arguments: argparse.Namespace, settings: Settings, data: DataFolder | None
) -> Iterator[tuple[SinkChoice, Info]]:
    """Yield the sinks that are to be checked, each with the container that it is checked for."""
    accepted = Accepted() if data is None else read_accepted(data)
    rules = Rules(settings.log_opts or accepted.log_opts, schema(), accepted.profiles)
    if arguments.container and data is not None:
        yield from _of_container(rules, data, arguments.container)
        return
    if arguments.log_opt:
        configs: list[dict[str, str]] = [given_log_opts(arguments.log_opt)]
    elif arguments.profile:
        known = rules.profiles.profiles
        if arguments.profile not in known:
            there = f" (there are: {', '.join(sorted(known)) or 'none'})"
            raise PeaveyError(f"unknown profile {quote(arguments.profile)}{hint(arguments.profile, known) or there}")
        configs = [{"profile": arguments.profile}]
    else:
        yield from _of_log_opts(Rules(rules.log_opts, schema()), {})
        configs = [{"profile": name} for name in sorted(rules.profiles.profiles)]
    for config in configs:
        yield from _of_log_opts(rules, config)


def _of_container(rules: Rules, data: DataFolder, name: str) -> Iterator[tuple[SinkChoice, Info]]:
    folder = data.container(find_container(data, name))
    metadata = require_metadata(folder)
    options, faults = rules.read(metadata.info, read_redirect(folder))
    if faults:
        raise OptionError(faults)
    for choice in options.sinks:
        yield choice, metadata.info


def _of_log_opts(rules: Rules, config: Mapping[str, str]) -> Iterator[tuple[SinkChoice, Info]]:
    info = Info(container_id=_ID, container_name=_NAME, config=dict(config))
    options = rules.check(info)
    check_start(options, info)
    for choice in options.sinks:
        yield choice, info


async def check(choice: SinkChoice, info: Info, seconds: float) -> Verdict:
    """Send a line to the destination of a sink, and return how that went; it takes ``seconds`` at most."""
    address = choice.options.destination
    acknowledged = type(choice.options).acknowledged
    began = time.monotonic()

    def verdict(kind: str = "", error: str = "") -> Verdict:
        took = time.monotonic() - began
        return Verdict(choice.instance, choice.sink, address, took, kind, error, "" if kind else acknowledged)

    try:
        sink = make_sink(choice)
    except (SinkError, PeaveyError) as error:
        return verdict("misconfigured", str(error))
    try:
        payload = sink.encode([_record(sink, choice, info)])
        async with asyncio.timeout(seconds):
            await sink.send(payload)
    except TimeoutError:
        return verdict("unreachable", f"no answer within {seconds:g} seconds")
    except SinkError as error:
        return verdict(_kind(error), str(error))
    except PeaveyError as error:
        return verdict("misconfigured", str(error))
    finally:
        await _close(sink)
    trouble = sink.trouble
    return verdict() if trouble is None else verdict(_kind(trouble.error), str(trouble.error))


async def _close(sink: Sink[object]) -> None:
    try:
        async with asyncio.timeout(_CLOSE_WITHIN):
            await sink.close()
    except TimeoutError:
        pass  # the process is about to end, which closes all


def _record(sink: Sink[object], choice: SinkChoice, info: Info) -> Record:
    now = time.time_ns()
    line = f"peavey check: from {info.hostname} at {format_time(now)}, to see whether this destination takes a line"
    content = line.encode()
    return Record(sink.prepare(make_origin(info, choice, now)), "stdout", now, content, 0, len(content), len(content))


def _kind(error: SinkError) -> str:
    match error:
        case MisconfiguredError():
            return "misconfigured"
        case UnavailableError():
            return "unreachable"
        case RejectError() | PartlyRefusedError():
            return "refused"
    return "failed"


def as_json(verdict: Verdict) -> dict[str, object]:
    """Return what ``--json`` prints of a destination; its fields are described in ``docs/json.md``."""
    return {
        "sink": verdict.sink,
        "type": verdict.type,
        "address": verdict.address,
        "state": verdict.kind or "ok",
        "error": verdict.error or None,
        "took_seconds": round(verdict.seconds, 3),
    }


def _told(verdict: Verdict) -> str:
    took = f"{verdict.seconds * 1000:.0f} ms"
    if verdict.kind:
        return printable(f"{verdict.label}: {verdict.kind} after {took}: {verdict.error}")
    return printable(f"{verdict.label}: ok, took a line in {took}. {verdict.acknowledged}".rstrip())

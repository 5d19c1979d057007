"""``peavey completion``: what completes the command line in a shell."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from plugin.browse.selection import Journal, known_journals
from plugin.commands.discovery import find_data
from plugin.config.schema import Option
from plugin.config.shaping_kinds import LEVELS
from plugin.docker.info import short_id
from plugin.errors import PeaveyError
from plugin.journal.accepted_profiles import read_accepted
from plugin.journal.layout import DataFolder
from plugin.sinks.registry import schema

SUMMARY = "print the script that completes the command line in bash, zsh or fish"
DESCRIPTION = """\
Print a shell's completion script: for commands, flags, log-opts and their values, and, where the data folder can be
read, for containers and profiles. To install it:

  peavey completion bash > /etc/bash_completion.d/peavey
  peavey completion zsh > /usr/local/share/zsh/site-functions/_peavey
  peavey completion fish > /etc/fish/completions/peavey.fish
"""
SETTINGS: list[str] = []

_SHELLS = ("bash", "zsh", "fish")
_CANDIDATES = "candidates"
_LONGEST_HELP = 60

Candidate = tuple[str, str]
"""A word, and what it is."""
ParserOf = Callable[[Iterable[str]], argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; the scripts call it with ``candidates`` and the words of the command line."""
    parser.add_argument("shell", choices=(*_SHELLS, _CANDIDATES), metavar="bash|zsh|fish", help="the shell")
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Print the script, or what could stand in the place of the last word."""
    if arguments.shell != _CANDIDATES:
        print(Path(__file__).with_name(f"completion.{arguments.shell}").read_text(encoding="utf-8"), end="")
        return 0
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    for word, told in candidates(words, arguments.commands, arguments.parser_of):
        print(f"{word}\t{told}")
    return 0


def candidates(words: Sequence[str], commands: Sequence[str], parser_of: ParserOf) -> Iterator[Candidate]:
    """Yield what the last of ``words`` could be, which begin with the program; nothing where that is not known.

    ``parser_of`` makes the parser of some of ``commands``.
    """
    if len(words) < 2:
        return
    current = words[-1]
    if len(words) == 2:
        found = _commands(parser_of(commands))
    elif words[1] in commands:
        found = _arguments(_of_command(parser_of([words[1]]), words[1]), words)
    else:
        return
    yield from (candidate for candidate in found if candidate[0].startswith(current))


def _commands(parser: argparse.ArgumentParser) -> Iterator[Candidate]:
    yield from _flags(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield choice.dest, _short(choice.help)


def _of_command(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    (action,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    found: argparse.ArgumentParser = action.choices[name]
    return found


def _arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield what the last word could be as an argument of a command."""
    current, previous = words[-1], words[-2]
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    flag, equals, _ = current.partition("=")
    if flag.startswith("--") and equals:
        if flag in flags:
            for word, told in _values(flags[flag], current.partition("=")[2], words):
                yield f"{flag}={word}", told
    elif previous in flags and _takes_value(flags[previous]):
        yield from _values(flags[previous], current, words)
    elif current.startswith("-"):
        yield from _flags(parser)
    else:
        action = _positional(parser, flags, words)
        if action is not None:
            yield from _values(action, current, words)


def _positional(
    parser: argparse.ArgumentParser, flags: dict[str, argparse.Action], words: Sequence[str]
) -> argparse.Action | None:
    """Return the argument that the last word is, by how many come before it."""
    before = sum(
        not word.startswith("-") and not (previous in flags and _takes_value(flags[previous]))
        for previous, word in pairwise(words[1:-1])
    )
    actions = [action for action in parser._actions if not action.option_strings]
    if before < len(actions):
        return actions[before]
    return actions[-1] if actions and actions[-1].nargs in ("*", "+") else None


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _flags(parser: argparse.ArgumentParser) -> Iterator[Candidate]:
    for action in parser._actions:
        for flag in action.option_strings:
            if flag.startswith("--"):
                yield flag, _short(action.help)


def _values(action: argparse.Action, current: str, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield what an argument could be, by what its name says that it is."""
    if action.choices and _CANDIDATES not in action.choices:
        yield from ((str(choice), "") for choice in action.choices)
    elif action.choices:
        yield from ((shell, "") for shell in _SHELLS)
    elif "CONTAINER" in str(action.metavar):
        yield from _containers(words)
    elif action.dest == "log_opt":
        yield from _log_opts(current)
    elif action.dest == "profile":
        yield from _profiles(words)
    elif action.dest == "level":
        yield from ((level, "") for level in LEVELS)
    elif action.dest in _LABELS:
        yield from _labels(_LABELS[action.dest], words)


_LABELS = {
    "project": ("com.docker.compose.project", "com.docker.stack.namespace"),
    "service": ("com.docker.compose.service", "com.docker.swarm.service.name"),
}


def _log_opts(current: str) -> Iterator[Candidate]:
    """Yield names with ``=`` behind them, or, where that is there, values; the name of a sink may stand in front."""
    written, equals, _ = current.partition("=")
    instance, bare = schema().split(written)
    if equals:
        known = schema().find(bare)
        allowed = known.option.kind.allowed if known is not None else ()
        yield from ((f"{written}={value}", "") for value in allowed)
        return
    dot = "." if instance else ""
    for option in _options():
        name = option.name.removesuffix("*") if option.is_family else f"{option.name}="
        yield f"{instance}{dot}{name}", _short(option.help)
        if option.twin:
            yield f"{instance}{dot}{option.twin}=", "the same, from a file"


def _options() -> Iterator[Option[Any]]:
    yield from schema().common
    for sink in schema().sinks:
        yield from sink.options


def _containers(words: Sequence[str]) -> Iterator[Candidate]:
    for one in sorted(_journals(words), key=lambda journal: journal.shown):
        yield one.shown, f"{one.image} {short_id(one.id)}".strip()


def _labels(keys: Iterable[str], words: Sequence[str]) -> Iterator[Candidate]:
    names = {one.labels[key] for one in _journals(words) for key in keys if key in one.labels}
    yield from ((name, "") for name in sorted(names))


def _journals(words: Sequence[str]) -> list[Journal]:
    data = _data(words)
    try:
        return [] if data is None else list(known_journals(data).values())
    except OSError:
        return []


def _profiles(words: Sequence[str]) -> Iterator[Candidate]:
    data = _data(words)
    try:
        known = {} if data is None else read_accepted(data).profiles.profiles
    except PeaveyError:
        known = {}
    yield from ((name, "") for name in sorted(known))


def _data(words: Sequence[str]) -> DataFolder | None:
    """Return the data folder that the command line names, or that is found; None if there is none."""
    named = next((value for flag, value in pairwise(words) if flag == "--data"), None)
    try:
        return DataFolder(find_data(argparse.Namespace(data=named), os.environ))
    except PeaveyError:
        return None


def _short(text: str | None) -> str:
    """Return a help text, or its beginning, on one line."""
    words = " ".join((text or "").replace("%%", "%").split())
    return words if len(words) <= _LONGEST_HELP else words[: _LONGEST_HELP - 1] + "…"

"""Reading the file of profiles and routes: YAML, checked as a whole, every fault named by its line."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from plugin.config.effective import profile_faults
from plugin.config.parsing import hint, printable, quote
from plugin.config.profiles import CONDITIONS, Profile, Profiles, Route
from plugin.config.schema import Schema
from plugin.config.start import parse_start
from plugin.config.yaml_text import YamlError, check_yaml
from plugin.errors import ProfilesError

LARGEST_FILE = 1 << 20
"""Bytes."""
_KEYS = ("defaults", "profiles", "routes")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_RESERVED = re.compile(r"(redirect|replay)(-.*)?")
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_MOST_VALUES = 50_000
_MOST_MERGES = 1_000
_MOST_OPTIONS = 1_000
_NAMED_OPTION = re.compile(r"log-opt '([^']*)'")


def read_profiles(path: Path, schema: Schema, log_opts: Mapping[str, str]) -> Profiles:
    """Read and check a file; ``log_opts`` are the plugin-wide log-opts, which its profiles stand upon.

    Raises ``ProfilesError`` with every fault, ``FileNotFoundError`` if there is no such file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ProfilesError([f"cannot read {quote(str(path))}: {error.strerror}"]) from error
    if len(content) > LARGEST_FILE:
        raise ProfilesError([f"{quote(str(path))} is larger than {LARGEST_FILE:,} bytes"])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProfilesError([f"line {line}: not UTF-8 text"]) from None
    return parse_profiles(text, schema, log_opts, source=str(path))


def parse_profiles(text: str, schema: Schema, log_opts: Mapping[str, str], source: str = "") -> Profiles:
    """Read and check the text of a file. Raises ``ProfilesError`` with every fault, each with its line."""
    try:
        check_yaml(text, _MOST_VALUES)
        root = yaml.compose(text, Loader=_LOADER)
    except YamlError as error:
        raise ProfilesError([f"line {error.line}: {printable(error.problem)}"]) from None
    except yaml.YAMLError as error:  # an alias that is not known
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "unreadable"
        raise ProfilesError([f"line {mark.line + 1 if mark else 1}: not YAML: {printable(problem)}"]) from None
    reading = _Reading(schema, log_opts)
    profiles = reading.read(root, source)
    if reading.faults:
        raise ProfilesError([f"line {line}: {fault}" for line, fault in sorted(set(reading.faults))])
    return profiles


@dataclass
class _Options:
    """Log-opts as they were written, each with its line, and where the sinks are to begin."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    start: float | None = None


class _Reading:
    """One reading of a file; ``faults`` are collected, each with its line."""

    def __init__(self, schema: Schema, log_opts: Mapping[str, str]) -> None:
        self.faults: list[tuple[int, str]] = []
        self._schema = schema
        self._log_opts = log_opts
        self._merges = 0

    def read(self, root: Node | None, source: str) -> Profiles:
        parts = {key: value for key, _, value in self._members(root, "the file", _KEYS)} if root is not None else {}
        defaults = self._options(parts.get("defaults"), "defaults")
        found = {}
        for name, line, node in self._members(parts.get("profiles"), "profiles"):
            if not _NAME.fullmatch(name):
                self._fault(line, f"{quote(name)} is not a name (lower-case letters, digits, - and _; at most 64)")
            elif _RESERVED.fullmatch(name):
                self._fault(
                    line, f"the name {quote(name)} is taken: what 'peavey {name.partition('-')[0]}' makes has it"
                )
            else:
                found[name] = self._options(node, f"profile {quote(name)}", line)
        self._check(defaults, found)
        routes = tuple(self._routes(parts.get("routes"), found))
        start = defaults.start or 0.0
        profiles = {
            name: Profile(options=one.texts, start=start if one.start is None else one.start)
            for name, one in found.items()
        }
        return Profiles(defaults=defaults.texts, profiles=profiles, routes=routes, source=source)

    def _check(self, defaults: _Options, found: Mapping[str, _Options]) -> None:
        """Add the faults of log-opts; those of the defaults are told once."""
        own = profile_faults({}, defaults.texts, self._log_opts, self._schema)
        self._add_option_faults(own, defaults, "defaults")
        for name, one in found.items():
            faults = [
                fault
                for fault in profile_faults(one.texts, defaults.texts, self._log_opts, self._schema)
                if fault not in own
            ]
            self._add_option_faults(faults, one, f"profile {quote(name)}")

    def _add_option_faults(self, faults: list[str], options: _Options, what: str) -> None:
        for fault in faults:
            named = _NAMED_OPTION.search(fault)
            line = options.lines.get(named[1], options.line) if named else options.line
            self._fault(line, f"{what}: {fault}")

    def _options(self, node: Node | None, what: str, line: int = 1) -> _Options:
        options = _Options(node.start_mark.line + 1 if node is not None and line == 1 else line)
        for name, at, value in self._members(node, what):
            if name == "start":
                options.start = self._start(value, what)
                continue
            if (text := self._text(value, f"{what}: {quote(name)}")) is not None:
                options.texts[name] = text
                options.lines[name] = at
        if len(options.texts) > _MOST_OPTIONS:
            self._fault(
                options.line, f"{what}: {len(options.texts):,} log-opts, at most {_MOST_OPTIONS:,} are accepted"
            )
        return options

    def _start(self, node: Node, what: str) -> float | None:
        text = self._text(node, f"{what}: 'start'")
        try:
            return None if text is None else parse_start(text)
        except ValueError as fault:
            self._fault(_line(node), f"{what}: start: {fault}")
            return None

    def _routes(self, node: Node | None, profiles: Mapping[str, _Options]) -> Iterator[Route]:
        if node is None or _is_null(node):
            return
        if not isinstance(node, SequenceNode):
            self._fault(_line(node), "routes: a list is expected ('- when: …' and 'use: [PROFILE]')")
            return
        catches_all = 0
        for item in node.value:
            if catches_all:
                self._fault(
                    _line(item), f"this route is never reached: that of line {catches_all} matches all containers"
                )
            parts = {key: value for key, _, value in self._members(item, "a route", ("when", "use"))}
            when = {}
            for name, _, value in self._members(parts.get("when"), "when", tuple(CONDITIONS)):
                texts = self._texts(value, f"when: {name}")
                if not texts or not all(texts):
                    self._fault(_line(value), f"when: {name}: a pattern is expected, or a list of them")
                when[name] = texts
            if "use" not in parts:
                self._fault(_line(item), "a route needs 'use', the profiles that containers use; [] for none")
                continue
            use = self._texts(parts["use"], "use")
            for name in use:
                if name not in profiles:
                    self._fault(_line(parts["use"]), f"unknown profile {quote(name)}{hint(name, profiles)}")
            if not when and "when" not in parts:
                catches_all = _line(item)
            yield Route(use=tuple(dict.fromkeys(use)), when=when)

    def _members(
        self, node: Node | None, what: str, known: tuple[str, ...] = (), above: tuple[Node, ...] = ()
    ) -> Iterator[tuple[str, int, Node]]:
        """Yield the names of a mapping, the lines they are in, and their values; those of merged ones come last."""
        if node is None or _is_null(node):
            return
        if not isinstance(node, MappingNode):
            self._fault(_line(node), f"{what}: names with values are expected ('name: value')")
            return
        seen: dict[str, int] = {}
        merged: list[Node] = []
        for key, value in node.value:
            line = _line(key)
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif not isinstance(key, ScalarNode):
                self._fault(line, f"{what}: a name is expected before the colon")
            elif key.value in seen:
                self._fault(line, f"{what}: {quote(key.value)} is there twice, also in line {seen[key.value]}")
            elif known and key.value not in known:
                expected = hint(key.value, known) or f" (expected: {', '.join(known)})"
                self._fault(line, f"{what}: unknown key {quote(key.value)}{expected}")
            else:
                seen[key.value] = line
                yield key.value, line, value
        for other in merged:
            self._merges += 1
            if self._merges > _MOST_MERGES or other in (node, *above):
                self._fault(_line(node), f"{what}: more than {_MOST_MERGES:,} mappings are merged, or one into itself")
                return
            for name, line, value in self._members(other, what, known, (node, *above)):
                if name not in seen:
                    seen[name] = line
                    yield name, line, value

    def _text(self, node: Node, what: str) -> str | None:
        """Return a value as a log-opt has it: as it is written, a list with commas; None for a fault."""
        if isinstance(node, SequenceNode) and all(isinstance(item, ScalarNode) for item in node.value):
            return ",".join(item.value for item in node.value)
        if not isinstance(node, ScalarNode):
            self._fault(_line(node), f"{what}: a text, a number, true or false is expected")
            return None
        return "" if _is_null(node) else str(node.value)

    def _texts(self, node: Node, what: str) -> tuple[str, ...]:
        items = node.value if isinstance(node, SequenceNode) else [node]
        texts = (self._text(item, what) for item in items if not _is_null(item))
        return tuple(text for text in texts if text is not None)

    def _fault(self, line: int, text: str) -> None:
        self.faults.append((line, text))


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _NULL


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1

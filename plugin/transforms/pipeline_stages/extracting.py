"""Stages that take values out of a line, or of a value that was taken out before.

Also runs compiled (see ``extracting.pxd``).
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from plugin.config.pipeline_stages.model import Json, Logfmt, Path, Regex, Replace, Rewrite
from plugin.gotemplate import TemplateError
from plugin.transforms.patterns import Groups, Match, Pattern, compile_bytes, most_matches
from plugin.transforms.pipeline_stages.entry import Entry, decoded, encoded

_MALFORMED = "malformed_json"
_MOST_DIGITS = 300


class JsonStep:
    """Takes values out of JSON; why a record is dropped that is none, if such are dropped."""

    def __init__(self, stage: Json) -> None:
        self._expressions = stage.expressions
        self._simple = [(name, str(path[0][0])) for name, path in stage.expressions if _is_name(path)]
        if len(self._simple) != len(stage.expressions):
            self._simple = []
        self._source = stage.source
        self._malformed = _MALFORMED if stage.drop_malformed else None

    def __call__(self, entry: Entry) -> str | None:
        """Take the values."""
        return self._take(entry)

    def _take(self, entry: Entry) -> str | None:
        text = entry.input(self._source)
        if text is None:
            return None
        try:
            document = _read_json(text)
        except ValueError:
            return self._malformed
        extracted = entry.extracted
        if self._simple and document is not None:
            for name, key in self._simple:
                value = document.get(key)
                if type(value) is not dict and type(value) is not list:
                    extracted[name] = value
                elif (written := _written(value)) is not None:
                    extracted[name] = written
            return None
        for name, path in self._expressions:
            try:
                extracted[name] = _scalar(_at(document, path))
            except (TypeError, ValueError, RecursionError):  # nested too deeply to be written again
                continue
        return None


def _is_name(path: Path) -> bool:
    """Return whether a path is nothing but the name of a member."""
    return len(path) == 1 and len(path[0]) == 1 and isinstance(path[0][0], str)


def _read_json(text: bytes) -> dict[str, Any] | None:
    """Read an object, or null. Raises ``ValueError`` for anything else, and for what is nested too deeply."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = _read_odd_json(text)
    if document is not None and not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _read_odd_json(text: bytes) -> Any:
    """Read what is not strictly JSON, but is taken by Go: bytes that are not UTF-8, and halves of surrogate pairs."""
    plain = text.decode("utf-8", "replace")
    if plain.encode() == text and "\\ud" not in plain.lower():
        raise ValueError("not JSON")
    try:
        document = json.loads(plain, parse_int=_integer, parse_constant=_refuse)
        # In one go, since the halves can be anywhere: what they become is written and read again.
        return orjson.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _at(document: Any, path: Path) -> Any:
    """Return what the first way leads to that leads to something; what is empty or false is nothing, but for the last.

    This is what ``||`` means in JMESPath.
    """
    value = None
    for way in path:
        value = document
        for step in way:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                value = None
                break
        if value is not None and value is not False and value not in ("", [], {}):
            break
    return value


def _written(value: Any) -> str | None:
    """Return what `_scalar` does; None for what is nested too deeply to be written again."""
    try:
        return str(_scalar(value))
    except (TypeError, ValueError, RecursionError):
        return None


def _scalar(value: Any) -> Any:
    """Return a value, or as JSON, with the escapes of Go, if it holds others."""
    if not isinstance(value, dict | list):
        return value
    written = orjson.dumps(value)
    return written.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e").decode()


class LogfmtStep:
    """Takes values out of logfmt, as far as it is such."""

    def __init__(self, stage: Logfmt) -> None:
        self._names: dict[str, str] = {key: name for name, key in stage.mapping}
        self._source = stage.source

    def __call__(self, entry: Entry) -> None:
        """Take the values."""
        text = entry.input(self._source)
        if text is not None:
            for key, value in _pairs(decoded(text)):
                if (name := self._names.get(key)) is not None:
                    entry.extracted[name] = value


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys and values as go-logfmt's decoder does, up to the first fault."""
    for line in text.split("\n"):
        position, end = 0, len(line)
        while True:
            while position < end and line[position] <= " ":
                position += 1
            if position >= end:
                break
            start = position
            while position < end and line[position] > " " and line[position] not in '="':
                position += 1
            key = line[start:position]
            if not key or (position < end and line[position] == '"'):
                return
            if position >= end or line[position] != "=":
                yield key, ""
                continue
            position += 1
            if position < end and line[position] == '"':
                closing = _closing(line, position + 1)
                if closing < 0:
                    return
                try:
                    value = json.loads(line[position : closing + 1], strict=False)
                except ValueError:
                    return
                position = closing + 1
                if position < end and line[position] > " ":
                    return
                yield key, value
                continue
            start = position
            while position < end and line[position] > " ":
                if line[position] in '="':
                    return
                position += 1
            yield key, line[start:position]


def _closing(line: str, start: int) -> int:
    """Return where the quotes end that begin before ``start``, -1 if they do not."""
    position = start
    while position < len(line):
        if line[position] == '"':
            return position
        position += 2 if line[position] == "\\" else 1
    return -1


class RegexStep:
    """Takes what the named groups of a pattern match; one that took no part is empty."""

    def __init__(self, stage: Regex) -> None:
        self._pattern = Groups(stage.expression)
        self._source = stage.source

    def __call__(self, entry: Entry) -> None:
        """Take the values."""
        self._take(entry)

    def _take(self, entry: Entry) -> None:
        text = entry.input(self._source)
        spans = None if text is None else self._pattern.search(text)
        if text is None or spans is None:
            return
        extracted = entry.extracted
        for name, number in self._pattern.names:
            start, end = spans[number]
            extracted[name] = decoded(text[start:end]) if start >= 0 else ""


class ReplaceStep:
    """Puts what a template makes of each group of a pattern in place of it, wherever that matches."""

    def __init__(self, stage: Replace) -> None:
        self._pattern: Pattern = compile_bytes(stage.expression)
        self._names = tuple(self._pattern.groupindex.items())
        self._groups = range(1, self._pattern.groups + 1)
        self._source = stage.source
        self._template = stage.template
        self._constant = stage.template.constant

    def __call__(self, entry: Entry) -> None:
        """Replace, and take what was put in place of named groups."""
        text = entry.input(self._source)
        if text is None:
            return
        matches = list(_matches(self._pattern, text))
        if not matches or len(matches) > most_matches(text):
            return
        values = {} if self._constant is not None else template_data(entry)
        pieces: list[bytes] = []
        end = 0
        made: dict[bytes, bytes] = {}
        try:
            for match in matches:
                for group in self._groups:
                    start, behind = match.span(group)
                    if start < 0:
                        continue
                    found = text[start:behind]
                    if found not in made:
                        made[found] = self._rendered(values, found)
                    if end == 0 or end <= start:
                        pieces += (text[end:start], made[found])
                        end = behind
        except TemplateError:
            return
        result = b"".join((*pieces, text[end:]))
        if self._source:
            entry.extracted[self._source] = decoded(result)
        else:
            entry.record.line = result
        first = matches[0].groups()
        for name, number in self._names:
            if (replaced := made.get(first[number - 1] or b"")) is not None:
                entry.extracted[name] = decoded(replaced)

    def _rendered(self, values: Mapping[bytes, bytes], found: bytes) -> bytes:
        if self._constant is not None:
            return self._constant
        return self._template.render_bytes({**values, b"Value": found})


def _matches(pattern: Pattern, text: bytes) -> Iterator[Match]:
    """Yield matches as Go finds all: one of nothing does not count right behind another one."""
    last = -1
    for match in itertools.islice(pattern.finditer(text), most_matches(text) + 1):
        start, behind = match.span()
        if not start == behind == last:
            yield match
        last = behind


class RewriteStep:
    """Sets an extracted value by a template; takes it away if that makes nothing."""

    def __init__(self, stage: Rewrite) -> None:
        self._source = stage.source
        self._template = stage.template
        self._constant = stage.template.constant

    def __call__(self, entry: Entry) -> None:
        """Set the value."""
        made = self._constant
        if made is None:
            values = template_data(entry)
            if (value := entry.text(self._source)) is not None:
                values[b"Value"] = encoded(value)
            values[b"Entry"] = entry.record.line
            try:
                made = self._template.render_bytes(values)
            except TemplateError:
                return
        if made:
            entry.extracted[self._source] = decoded(made)
        else:
            entry.extracted.pop(self._source, None)


def template_data(entry: Entry) -> dict[bytes, bytes]:
    """Return what templates have: the extracted values as texts."""
    return {encoded(name): encoded(text) for name in entry.extracted if (text := entry.text(name)) is not None}

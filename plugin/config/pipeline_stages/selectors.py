"""Selectors of the stage ``match``: LogQL's matchers of labels and filters of lines, ``{app="web"} |= "error"``.

Source: ``clients/pkg/logentry/logql`` in grafana/loki.
"""

import json
import re
from typing import Literal

from plugin.config.parsing import quote
from plugin.config.pipeline_stages.model import Condition
from plugin.docker.attributes import compile_pattern

_TEXT = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`'
_MATCHER = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(,|\}})")
_FILTER = re.compile(rf"\s*(\|=|\|~|!=|!~)\s*({_TEXT})")
_OPEN = re.compile(r"\s*\{")
_CLOSE = re.compile(r"\s*\}")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|U([0-9a-fA-F]{8})|([abfnrtv\\\"'])|u[0-9a-fA-F]{4})")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MOST = 100

Kind = Literal["=", "!=", "=~", "!~", "|=", "|~"]


def parse_selector(text: str) -> tuple[Condition, ...]:
    """Read a selector; raises ``ValueError`` for what is none, and for other parts of LogQL."""
    conditions: list[Condition] = []
    found = _OPEN.match(text)
    if found is None:
        raise _wrong(text)
    position = found.end()
    if closed := _CLOSE.match(text, position):
        position = closed.end()
    else:
        while True:
            matcher = _MATCHER.match(text, position)
            if matcher is None or len(conditions) == _MOST:
                raise _wrong(text)
            name, kind, value, behind = matcher.groups()
            conditions.append(_condition(name, kind, value, text))
            position = matcher.end()
            if behind == "}":
                break
    while position < len(text.rstrip()):
        line = _FILTER.match(text, position)
        if line is None or len(conditions) == _MOST:
            raise _wrong(text)
        conditions.append(_condition("", line[1], line[2], text))
        position = line.end()
    return tuple(conditions)


def _condition(name: str, kind: str, value: str, text: str) -> Condition:
    known: dict[str, Kind] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~", "|=": "|=", "|~": "|~"}
    plain = value[1:-1] if value[0] == "`" else _unquoted(value, text)
    if "~" in kind:
        compile_pattern(plain)
    return Condition(name, known[kind], plain)


def _unquoted(value: str, text: str) -> str:
    def character(found: re.Match[str]) -> str:
        byte, octal, wide, simple = found.groups()
        if simple:
            return _SIMPLE.get(simple, simple)
        if byte or octal:
            number = int(byte, 16) if byte else int(octal, 8)
            return chr(number)
        return chr(int(wide, 16)) if wide else str(json.loads(f'"{found[0]}"'))

    try:
        made = _ESCAPE.sub(character, value[1:-1])
        made.encode()
    except (ValueError, OverflowError):
        raise _wrong(text) from None
    if "\\" in _ESCAPE.sub("", value[1:-1]):
        raise _wrong(text)
    return made


def _wrong(text: str) -> ValueError:
    return ValueError(
        f"selector {quote(text)} cannot be read (expected: matchers of labels and filters of the line, such as"
        ' {source="stderr"} |= "error" != "timeout"; filters of labels and parsers of LogQL are not supported)'
    )

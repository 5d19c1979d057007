"""Formats of lines: each parser makes fields of a line, or None of one that does not fit.

Also runs compiled (see ``formats.pxd``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from plugin.transforms.exact_json import parse_object
from plugin.transforms.patterns import Groups

Fields = dict[str, Any]
Parser = Callable[[bytes], Fields | None]

_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/@")
_MOST_PAIRS = 1_000

_KLOG = Groups(
    r"^(?P<level>[IWEF])(?P<time>\d{4} \d\d:\d\d:\d\d\.\d+)\s+(?P<thread>\d+) (?P<source>[^\s:\]]+:\d+)\] "
    r"(?P<message>(?s:.*))$"
)

# The names of fields are those of Fluent Bit's parsers nginx and apache.
_NGINX = Groups(
    r"^(?P<remote>[^ ]+) (?P<host>[^ ]+) (?P<user>[^ ]+) \[(?P<time>[^\]]*)\] "
    r'"(?P<method>[^\s"]+)(?: +(?P<path>(?:[^"\\]|\\.)*?)(?: +(?P<protocol>HTTP/[\d.]+))?)?" '
    r'(?P<code>\d{3}) (?P<size>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?: |$)'
)
_NGINX_ERROR = Groups(
    r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]+)\] (?P<pid>\d+)#(?P<tid>\d+): "
    r"(?:\*(?P<connection>\d+) )?(?P<message>(?s:.*))$"
)
_APACHE = Groups(
    r"^(?P<host>[^ ]+) [^ ]+ (?P<user>[^ ]+) \[(?P<time>[^\]]*)\] "
    r'"(?P<method>[^\s"]+)(?: +(?P<path>(?:[^"\\]|\\.)*?)(?: +(?P<protocol>HTTP/[\d.]+))?)?" '
    r'(?P<code>\d{3}) (?P<size>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?: |$)'
)
_APACHE_ERROR = Groups(
    r"^\[(?P<time>\w{3} \w{3} [ \d]\d [\d:.]+ \d{4})\] \[(?P<level>[a-z0-9_:-]+)\](?: \[pid (?P<pid>[^\]]*)\])?"
    r"(?: \[client (?P<client>[^\]]*)\])? (?P<message>(?s:.*))$"
)
_NUMBERS = frozenset({"code", "size", "pid", "tid", "connection", "thread"})
_MOST_DIGITS = 18


def parse_groups(pattern: Groups, line: bytes, numbers: frozenset[str] = frozenset()) -> Fields | None:
    """Return what the named groups of a pattern match, those of ``numbers`` as such."""
    spans = pattern.search(line)
    if spans is None:
        return None
    fields: Fields = {}
    for name, index in pattern.names:
        start, end = spans[index]
        if start < 0:
            continue
        value = line[start:end]
        if name in numbers:
            if value == b"-":
                continue
            if value.isdigit() and len(value) <= _MOST_DIGITS:
                fields[name] = int(value)
                continue
        fields[name] = value.decode("utf-8", "replace")
    return fields


def parse_logfmt(line: bytes) -> Fields | None:
    """Return the pairs of a line in logfmt; None if anything in it is none."""
    if b"=" not in line:
        return None
    return _pairs(line.decode(errors="replace").strip())


def parse_klog(line: bytes) -> Fields | None:
    """Return the fields of Kubernetes's klog, those of structured messages included."""
    if line[:1] not in (b"I", b"W", b"E", b"F"):
        return None
    fields = parse_groups(_KLOG, line, _NUMBERS)
    if fields is None:
        return None
    message: str = fields["message"]
    if message.startswith('"'):
        text, end = _quoted(message, 0)
        pairs = _pairs(message[end:].strip()) if end > 0 and end < len(message) else {} if end > 0 else None
        if pairs is not None:
            return pairs | fields | {"message": text}
    return fields


def parse_nginx(line: bytes) -> Fields | None:
    """Return the fields of nginx's access log (combined), or of its error log."""
    return parse_groups(_NGINX, line, _NUMBERS) or parse_groups(_NGINX_ERROR, line, _NUMBERS)


def parse_apache(line: bytes) -> Fields | None:
    """Return the fields of Apache's access log (common or combined), or of its error log."""
    return parse_groups(_APACHE, line, _NUMBERS) or parse_groups(_APACHE_ERROR, line)


def _pairs(text: str) -> Fields | None:
    """Read ``a=1 b="x y"`` from left to right, once."""
    fields: Fields = {}
    position, end = 0, len(text)
    while position < end:
        equals = text.find("=", position)
        if equals <= position or len(fields) == _MOST_PAIRS or not _is_key(name := text[position:equals]):
            return None
        start = equals + 1
        if text[start : start + 1] == '"':
            value, position = _quoted(text, start)
            if position < 0 or (position < end and text[position] != " "):
                return None
        else:
            position = text.find(" ", start)
            if position < 0:
                position = end
            value = text[start:position]
        fields[name] = value
        while position < end and text[position] == " ":
            position += 1
    return fields or None


def _is_key(name: str) -> bool:
    return (name.isascii() and name.isidentifier()) or _KEY.issuperset(name)


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Return the text in quotes that begins at ``start``, and what is behind it; -1 if it does not end."""
    position = start + 1
    while (position := text.find('"', position)) >= 0:
        backslashes = position - 1
        while text[backslashes] == "\\":
            backslashes -= 1
        if (position - 1 - backslashes) % 2 == 0:
            inner = text[start + 1 : position]
            return (_unescaped(inner) if "\\" in inner else inner), position + 1
        position += 1
    return "", -1


def _unescaped(inner: str) -> str:
    try:
        return str(orjson.loads(f'"{inner}"'))
    except ValueError:
        return inner


PARSERS: Mapping[str, Parser] = {
    "json": parse_object,
    "logfmt": parse_logfmt,
    "klog": parse_klog,
    "nginx": parse_nginx,
    "apache": parse_apache,
}
"""The parsers by the names that log-opt ``parse`` has for them."""

"""Headers of requests, given by a person in one option."""

import re

import orjson

from plugin.config.secrets import Secret
from plugin.config.types import Kind

# RFC 9110, 5.6.2 (token) and 5.5 (field-content); what frames the request is the client's business.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS = ("host", "content-length", "transfer-encoding", "content-encoding", "connection")


def header_text(text: str) -> str:
    """Return a text that a header can hold; raises `ValueError`, whose message does not show it."""
    if not _VALUE.fullmatch(text) or "\t" in text or text != text.strip():
        raise ValueError(
            "it holds a control character, such as a newline, or a blank at an end, which no HTTP header can hold"
        )
    return text


HEADER_TEXT: Kind[str] = Kind(parse=header_text, accepts="text without control characters", keeps_empty=True)

HEADER_SECRET: Kind[Secret] = Kind(
    parse=lambda text: Secret(header_text(text)), accepts="text without control characters", secret=True
)


class Headers(dict[str, str]):
    """Headers by name, which do not show: most that are given are keys."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show the names alone."""
        return f"Headers({', '.join(self)})"


def parse_headers(text: str) -> Headers:
    """Read ``Name=value,Name=value``, or a JSON object for values with commas; raises `ValueError` without a value."""
    pairs = _json_pairs(text) if text.lstrip().startswith("{") else _listed_pairs(text)
    headers = Headers()
    for name, value in pairs:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("a header's name or value holds characters that HTTP does not allow")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} cannot be set")
        headers[name] = value
    return headers


def _listed_pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for item in filter(str.strip, text.split(",")):
        name, separator, value = item.partition("=")
        if not separator:
            raise ValueError("a header has no value (expected: Name=value,Name=value)")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError('it is not JSON (expected: {"Name": "value"})') from None
    if not all(isinstance(value, str) for value in content.values()):
        raise ValueError('a header is not a text (expected: {"Name": "value"})')
    return [(name, value.strip()) for name, value in content.items()]


HEADERS_KIND: Kind[Headers] = Kind(
    parse=parse_headers, accepts='Name=value,Name=value or {"Name": "value"}', secret=True
)

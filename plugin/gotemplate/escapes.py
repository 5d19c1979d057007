"""Text made safe for other languages: Go's own, HTML, JavaScript, URL queries and JSON."""

import re
from urllib.parse import quote_plus

from plugin.gotemplate import runes

_GO_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_HTML_ESCAPES = {0: "\ufffd", 34: "&#34;", 39: "&#39;", 38: "&amp;", 60: "&lt;", 62: "&gt;"}
_JS_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_SPECIAL = re.compile("[\x00-\x1f\\\\'\"<>&=]|[^\x00-\x7f]")
_JSON_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JSON_SPECIAL = re.compile('[\x00-\x1f"\\\\\u2028\u2029\udc80-\udcff]')
_NOT_IN_BACK_QUOTES = re.compile("[\x00-\x08\x0a-\x1f`\x7f\ufeff\udc80-\udcff]")
_LARGEST_SHORT = 0xFFFF


def go_quoted(data: bytes, quote: str = '"', *, ascii_only: bool = False) -> str:
    """Quote as Go's ``strconv.Quote`` does (``QuoteRune`` with a single quote): what is not printable is escaped."""
    escaped = "".join(_go_escaped(character, quote, ascii_only) for character in runes.decode(data))
    return f"{quote}{escaped}{quote}"


def _go_escaped(character: str, quote: str, ascii_only: bool) -> str:
    byte = runes.bad_byte(character)
    code = ord(character)
    if byte is not None:
        return f"\\x{byte:02x}"
    if character == quote:
        return f"\\{quote}"
    if character in _GO_ESCAPES:
        return _GO_ESCAPES[character]
    if character.isprintable() and not (ascii_only and not character.isascii()):
        return character
    if code < ord(" ") or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LARGEST_SHORT else f"\\U{code:08x}"


def fits_back_quotes(data: bytes) -> bool:
    """Return whether Go would write a string in back quotes (``strconv.CanBackquote``)."""
    return _NOT_IN_BACK_QUOTES.search(runes.decode(data)) is None


def html(data: bytes) -> bytes:
    """Escape for HTML as Go's ``template.HTMLEscapeString`` does."""
    return runes.encode(runes.decode(data).translate(_HTML_ESCAPES))


def javascript(data: bytes) -> bytes:
    """Escape for a JavaScript string as Go's ``template.JSEscapeString`` does."""
    return runes.encode(_JS_SPECIAL.sub(_javascript_escaped, runes.decode(data)))


def _javascript_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _JS_ESCAPES:
        return _JS_ESCAPES[character]
    is_kept = not character.isascii() and character.isprintable()
    if is_kept or runes.bad_byte(character) is not None:
        return character
    return f"\\u{ord(character):04X}"


def url_query(data: bytes) -> bytes:
    """Escape for the query of a URL as Go's ``url.QueryEscape`` does."""
    return quote_plus(data).encode()


def json_string(data: bytes) -> bytes:
    """Write a JSON string as Go's ``encoding/json`` does with ``SetEscapeHTML(false)``."""
    return f'"{_JSON_SPECIAL.sub(_json_escaped, runes.decode(data))}"'.encode()


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    if runes.bad_byte(character) is not None:
        return "\\ufffd"
    return _JSON_ESCAPES.get(character, f"\\u{ord(character):04x}")

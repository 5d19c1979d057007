"""The lines of Docker's json-file log driver, byte for byte as its encoder writes them.

Source: ``JSONLogs.MarshalJSONBuf`` of moby's ``daemon/logger/jsonfilelog/jsonlog``, and for the attributes Go's own
``encoding/json``. Of the control characters only newline and carriage return have short escapes there, the characters
that mean something in HTML are escaped, and each byte that is not UTF-8 becomes the escape of U+FFFD.

This module also runs compiled (see ``encoder.pxd``).
"""

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.encoding.record_fields import members_of
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_ASCII_ESCAPES = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_HTML = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))
_SEPARATORS = (("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_ENDS = [digits + b'Z"}\n' for digits in THREE_DIGITS]
_CONTROLS = bytes(set(range(0x20)) - {0x0A})
_CONTROL = re.compile(rb"[\x00-\x1f]")
_ESCAPED_CONTROLS: Final = {bytes((code,)): b"\\u%04x" % code for code in range(0x20)} | {b"\n": b"\\n", b"\r": b"\\r"}

_TIME: Final = b'"time":"'
_ONE_EACH: Final = "peavey-one-escape-each"


@dataclass(frozen=True, slots=True, eq=False)
class PreparedLines:
    """What is constant for a container's records."""

    path: bytes
    after_line: Mapping[str, bytes]
    """What comes between a line and its time, by source."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\\ufffd" * (error.end - error.start), error.end


codecs.register_error(_ONE_EACH, _replace)


def encode_lines(records: Sequence[Record]) -> dict[bytes, bytes]:
    """Return what each file gets, by its path; ``prepared`` of the records is their `PreparedLines`."""
    files: dict[bytes, list[bytes]] = {}
    lines = escape([record.line for record in records])
    digits, ends = THREE_DIGITS, _ENDS
    parts: list[bytes] = []
    container: PreparedLines | None = None
    source = ""
    second = NO_SECOND
    after = time = b""
    for number, record in enumerate(records):
        if record.prepared is not container or record.source != source:
            container, source = record.prepared, record.source
            parts = files.setdefault(record.prepared.path, [])
            after = record.prepared.after_line[source]
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            time = format_second(second).encode()
        line = lines[number]
        if record.fields is not None or record.severity:
            after = _after_with_more(record)
            container = None
        if not record.part_ordinal or record.part_last:
            parts.extend((b'{"log":"', line, b"\\n", after, time))
        elif line:
            parts.extend((b'{"log":"', line, after, time))
        else:
            # Docker leaves out a line that is empty with its newline.
            parts.extend((b"{", after[2:], time))
        if nanos % 10:
            parts.extend((b".", digits[nanos // 1_000_000], digits[nanos // 1_000 % 1_000], ends[nanos % 1_000]))
        else:
            parts.append(b'%bZ"}\n' % (b".%09d" % nanos).rstrip(b"0").rstrip(b"."))
    return {path: b"".join(parts) for path, parts in files.items()}


def _after_with_more(record: Record) -> bytes:
    """Return what comes between the line and the time of a record with a level or fields, which Docker's has not."""
    after: bytes = record.prepared.after_line[record.source]
    members = members_of(record)
    return after.removesuffix(_TIME) + members[1:] + b"," + _TIME if members else after


def escape(lines: Sequence[bytes]) -> list[bytes]:
    """Escape lines for a string of JSON; all at once, which takes a fraction of the time."""
    joined = b"\n".join(lines)
    if joined.count(b"\n") != len(lines) - 1:
        return [_escape(line.replace(b"\\", b"\\\\").replace(b"\n", b"\\n"), done=1) for line in lines]
    return _escape(joined).split(b"\n") if lines else []


def _escape(text: bytes, done: int = 0) -> bytes:
    """Escape all but newlines; ``done`` is how many of the escapes have been made before."""
    for plain, escape_sequence in _ASCII_ESCAPES[done:]:
        text = text.replace(plain, escape_sequence)
    if len(text.translate(None, _CONTROLS)) != len(text):
        text = _CONTROL.sub(_escaped_control, text)
    if text.isascii():
        return text
    decoded = text.decode("utf-8", _ONE_EACH)
    for character, escaped in _SEPARATORS:
        decoded = decoded.replace(character, escaped)
    return decoded.encode()


def _escaped_control(match: re.Match[bytes]) -> bytes:
    return b"\n" if match[0] == b"\n" else _ESCAPED_CONTROLS[match[0]]


def attributes(values: Mapping[str, str]) -> str:
    """Return the attributes as Go marshals a map: sorted, and safe within HTML."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for character, escaped in (*_HTML, *_SEPARATORS):
        text = text.replace(character, escaped)
    return text


def after_line(source: str, values: Mapping[str, str]) -> bytes:
    """Return what comes between the escaped line and the time."""
    attrs = f'"attrs":{attributes(values)},' if values else ""
    # A surrogate can only be in an attribute, and is no character.
    return f'","stream":"{source}",{attrs}"time":"'.encode(errors="replace")

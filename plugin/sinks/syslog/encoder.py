"""Syslog messages, byte for byte those of Docker's syslog driver, but with the line's time in place of that of sending.

Source: moby's ``daemon/logger/syslog`` and the formatters of github.com/RackSec/srslog. This module also runs compiled
(see ``encoder.pxd``).
"""

import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from plugin.records.record import Record
from plugin.sinks.base import Origin, RejectError
from plugin.sinks.encoding.bounds import cut
from plugin.sinks.encoding.record_fields import syslog_level
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_INFO = 6
_ERR = 3

# RFC 5424, 6: the fields of a header are ASCII without blanks, and no longer.
_NOT_PRINTUSASCII = re.compile(r"[^!-~]")
_LONGEST_HOST = 255
_LONGEST_APP_NAME = 48
_LONGEST_MSGID = 32
# Elsewhere, so that a datagram has room for the line.
_LONGEST_TAG = 1024

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Head:
    """What is constant in a container's messages: before the time, by source, and between the time and the line."""

    out: bytes
    err: bytes
    tail: bytes
    by_level: tuple[bytes, ...]
    """What stands before the time of a record with a severity, by syslog's level of it."""


class MessageFormat:
    """One of the formats of ``syslog-format``, with one facility."""

    def __init__(self, name: str, facility: int) -> None:
        self.is_rfc5424 = name.startswith("rfc5424")
        self._has_host = bool(name)
        self._has_micros = name == "rfc5424micro"
        self._facility = facility

    def head(self, origin: Origin) -> Head:
        """Write all of a container's header but the time."""
        # srslog puts its program's name where there is no tag.
        tag = origin.tag or "peavey"
        host = f" {_ascii(origin.host)[:_LONGEST_HOST] or 'localhost'}" if self._has_host else ""
        pid = os.getpid()
        if self.is_rfc5424:
            name = _ascii(tag)
            tail = f"{host} {name[:_LONGEST_APP_NAME]} {pid} {name[:_LONGEST_MSGID]} {_structured_data(tag)} "
        else:
            tail = f"{host} {cut(_clean(tag), _LONGEST_TAG)}[{pid}]: "
        version = "1 " if self.is_rfc5424 else ""
        by_level = tuple(f"<{self._facility << 3 | level}>{version}".encode() for level in range(8))
        return Head(by_level[_INFO], by_level[_ERR], tail.encode(errors="replace"), by_level)

    def messages(
        self, records: Sequence[Record], newline: bytes, nul: bytes, longest: int = sys.maxsize
    ) -> list[bytes]:
        """Write a message with a newline at its end for each line that is not empty.

        Lines keep their bytes, except that a newline within one becomes ``newline``, and a NUL ``nul``. One that is
        longer than ``longest`` bytes is cut into several messages.

        Raises `RejectError` for a time without a year of four digits.
        """
        stamp = stamp_rfc3339 if self.is_rfc5424 else stamp_rfc3164
        digits = THREE_DIGITS
        head: Head | None = None
        source = ""
        severity = 0
        second = NO_SECOND
        start = before = after = rest = millis = micros = b""
        messages = []
        for record in records:
            line = record.line
            if not line:
                continue
            if b"\n" in line:
                line = line.replace(b"\n", newline)
            if b"\0" in line:
                line = line.replace(b"\0", nul)
            time_nano = record.time_nano
            if time_nano // 1_000_000_000 != second:
                before, after = stamp(time_nano // 1_000_000_000)
                second = time_nano // 1_000_000_000
                head = None
            if record.prepared is not head or record.source != source or record.severity != severity:
                head, source, severity = record.prepared, record.source, record.severity
                lead = record.prepared.err if source == "stderr" else record.prepared.out
                if severity:
                    lead = record.prepared.by_level[syslog_level(severity)]
                start = lead + before + b"." if self._has_micros else lead + before
                rest = after + record.prepared.tail
            if self._has_micros:
                nanos = time_nano % 1_000_000_000
                millis = digits[nanos // 1_000_000]
                micros = digits[nanos // 1_000 % 1_000]
            if len(line) <= longest:
                messages.append(b"".join((start, millis, micros, rest, line, b"\n")))
                continue
            for begin in range(0, len(line), longest):
                part = line[begin : begin + longest]
                messages.append(b"".join((start, millis, micros, rest, part, b"\n")))
        return messages


def stamp_rfc3339(second: int) -> tuple[bytes, bytes]:
    """Write a second since 1970 UTC in local time, as what stands before a fraction and what stands after it.

    Raises `RejectError` for a year that does not have four digits.
    """
    local = _local(second)
    minutes = local.tm_gmtoff // 60
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"
    return f"{local.tm_year:04}{time.strftime('-%m-%dT%H:%M:%S', local)}".encode(), zone.encode()


def stamp_rfc3164(second: int) -> tuple[bytes, bytes]:
    """Write a second in local time as ``Jan  2 15:04:05``; nothing stands after it. Raises as `stamp_rfc3339`."""
    local = _local(second)
    return f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2} {time.strftime('%H:%M:%S', local)}".encode(), b""


def _local(second: int) -> time.struct_time:
    try:
        local = time.localtime(second)
    except (OverflowError, OSError, ValueError):
        local = None
    if local is None or not 0 <= local.tm_year <= 9999:
        raise RejectError(f"syslog cannot express the time of a line: {second} s since 1970 has no year of four digits")
    return local


def _clean(text: str) -> str:
    """Replace what would end a whole message."""
    return "".join(c if c.isprintable() else "_" for c in text)


def _ascii(text: str) -> str:
    """Replace what a field of RFC 5424's header cannot hold: all but PRINTUSASCII (RFC 5424, 6)."""
    return _NOT_PRINTUSASCII.sub("_", text)


def _structured_data(tag: str) -> str:
    """Write the whole tag as structured data where it is not what the header has of it; else nil, as Docker's driver.

    Its name has the enterprise number that RFC 5612 reserves for whom has none.
    """
    if len(tag) <= _LONGEST_MSGID and not _NOT_PRINTUSASCII.search(tag):
        return "-"
    value = _clean(cut(tag, _LONGEST_TAG))
    for character in ("\\", '"', "]"):
        value = value.replace(character, f"\\{character}")
    return f'[peavey@32473 tag="{value}"]'

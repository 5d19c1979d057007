"""Levels: from the words and numbers that programs use to OpenTelemetry's SeverityNumber.

Also runs compiled (see ``levels.pxd``).
"""

import re
from functools import lru_cache
from typing import Any

from plugin.config.shaping_kinds import LEVELS
from plugin.records.record import Record
from plugin.transforms.patterns import ANYWHERE, compile_bytes, raw_match

WARN = LEVELS["warn"]

_WORDS = {
    "trace": 1,
    "trc": 1,
    "trce": 1,
    "finest": 1,
    "finer": 2,
    "fine": 5,
    "verbose": 5,
    "debug": 5,
    "dbg": 5,
    "dbug": 5,
    "debug1": 5,
    "debug2": 5,
    "config": 5,
    "info": 9,
    "inf": 9,
    "information": 9,
    "informational": 9,
    "log": 9,
    "statement": 9,
    "notice": 10,
    "warn": 13,
    "wrn": 13,
    "warning": 13,
    "error": 17,
    "err": 17,
    "eror": 17,
    "fail": 17,
    "severe": 17,
    "crit": 18,
    "alert": 19,
    "critical": 21,
    "fatal": 21,
    "ftl": 21,
    "panic": 21,
    "dpanic": 21,
    "emerg": 21,
    "emergency": 21,
}
_LETTERS = {"t": 1, "d": 5, "v": 5, "i": 9, "n": 10, "w": 13, "e": 17, "f": 21, "c": 21}
_SYSLOG = (21, 19, 18, 17, 13, 10, 9, 5)
_PINO = {10: 1, 20: 5, 30: 9, 40: 13, 50: 17, 60: 21}
_AROUND = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_REDIS = {b".": 5, b"-": 9, b"*": 10, b"#": 13}

_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_UPPER = _WORD.upper()
_BEFORE = r"^(?:[^A-Za-z]*T)?[^A-Za-z]*(?:(?:Z|[A-Z]{3,4})\s)?[^A-Za-z]*(?:\[[\w.#:/ -]+\] ?)?"
_IN_TEXT = (  # without groups: what is matched ends with the level, which is found several times as fast
    rf"{_BEFORE}[\[(<|]?(?:{_UPPER})(?:[^A-Za-z0-9_]|$)"  # 2026-01-31 12:00:00,123 ERROR …
    rf"|{_BEFORE}[\[(<|](?i:{_WORD}) *[\])>|]"  # [warn], [warning  ]
    rf"|{_BEFORE}(?i:{_WORD}):"  # error: …
    r"|^[IWEF]\d{4} \d\d:\d\d:\d\d"  # klog
    r"|^\d+:[XCSM] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d+ [.*#-] "  # Redis
    rf'|(?:^|[\s,{{"])(?:level|severity|lvl|log\.level)"?[=:]\s?"?(?i:{_WORD})\b'  # logfmt and JSON
)
_FIND = raw_match(compile_bytes(_IN_TEXT))
_BESIDE_WORDS = bytes(code for code in range(256) if not (code < 128 and chr(code).isalnum()))
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_WITHIN = 256
_LONGEST_TEXT = 32
_ESCAPE = b"\x1b"
_0, _9, _A, _Z, _SMALL_A, _SMALL_Z = b"09AZaz"
_ERROR, _INFO = LEVELS["error"], LEVELS["info"]


def level_number(value: Any) -> int:
    """Return the SeverityNumber of a level as programs write it, 0 if it is none.

    Words and their first letters in any case; numbers are those of syslog (0 to 7), and of pino and bunyan (10 to 60).
    """
    if isinstance(value, str):
        return _of_text(value) if len(value) <= _LONGEST_TEXT else _read_text(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return _SYSLOG[value] if 0 <= value < len(_SYSLOG) else _PINO.get(value, 0)


def _read_text(text: str) -> int:
    word = text.strip(_AROUND).lower().rpartition(":")[2]
    if word.isdecimal() and len(word) < 3:
        return level_number(int(word))
    return _WORDS.get(word) or _LETTERS.get(word, 0)


_of_text = lru_cache(maxsize=256)(_read_text)


def level_in(line: bytes) -> int:
    """Return the SeverityNumber of the level that stands at a line's beginning, 0 if there is none."""
    beginning = line[:_WITHIN]
    if _ESCAPE in beginning:
        beginning = _COLOURS.sub(b"", beginning)
    start, end = _FIND(ANYWHERE, beginning, 0, len(beginning))[0]
    if start < 0:
        return 0
    found = beginning[start:end]
    if found[-2:-1] in _REDIS and found[:1].isdigit():
        return _REDIS[found[-2:-1]]
    word = _last_word(found)
    return level_number(word.decode()) if word else _LETTERS[found[:1].decode().lower()]


def _last_word(text: bytes) -> bytes:
    """Return the last letters and digits that follow each other, from the first letter on; none if they are digits."""
    ended = text.rstrip(_BESIDE_WORDS)
    size = len(ended)
    start, position = size, size - 1
    while position >= 0:
        byte = ended[position]
        if _A <= byte <= _Z or _SMALL_A <= byte <= _SMALL_Z:
            start = position
        elif not _0 <= byte <= _9:
            break
        position -= 1
    return ended[start:]


class Severity:
    """Set each record's severity: the one that it has, that of its line's beginning, or what its stream implies."""

    name = "severity"

    def shape(self, record: Record) -> None:
        """Set the severity."""
        if not record.severity:
            record.severity = level_in(record.line) or (_ERROR if record.source == "stderr" else _INFO)

"""Printing lines of containers: plain as ``docker logs`` does, with names in front, as JSON; harmless on a terminal."""

import os
import re
import sys
from dataclasses import dataclass
from typing import BinaryIO

import orjson

from plugin.browse.line_object import line_object
from plugin.browse.selection import Journal
from plugin.docker.info import short_id
from plugin.docker.times import format_time
from plugin.journal.lines import Line

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MATCH_GAP = b"--\n"


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """How lines are printed.

    ``prefix``
        with the container's name in front
    ``colours``
        of the names, by escape sequences
    ``harmless``
        with what a terminal would act upon, and what turns text round, written out
    """

    as_json: bool = False
    prefix: bool = False
    timestamps: bool = False
    colours: bool = False
    harmless: bool = False


def is_colourful(terminal: bool) -> bool:
    """Return whether colours are wanted: on a terminal, unless ``NO_COLOR`` is set (no-color.org) or it is dumb."""
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def harmless(text: bytes) -> bytes:
    """Return a text with control characters and those that change its direction escaped; tabs stay."""
    return _HARMFUL.sub(_escaped, text.decode("utf-8", "backslashreplace")).encode("utf-8", "backslashreplace")


def _escaped(match: "re.Match[str]") -> str:
    return ascii(match[0])[1:-1]


class LinePrinter:
    """Prints lines of one or several containers; with several, all go to stdout, so that they stay in order."""

    def __init__(
        self,
        options: PrintOptions,
        out: BinaryIO | None = None,
        errors: BinaryIO | None = None,
    ) -> None:
        self._options = options
        self._out = sys.stdout.buffer if out is None else out
        self._errors = sys.stderr.buffer if errors is None else errors
        self._prefixes: dict[str, bytes] = {}
        self._width = 0

    def expect(self, journal: Journal) -> None:
        """Choose the prefix of a container, at least as wide as those before."""
        self._width = max(self._width, len(journal.shown))

    def line(self, journal: Journal, line: Line) -> None:
        """Print a line."""
        options = self._options
        if options.as_json:
            self._out.write(orjson.dumps(line_object(journal, line)) + b"\n")
            return
        out = self._out if options.prefix or line.source == "stdout" else self._errors
        parts = []
        if options.prefix:
            parts.append(self._prefix(journal))
        if options.timestamps:
            parts.append(format_time(line.time_nano).encode() + b" ")
        parts.append(harmless(line.text) if options.harmless else line.text)
        if line.complete or options.prefix:
            parts.append(b"\n")
        out.write(b"".join(parts))

    def gap(self) -> None:
        """Print what stands between matches that do not adjoin."""
        if not self._options.as_json:
            self._out.write(_MATCH_GAP)

    def flush(self) -> None:
        """Hand all to whoever reads it."""
        self._out.flush()
        self._errors.flush()

    def _prefix(self, journal: Journal) -> bytes:
        if journal.id not in self._prefixes:
            name = harmless(journal.shown.encode("utf-8", "replace")).decode().ljust(self._width) + " | "
            if self._options.colours:
                name = f"\x1b[{_COLOURS[len(self._prefixes) % len(_COLOURS)]}m{name}\x1b[0m"
            self._prefixes[journal.id] = name.encode()
        return self._prefixes[journal.id]


def label(journal: Journal) -> str:
    """Return name and short id of a container, as messages call it."""
    return f"{journal.name} ({short_id(journal.id)})" if journal.name else short_id(journal.id)

"""Parsing: lines get fields, and from these a message, a severity and a time.

Also runs compiled (see ``parse.pxd``).
"""

from collections.abc import Sequence

from plugin.config.transform_options import TransformOptions
from plugin.records.record import Record
from plugin.transforms.formats import PARSERS, Parser, parse_groups
from plugin.transforms.levels import level_number
from plugin.transforms.patterns import Groups
from plugin.transforms.written_times import read_time

_USUAL_TIMES = ("time", "ts", "timestamp", "@timestamp", "datetime")


class Parse:
    """Makes fields of each line by the first of ``parsers`` that it fits; a line that fits none stays as it is.

    The text of the first field of ``messages`` that is there becomes the line. The first of ``levels`` that is one
    becomes the severity, the first of ``times`` that is one the time; both stay fields, too.
    """

    name = "parse"

    def __init__(
        self, parsers: Sequence[Parser], messages: Sequence[str], levels: Sequence[str], times: Sequence[str]
    ) -> None:
        self._parsers = parsers
        self._messages = messages
        self._levels = levels
        self._times = times

    def shape(self, record: Record) -> None:
        """Parse a record's line."""
        line = record.line
        fields = None
        for parse in self._parsers:
            fields = parse(line)
            if fields is not None:
                break
        if not fields:
            return
        for name in self._levels:
            if name in fields and (severity := level_number(fields[name])):
                record.severity = severity
                break
        for name in self._times:
            if name in fields and (time_nano := read_time(fields[name])):
                record.time_nano = time_nano
                break
        for name in self._messages:
            if isinstance(message := fields.get(name), str):
                record.line = message.encode("utf-8", "replace")
                del fields[name]
                break
        record.fields = fields or None


def make_parse(options: TransformOptions) -> Parse | None:
    """Make the stage that the options ask for, None if none is."""
    parsers = [PARSERS[name] for name in options.parse]
    if options.parse_pattern:
        pattern = Groups(options.parse_pattern)
        parsers.insert(0, lambda line: parse_groups(pattern, line))
    if not parsers:
        return None
    times = [each for name in options.parse_time for each in (_USUAL_TIMES if name == "auto" else (name,))]
    return Parse(parsers, options.parse_message, options.parse_level, times)

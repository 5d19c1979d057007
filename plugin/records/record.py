"""Records: what sinks are given. Also runs compiled (see ``record.pxd``), since there is one for every line."""

from typing import Any


class Record:
    """One line, or one part of one, of a container; bytes as the container wrote them, without the newline.

    ``prepared``
        what the sink's ``prepare`` made of the container
    ``source``
        ``stdout`` or ``stderr``
    ``time_nano``
        nanoseconds since 1970 UTC, of the line's first part
    ``offset``, ``end``
        where its last frame begins and ends in the container's journal: with the container's id and the journal's
        birth, the offset names the record for good
    ``resume``
        where to begin to read, once it is delivered: the end, unless another line's parts begin before it
    ``part_id``, ``part_ordinal``, ``part_last``
        of a part, where the sink takes parts as they come; ordinal 0 for a whole line
    ``fields``
        what a transform has parsed or added, by name; values as JSON has them, None where there is nothing
    ``severity``
        OpenTelemetry's SeverityNumber, 1 to 24; 0 where it is not known
    """

    __slots__ = (
        "end",
        "fields",
        "line",
        "offset",
        "part_id",
        "part_last",
        "part_ordinal",
        "prepared",
        "resume",
        "severity",
        "source",
        "time_nano",
    )

    def __init__(
        self,
        prepared: Any,
        source: str,
        time_nano: int,
        line: bytes,
        offset: int = 0,
        end: int = 0,
        resume: int = 0,
        part_id: str = "",
        part_ordinal: int = 0,
        part_last: bool = False,
        fields: dict[str, Any] | None = None,
        severity: int = 0,
    ) -> None:
        self.prepared = prepared
        self.source = source
        self.time_nano = time_nano
        self.line = line
        self.offset = offset
        self.end = end
        self.resume = resume
        self.part_id = part_id
        self.part_ordinal = part_ordinal
        self.part_last = part_last
        self.fields = fields
        self.severity = severity


def whole_line(prepared: Any, source: str, time_nano: int, line: bytes, offset: int, end: int, resume: int) -> Record:
    """Make the record of a line in one piece: what `Record` does, without making numbers of C objects of Python."""
    record = Record.__new__(Record)
    record.prepared = prepared
    record.source = source
    record.time_nano = time_nano
    record.line = line
    record.offset = offset
    record.end = end
    record.resume = resume
    record.part_id = ""
    record.part_ordinal = 0
    record.part_last = False
    record.fields = None
    record.severity = 0
    return record

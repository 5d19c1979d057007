"""What stages work on: a record on its way through them, its labels, and the values that were taken out of it.

Also runs compiled (see ``entry.pxd``).
"""

from decimal import Decimal
from typing import Any

from plugin.records.labelled import Labelled
from plugin.records.record import Record

TENANT = "__tenant_id__"
"""The label that has the tenant, as in Promtail; it is not sent."""


class Entry:
    """A record within the pipeline, whose ``prepared`` it is there.

    ``base``
        the record's own ``prepared``
    ``labels``
        the labels as they are now
    ``extracted``
        what was taken out of the record by name, texts and whatever else JSON has; begins with the labels
    ``metadata``
        structured metadata that was made
    ``printed``
        when the line was printed, in nanoseconds since 1970 UTC, whatever the stage ``timestamp`` makes of it
    """

    __slots__ = ("base", "extracted", "labels", "metadata", "printed", "record")

    def __init__(self, record: Record) -> None:
        base = record.prepared
        self.record = record
        self.base: Labelled | None = base if hasattr(base, "labels_of") else None  # isinstance takes as long as a stage
        self.labels: dict[str, str] = {} if self.base is None else dict(self.base.labels_of(record.source))
        self.extracted: dict[str, Any] = dict(self.labels)
        self.metadata: dict[str, str] = {}
        self.printed = record.time_nano

    @property
    def line(self) -> str:
        """The line; bytes that are not UTF-8 become single surrogates, as `encoded` undoes."""
        return decoded(self.record.line)

    def text(self, name: str) -> str | None:
        """Return an extracted value as a text; None if it is not there, or null."""
        value = self.extracted.get(name)
        return value if isinstance(value, str) else None if value is None else text_of(value)

    def input(self, source: str) -> bytes | None:
        """Return what a stage reads: the line, or an extracted value if one is named; None if that is not there."""
        if not source:
            return self.record.line
        text = self.text(source)
        return None if text is None else encoded(text)


def text_of(value: Any) -> str:
    """Write a value as Promtail does: numbers without an exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text.removesuffix(".0")
    return str(value)


def decoded(line: bytes) -> str:
    """Decode a line, so that `encoded` returns it whatever it holds."""
    return line.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Encode a text."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of surrogates
        return text.encode("utf-8", "replace")


def is_utf8(text: str) -> bool:
    """Return whether a text can be a label."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

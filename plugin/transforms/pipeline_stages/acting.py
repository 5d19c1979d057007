"""Stages that change what is sent: labels, structured metadata, the time, the line, the tenant.

Also runs compiled (see ``acting.pxd``).
"""

from collections import OrderedDict

from plugin.config.pipeline_stages.model import (
    Labels,
    Output,
    StaticLabels,
    StructuredMetadata,
    Tenant,
    Timestamp,
)
from plugin.config.pipeline_stages.parser import is_tenant
from plugin.transforms.pipeline_stages.entry import TENANT, Entry, encoded, is_utf8
from plugin.transforms.pipeline_stages.layouts import reader

_MOST_STREAMS = 10_000


class LabelsStep:
    """Makes labels of extracted values."""

    def __init__(self, stage: Labels) -> None:
        self._labels = stage.labels

    def __call__(self, entry: Entry) -> None:
        """Make the labels; one whose value is not there, null, or not UTF-8 stays as it was."""
        self._make(entry)

    def _make(self, entry: Entry) -> None:
        for name, source in self._labels:
            value = entry.text(source)
            if value is not None and is_utf8(value):
                entry.labels[name] = value


class StructuredMetadataStep:
    """Makes structured metadata of extracted values or labels; a label that it was made of is taken away."""

    def __init__(self, stage: StructuredMetadata) -> None:
        self._labels = stage.labels

    def __call__(self, entry: Entry) -> None:
        """Make the metadata."""
        labels = entry.labels
        moved: dict[str, str] = {}
        for name, source in self._labels:
            value = entry.text(source)
            if value is not None and is_utf8(value):
                entry.metadata[name] = moved[source] = value
        for name, source in self._labels:
            if source not in moved and source in labels:
                entry.metadata[name] = moved[source] = labels[source]
        for source, value in moved.items():
            if labels.get(source, "") == value:
                labels.pop(source, None)


class StaticLabelsStep:
    """Sets labels; those without a value are left out."""

    def __init__(self, stage: StaticLabels) -> None:
        self._labels = {name: value for name, value in stage.labels if value and is_utf8(value)}

    def __call__(self, entry: Entry) -> None:
        """Set the labels."""
        entry.labels.update(self._labels)


class TimestampStep:
    """Sets the time of a record by an extracted value.

    Where that fails, it is a nanosecond behind the last one that was set for the same labels, if it ``fudges``.
    """

    def __init__(self, stage: Timestamp) -> None:
        self._source = stage.source
        self._readers = [reader(form, stage.location) for form in stage.formats]
        self._last: OrderedDict[tuple[tuple[str, str], ...], int] | None = OrderedDict() if stage.fudges else None

    def __call__(self, entry: Entry) -> None:
        """Set the time."""
        text = entry.text(self._source)
        time = None
        if text is not None:
            for read in self._readers:
                if (time := read(text, entry.printed)) is not None:
                    break
        if self._last is None:
            entry.record.time_nano = time if time is not None else entry.record.time_nano
            return
        key = tuple(sorted(entry.labels.items()))
        if time is None:
            if key not in self._last:
                return
            time = self._last[key] + 1
        entry.record.time_nano = self._last[key] = time
        self._last.move_to_end(key)
        if len(self._last) > _MOST_STREAMS:
            self._last.popitem(last=False)


class OutputStep:
    """Makes an extracted value the line."""

    def __init__(self, stage: Output) -> None:
        self._source = stage.source

    def __call__(self, entry: Entry) -> None:
        """Set the line, unless the value is not there."""
        text = entry.text(self._source)
        if text is not None:
            entry.record.line = encoded(text)


class TenantStep:
    """Sets the tenant by a label, an extracted value or as given."""

    def __init__(self, stage: Tenant) -> None:
        self._stage = stage

    def __call__(self, entry: Entry) -> None:
        """Set the tenant, unless it would be empty, or nothing that can be sent as one."""
        stage = self._stage
        found = stage.value or (entry.text(stage.source) if stage.source else entry.labels.get(stage.label))
        if found and is_tenant(found):
            entry.labels[TENANT] = found

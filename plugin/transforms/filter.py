"""Filtering: records that are not wanted are dropped, by their line or their severity."""

from collections.abc import Sequence

from plugin.records.record import Record
from plugin.transforms.patterns import any_of


class Include:
    """Drops records in whose line none of some patterns is found."""

    name = "filter"

    def __init__(self, patterns: Sequence[str]) -> None:
        self._finds = any_of(patterns)

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return None if self._finds(record.line) else "include"


class Exclude:
    """Drops records in whose line one of some patterns is found."""

    name = "filter"

    def __init__(self, patterns: Sequence[str]) -> None:
        self._finds = any_of(patterns)

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return "exclude" if self._finds(record.line) else None


class MinLevel:
    """Drops records below a severity; those of which it is not known are kept."""

    name = "filter"

    def __init__(self, severity: int) -> None:
        self._severity = severity

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return "min-level" if 0 < record.severity < self._severity else None

"""Filtering: records that are not wanted are dropped, by their line or their severity.

Also runs compiled (see ``filter.pxd``).
"""

from collections.abc import Mapping, Sequence

from plugin.records.record import Record
from plugin.transforms.base import NONE_DROPPED
from plugin.transforms.line_search import LineSearch


class Include:
    """Drops records in whose line none of some patterns is found."""

    name = "filter"

    def __init__(self, patterns: Sequence[str]) -> None:
        self._search = LineSearch(patterns)

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return None if self._search.is_in(record.line) else "include"

    def shape_all(self, records: list[Record]) -> Mapping[int, str]:
        """Return which records are dropped, and why."""
        found = self._search.found([record.line for record in records])
        if len(found) == len(records):
            return NONE_DROPPED
        return dict.fromkeys(set(range(len(records))).difference(found), "include")


class Exclude:
    """Drops records in whose line one of some patterns is found."""

    name = "filter"

    def __init__(self, patterns: Sequence[str]) -> None:
        self._search = LineSearch(patterns)

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return "exclude" if self._search.is_in(record.line) else None

    def shape_all(self, records: list[Record]) -> Mapping[int, str]:
        """Return which records are dropped, and why."""
        return dict.fromkeys(self._search.found([record.line for record in records]), "exclude")


class MinLevel:
    """Drops records below a severity; those of which it is not known are kept."""

    name = "filter"

    def __init__(self, severity: int) -> None:
        self._severity = severity

    def shape(self, record: Record) -> str | None:
        """Return why a record is dropped."""
        return "min-level" if 0 < record.severity < self._severity else None

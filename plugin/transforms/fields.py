"""Fields: added, renamed and dropped as the options say.

Also runs compiled (see ``fields.pxd``).
"""

from collections.abc import Mapping, Sequence

from plugin.records.record import Record


class EditFields:
    """Renames fields, drops fields, and adds those that are not there, in this order."""

    name = "fields"

    def __init__(self, add: Mapping[str, str], drop: Sequence[str], rename: Mapping[str, str]) -> None:
        self._add = dict(add)
        self._drop = drop
        self._rename = tuple(rename.items())

    def shape(self, record: Record) -> None:
        """Edit the fields of a record."""
        fields = record.fields
        if fields:
            for old, new in self._rename:
                if old in fields:
                    fields[new] = fields.pop(old)
            for name in self._drop:
                fields.pop(name, None)
            for name, value in self._add.items():
                fields.setdefault(name, value)
        else:
            fields = dict(self._add)
        record.fields = fields or None

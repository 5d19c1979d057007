"""Containers that begin to print later: which of them are wanted."""

import os

from plugin.browse.selection import Journal, Wanted, known_journals, select
from plugin.errors import PeaveyError
from plugin.journal.layout import DataFolder


class Newcomers:
    """Looks whether there are other containers than before; ``known`` are those that there are, if that is known."""

    def __init__(self, data: DataFolder, wanted: Wanted, known: dict[str, Journal] | None = None) -> None:
        self._data = data
        self._wanted = wanted
        self._listed = self._change()
        self.journals = known_journals(data) if known is None else known

    def look(self) -> list[Journal]:
        """Return all that are wanted, oldest first; none if there is no other than when it was looked last."""
        changed = self._change()
        if (changed and changed == self._listed) or not self._wanted.is_open:
            return []
        self.journals = known_journals(self._data, self.journals)
        self._listed = changed if all(one.name for one in self.journals.values()) else 0  # its name may be to come
        try:
            return select(self.journals, self._wanted, self._data).chosen
        except PeaveyError:
            return []

    def _change(self) -> int:
        try:
            return os.stat(self._data.containers).st_mtime_ns
        except OSError:
            return 0

"""Who a container is at each place of its journal: it may have been renamed between two of its streams."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugin.docker.info import Info
from plugin.errors import PeaveyError
from plugin.journal.metadata import JournalMetadata, read_metadata

logger = logging.getLogger(__name__)


class Identities:
    """What a sink makes of a container, by the offset from which on it holds.

    ``metadata`` is the journal's info.json as it was; intake rewrites it before the first byte of a stream that tells
    otherwise, so that who looks at it after having read bytes knows whose they are. ``prepare`` makes of an ``Info``
    what goes into records.
    """

    def __init__(self, folder: Path, metadata: JournalMetadata, prepare: Callable[[Info], Any]) -> None:
        self._folder = folder
        self._metadata = metadata
        self._prepare = prepare
        self._made: tuple[Info, Any] = (metadata.info, prepare(metadata.info))
        self._seen: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Read the metadata again if it was written since."""
        try:
            status = os.stat(self._folder / "info.json")
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            metadata = read_metadata(self._folder)
        except (OSError, PeaveyError) as error:
            logger.debug("container %s: %s", self._folder.name[:12], error)
            return
        if metadata is not None and metadata.birth == self._metadata.birth:
            self._metadata, self._seen = metadata, seen

    @property
    def has_ended(self) -> bool:
        """Whether the stream had ended that wrote what was there when it was looked at."""
        return self._metadata.ended

    def at(self, offset: int) -> tuple[Any, int | None]:
        """Return what goes into records from an offset on, and up to which other one: ``None`` for all that follow."""
        info, upto = self._metadata.info_at(offset)
        if info != self._made[0]:
            try:
                self._made = (info, self._prepare(info))
            except (PeaveyError, ValueError) as error:  # the worker tells of it
                logger.debug("container %s: %s", self._folder.name[:12], error)
                self._made = (info, self._made[1])
        return self._made[1], upto

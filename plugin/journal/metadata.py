"""``info.json``: what a journal must know beside its segments."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from plugin.docker.info import Info, short_id
from plugin.errors import JournalError
from plugin.journal.layout import write_atomically
from plugin.journal.regular_files import read_regular

_NAME = "info.json"
_EARLIER_KEPT = 16

Time = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
"""Nanoseconds since 1970 UTC."""


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """Who the container was, for the entries that end at or before the offset ``upto``."""

    info: Info
    upto: int


class JournalMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The container's newest ``Info``, and the journal's own state.

    ``birth``
        when the journal began, nanoseconds since 1970 UTC: with the container's id it names this journal for good
    ``last_seen``
        when the container was last seen writing or its stream ended, nanoseconds since 1970 UTC
    ``stream``
        the FIFO that wrote last: only it can complete a frame that is incomplete at the journal's end
    ``ended``
        whether that FIFO has ended, so that nothing is written any more unless another one begins
    ``earlier``
        who it was before, oldest first, as it can be renamed while it is stopped: the newest few times
    """

    info: Info
    birth: Time
    last_seen: Time
    stream: str
    earlier: tuple[Earlier, ...] = ()
    ended: bool = False

    def info_at(self, offset: int) -> tuple[Info, int | None]:
        """Return who the container was at an offset, and up to which other one: ``None`` where it still is."""
        for earlier in self.earlier:
            if offset < earlier.upto:
                return earlier.info, earlier.upto
        return self.info, None


def read_metadata(folder: Path) -> JournalMetadata | None:
    """Read a journal's metadata; ``None`` if there is no journal. Raises ``JournalError`` if it is damaged."""
    path = folder / _NAME
    try:
        return msgspec.json.decode(read_regular(path), type=JournalMetadata)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"cannot use {path}: {error}") from error


def require_metadata(folder: Path) -> JournalMetadata:
    """Read a journal's metadata. Raises ``JournalError`` if it is damaged or not there."""
    metadata = read_metadata(folder)
    if metadata is None:
        raise JournalError(f"{folder}: its info.json is missing, which has its log-opts")
    return metadata


def write_metadata(
    folder: Path, info: Info, stream: str, birth: int, earlier: Sequence[Earlier] = (), *, ended: bool = False
) -> JournalMetadata:
    """Record that a container writes through a stream now, or that this has ``ended``. Raises ``OSError``.

    All else is as in `JournalMetadata`.
    """
    metadata = JournalMetadata(
        info=info,
        birth=birth,
        last_seen=time.time_ns(),
        stream=stream,
        earlier=tuple(earlier[-_EARLIER_KEPT:]),
        ended=ended,
    )
    write_atomically(folder / _NAME, msgspec.json.encode(metadata))
    return metadata


def container_label(folder: Path) -> str:
    """Return the name and short id of a journal's container, for the log; the id alone if ``info.json`` has no name."""
    try:
        metadata = read_metadata(folder)
    except JournalError:
        metadata = None
    return short_id(folder.name) if metadata is None else metadata.info.label

"""``info.json``: what a journal must know beside its segments."""

import time
from pathlib import Path
from typing import Annotated

import msgspec

from plugin.docker.info import Info, short_id
from plugin.errors import JournalError
from plugin.journal.layout import write_atomically
from plugin.journal.regular_files import read_regular

_NAME = "info.json"

Time = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
"""Nanoseconds since 1970 UTC."""


class JournalNote(msgspec.Struct, frozen=True, kw_only=True):
    """The container's newest ``Info``, and the journal's own state.

    ``birth``
        when the journal began, nanoseconds since 1970 UTC: with the container's id it names this journal for good
    ``last_seen``
        when the container was last seen writing or its stream ended, nanoseconds since 1970 UTC
    ``stream``
        the FIFO that wrote last: only it can complete a frame that is incomplete at the journal's end
    """

    info: Info
    birth: Time
    last_seen: Time
    stream: str


def read_note(folder: Path) -> JournalNote | None:
    """Read a journal's note; ``None`` if there is no journal. Raises ``JournalError`` if it is damaged."""
    path = folder / _NAME
    try:
        return msgspec.json.decode(read_regular(path), type=JournalNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"cannot use {path}: {error}") from error


def write_note(folder: Path, info: Info, stream: str, birth: int) -> JournalNote:
    """Note that a container is writing through a stream now; ``birth`` is as in ``JournalNote``. Raises ``OSError``."""
    note = JournalNote(info=info, birth=birth, last_seen=time.time_ns(), stream=stream)
    write_atomically(folder / _NAME, msgspec.json.encode(note))
    return note


def container_label(folder: Path) -> str:
    """Return the name and short id of a journal's container, for the log; the id alone if ``info.json`` has no name."""
    try:
        note = read_note(folder)
    except JournalError:
        note = None
    return short_id(folder.name) if note is None else note.info.label

"""Dead letters: records that a destination refuses for good, kept with the reason. ``dead/<instance>.ndjson``.

One JSON object a line. The file is bounded: when it is full, its older half goes.
"""

import base64
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from plugin.journal.layout import write_atomically
from plugin.journal.regular_files import open_regular
from plugin.records.labelled import Labelled
from plugin.records.record import Record

_BOUND = 10_000_000
_SUFFIX = ".ndjson"


class Part(msgspec.Struct, frozen=True):
    """Which part of a line over 16 KiB the record was, for sinks that take parts."""

    id: str
    ordinal: int
    last: bool


class Letter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dead letter: when and why it was refused, and the record; times in nanoseconds since 1970 UTC.

    The line is in ``line``, or in ``line_base64`` if it is not UTF-8; see ``content``. It is what transforms have made
    of what was printed, with the fields, the severity, the labels and the tenant that they gave it. With ``among``
    above 0 it is a note: of so many records from this one on, the destination has refused some and taken the others.
    """

    refused: int
    reason: str
    source: str
    time: int
    offset: int
    line: str = ""
    line_base64: str = ""
    part: Part | None = None
    among: int = 0
    fields: dict[str, Any] | None = None
    severity: int = 0
    labels: dict[str, str] | None = None
    tenant: str = ""

    @classmethod
    def of(cls, record: Record, reason: str, now: int, among: int = 0) -> "Letter":
        """Make it of a record that is refused now, or of the first of those ``among`` which some are."""
        change = record.prepared.change if isinstance(record.prepared, Labelled) else None
        line = encoded = ""
        try:
            line = "" if among else record.line.decode()
        except UnicodeDecodeError:
            encoded = base64.b64encode(record.line).decode()
        return cls(
            refused=now,
            reason=reason.encode(errors="replace").decode(),
            source=record.source,
            time=record.time_nano,
            offset=record.offset,
            line=line,
            line_base64=encoded,
            part=Part(record.part_id, record.part_ordinal, record.part_last) if record.part_ordinal else None,
            among=among,
            fields=record.fields,
            severity=record.severity,
            labels=None if change is None else dict(change[0]),
            tenant="" if change is None else change[1],
        )

    @property
    def content(self) -> bytes:
        """The line, as it was sent."""
        return base64.b64decode(self.line_base64) if self.line_base64 else self.line.encode()

    def record(self, prepared: Any) -> Record:
        """Rebuild the record, to be sent again; ``prepared`` is as in ``Record``, without the letter's labels."""
        if self.labels is not None and isinstance(prepared, Labelled):
            prepared = prepared.relabelled(self.source, self.labels, self.tenant)
        part = self.part or Part("", 0, last=False)
        place = (self.offset, self.offset, self.offset)
        parts = part.id, part.ordinal, part.last
        return Record(prepared, self.source, self.time, self.content, *place, *parts, self.fields, self.severity)


def dead_letters_path(folder: Path, instance: str) -> Path:
    """Name the dead letters of a sink instance in a journal's folder."""
    return folder / "dead" / f"{instance}{_SUFFIX}"


def bury(folder: Path, instance: str, record: Record, reason: str, now: int, among: int = 0) -> None:
    """Keep a refused record, or a note (see `Letter`); ``now`` is in nanoseconds since 1970 UTC. Raises ``OSError``."""
    path = dead_letters_path(folder, instance)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    letter = msgspec.json.encode(Letter.of(record, reason, now, among)) + b"\n"
    with appending(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= _BOUND:
            file.write(letter)
        else:
            newer = os.pread(file.fileno(), _BOUND, size - _BOUND // 2)
            write_atomically(path, newer[newer.find(b"\n") + 1 :] + letter)


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Open a file of dead letters to add some, alone: what another process adds must not go with the older half.

    Raises ``OSError``.
    """
    while True:
        descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with os.fdopen(descriptor, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                yield file
                return


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is not replaced, or put aside, meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def read_letter(line: bytes) -> Letter | None:
    """Read one line of a file of dead letters; ``None`` if it is damaged."""
    try:
        letter = msgspec.json.decode(line, type=Letter)
        letter.content  # noqa: B018 (its base64 may be damaged)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return letter

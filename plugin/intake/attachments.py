"""Attachments: the durable notes of which FIFOs are ours.

The engine says StartLogging once; after a restart of the plugin it is the attachment that tells which FIFO belongs to
which container. One file per stream: ``DATA/streams/<fifo name>.json``.
"""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plugin.docker.info import Info
from plugin.intake.disk_reserve import Reserve
from plugin.journal.layout import write_atomically
from plugin.journal.regular_files import NotRegularError, read_regular

logger = logging.getLogger(__name__)

_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot decode: also for text that is not UTF-8, and for a nest without end."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """One StartLogging request: the FIFO's path, the container, and when it came (nanoseconds since 1970 UTC)."""

    file: str
    info: Info
    started: int

    @property
    def name(self) -> str:
        """The FIFO's file name, which identifies the stream."""
        return Path(self.file).name


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in the folder: attachments, oldest first, and the names of streams whose attachment is damaged.

    ``unreadable`` is true if there may be more, which could not be read now.
    """

    found: list[Attachment]
    damaged: list[str]
    unreadable: bool


class Attachments:
    """The attachments of one data folder; a full disk takes them as long as a ``reserve`` lasts."""

    def __init__(self, folder: Path, reserve: Reserve | None = None) -> None:
        self._folder = folder
        self._reserve = reserve

    def save(self, attachment: Attachment) -> None:
        """Write an attachment, before its FIFO is opened. Raises ``OSError`` if the disk does not take it."""
        path, content = self._path(attachment.name), msgspec.json.encode(attachment)
        try:
            write_atomically(path, content)
        except OSError:
            if self._reserve is None or not self._reserve.write(path, content):
                raise

    def remove(self, name: str) -> None:
        """Remove the attachment of a stream, if there is one."""
        self._path(name).unlink(missing_ok=True)

    def find(self, name: str) -> Attachment | None:
        """Read the attachment of a stream; ``None`` if there is none, or none that can be used."""
        try:
            return msgspec.json.decode(read_regular(self._path(name)), type=Attachment)
        except (OSError, ValueError, *_DAMAGED):
            return None

    def load(self) -> list[Attachment]:
        """Return all attachments that can be read, oldest first."""
        return self.scan().found

    def scan(self) -> "Scan":
        """Read all attachments, and report those that cannot be used; one that vanishes meanwhile has ended."""
        found, damaged, unreadable = [], [], False
        try:
            names = os.listdir(self._folder)
        except OSError as error:
            logger.warning("cannot list the attachments; retrying: %s", error)
            return Scan([], [], unreadable=True)
        for path in (self._folder / name for name in names if name.endswith(".json")):
            try:
                found.append(msgspec.json.decode(read_regular(path), type=Attachment))
            except FileNotFoundError:
                continue
            except NotRegularError as error:
                damaged.append(path.stem)
                logger.warning("attachment %s is damaged: %s", path, error.strerror)
            except OSError as error:
                unreadable = True
                logger.warning("cannot read attachment %s; retrying: %s", path, error)
            except _DAMAGED as error:
                damaged.append(path.stem)
                logger.warning("attachment %s is damaged: %s", path, error)
        return Scan(sorted(found, key=lambda attachment: attachment.started), damaged, unreadable=unreadable)

    def set_aside(self, name: str) -> None:
        """Rename a damaged attachment, so that it is not read again."""
        path = self._path(name)
        with suppress(OSError):
            path.rename(path.with_suffix(".damaged"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

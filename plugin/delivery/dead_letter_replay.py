"""Send dead letters again, once the cause of their refusal is fixed.

Delivery may bury letters of the same sink meanwhile. Hence a file of letters is put aside first, by renaming it
(``dead/<instance>.again``); what is not acknowledged is appended to the file that delivery has begun since. One that a
killed process left aside counts as dead letters too, and is taken back before the next attempt: a letter that was
acknowledged just before is then sent twice.
"""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.config.options import SinkChoice
from plugin.delivery.dead_letters import Letter, appending, dead_letters_path, read_letter
from plugin.delivery.encode_guard import Defects
from plugin.delivery.origin import make_origin
from plugin.errors import JournalError, PeaveyError
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata
from plugin.journal.regular_files import open_lock, read_regular
from plugin.sinks.base import MisconfiguredError, PartlyRefusedError, RejectError, Sink
from plugin.sinks.registry import make_sink

_ASIDE = ".again"


@dataclass(slots=True)
class Outcome:
    """What became of a sink's dead letters: how many were acknowledged, and how many are dead letters still.

    ``fault`` is the newest reason for the latter.
    """

    sent: int = 0
    left: int = 0
    fault: str = ""


@contextmanager
def exclusive(data: DataFolder) -> Iterator[None]:
    """Keep other processes from sending or forgetting dead letters at the same time.

    Raises ``JournalError`` if one does.
    """
    descriptor = open_lock(data.path / "dead.lock")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalError(f"another process sends or forgets dead letters of {data.path}; try again") from None
        yield
    finally:
        os.close(descriptor)


def instances_with_letters(folder: Path) -> list[str]:
    """List the sinks of a container that have dead letters, by their names at it."""
    names = {dead_letters_path(folder, "x").suffix, _ASIDE}
    try:
        return sorted({path.stem for path in (folder / "dead").iterdir() if path.suffix in names})
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_lines(folder: Path, instance: str) -> list[bytes]:
    """Read the dead letters of a sink, oldest first, one line each. Raises ``OSError``."""
    path = dead_letters_path(folder, instance)
    return [line for each in (path.with_suffix(_ASIDE), path) for line in _content(each).splitlines()]


def forget(folder: Path, instance: str) -> int:
    """Delete the dead letters of a sink; returns how many. Raises ``OSError``."""
    count = len(read_lines(folder, instance))
    path = dead_letters_path(folder, instance)
    path.unlink(missing_ok=True)
    path.with_suffix(_ASIDE).unlink(missing_ok=True)
    return count


async def resend(folder: Path, metadata: JournalMetadata, choice: SinkChoice) -> Outcome:
    """Send the dead letters of one sink of a container again, in order, each once.

    One that is refused again is passed over; a destination that cannot be reached, or takes nothing, ends it.
    """
    path = dead_letters_path(folder, choice.instance)
    aside = path.with_suffix(_ASIDE)
    if aside.exists():
        _give_back(path, aside, _content(aside))
    try:
        path.rename(aside)
    except FileNotFoundError:
        return Outcome()
    content = _content(aside)
    unsent = deque(content.splitlines())
    kept: list[bytes] = []
    outcome = Outcome()
    try:
        await _send(metadata, choice, unsent, kept, outcome)
    except (PeaveyError, ValueError) as error:
        outcome.fault = str(error)
    finally:
        kept += unsent
        outcome.left = len(kept)
        added = _content(aside)[len(content) :]  # by a delivery that had the file open when it was put aside
        _give_back(path, aside, b"".join(line + b"\n" for line in kept) + added)
    return outcome


async def _send(
    metadata: JournalMetadata, choice: SinkChoice, unsent: deque[bytes], kept: list[bytes], outcome: Outcome
) -> None:
    """Send letters until ``unsent`` is empty; those that are refused go to ``kept``."""
    if choice.faults:
        raise MisconfiguredError("; ".join(choice.faults))
    sink = make_sink(choice)
    defects = Defects(choice.instance)
    try:
        prepared = sink.prepare(make_origin(metadata.info, choice, metadata.birth))
        while unsent:
            try:
                await sink.send(_encode(defects, sink, prepared, unsent[0]))
                outcome.sent += 1
            except (RejectError, PartlyRefusedError) as error:
                outcome.fault = str(error)
                kept.append(unsent[0])
            unsent.popleft()
    finally:
        await sink.close()


def _encode(defects: Defects, sink: Sink[Any], prepared: Any, line: bytes) -> bytes:
    letter = read_letter(line)
    if letter is None:
        raise RejectError("the letter is damaged")
    if letter.among:
        raise RejectError(f"a note of {letter.among} records, of which the destination has taken some: {letter.reason}")
    return defects.encode(sink, [letter.record(prepared)])


def letters(folder: Path, instance: str) -> Iterator[Letter | None]:
    """Read the dead letters of a sink, ``None`` for one that is damaged. Raises ``OSError``."""
    return map(read_letter, read_lines(folder, instance))


def _give_back(path: Path, aside: Path, content: bytes) -> None:
    if content:
        with appending(path) as file:
            file.write(content)
    aside.unlink()


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return b""

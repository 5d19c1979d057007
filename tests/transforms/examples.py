"""Stages that only tests use, and a delivery process that has them.

python -m tests.transforms.examples DATA NAME
"""

import asyncio
import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from plugin.delivery.worker import Worker
from plugin.journal.layout import DataFolder
from plugin.records.record import Record
from plugin.transforms.base import NOTHING_DROPPED, Transform

GLUE = b"+"


class Immediate:
    """A stage that holds nothing."""

    held_from = None
    dropped = NOTHING_DROPPED

    def flush(self, _now: float) -> Sequence[Record]:
        return ()


class DropAll(Immediate):
    """Drops everything."""

    def feed(self, _record: Record) -> Sequence[Record]:
        return ()


class KeepAll(Immediate):
    """Drops nothing."""

    def feed(self, record: Record) -> Sequence[Record]:
        return (record,)


class JoinThrees:
    """A stage that makes one record of three; what there is goes on its own ``wait`` seconds after nothing came."""

    dropped = NOTHING_DROPPED

    def __init__(self, wait: float = 3600.0) -> None:
        self._wait = wait
        self._held: list[Record] = []
        self._since: float | None = None

    @property
    def held_from(self) -> int | None:
        return self._held[0].offset if self._held else None

    def feed(self, record: Record) -> Sequence[Record]:
        self._held.append(record)
        self._since = None
        return self._join() if len(self._held) == 3 else ()

    def flush(self, now: float) -> Sequence[Record]:
        if self._since is None:
            self._since = now
        return self._join() if (self._held and now >= self._since + self._wait) or now == float("inf") else ()

    def _join(self) -> Sequence[Record]:
        held, self._held = self._held, []
        if not held:
            return ()
        made = copy_of(held[0])
        made.line = GLUE.join(record.line for record in held)
        return (made,)


class Split(Immediate):
    """A stage that makes one record of each character."""

    def feed(self, record: Record) -> Sequence[Record]:
        made = []
        for character in record.line:
            made.append(copy_of(record))
            made[-1].line = bytes([character])
        return made


def copy_of(record: Record) -> Record:
    return copy.copy(record)


STAGES: dict[str, Callable[[], Sequence[Transform]]] = {
    "drop-all": lambda: [DropAll()],
    "keep-all": lambda: [KeepAll()],
    "join-threes": lambda: [JoinThrees()],
}


def main() -> None:
    data, name = sys.argv[1:]
    worker = Worker(DataFolder(Path(data)), {}, 0, 1, lambda _choice, _info: STAGES[name]())
    asyncio.run(worker.run(asyncio.Event()))


if __name__ == "__main__":
    main()

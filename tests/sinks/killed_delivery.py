"""Delivery as a process that is killed at the worst moment, such as when a batch is acknowledged, but not noted."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from plugin.docker.frames import Entry, encode_frame
from plugin.docker.info import Info
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.journal.seeking import journal_end
from tests.delivery.conftest import Journal
from tests.testbed.server import REPOSITORY, plugin_environment
from tests.testbed.standin import container_info
from tests.testbed.waiting import wait_until

_AT_ONCE = 1_000
_PATIENCE = 900.0  # seconds
_BIRTH = 1_700_000_000_000_000_001
ANSWERED, MOVING = "answered", "moving"
"""Steps at which delivery can be killed: all of a batch is acknowledged; the cursor of a container is about to move."""
NOTING, NOTED, FORGETTING = "noting", "noted", "forgetting"
"""The same of sinks whose batches are noted: a note is about to be written, is written, or is about to be removed."""

_HOOK = """
import os, signal, sys
from plugin.delivery.batch_notes import BatchNotes
from plugin.delivery.sender import Sender
from plugin.delivery.tail import Tail
from plugin.__main__ import main

step, left = sys.argv[1], int(sys.argv[2])
owner, name = {
    "answered": (Sender, "_succeed"),
    "moving": (Tail, "acknowledge"),
    "noting": (BatchNotes, "write"),
    "noted": (BatchNotes, "write"),
    "forgetting": (BatchNotes, "remove"),
}[step]
go_on = getattr(owner, name)

def go_on_or_die(*arguments):
    global left
    left -= 1
    if not left and step != "noted":
        os.kill(os.getpid(), signal.SIGKILL)
    go_on(*arguments)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, go_on_or_die)
sys.argv = ["peavey", "deliver"]
sys.exit(main())
"""


class Backlog:
    """A data folder with journals that wait to be delivered by one sink, each of ``lines`` numbered lines."""

    def __init__(
        self, folder: Path, sink: str, options: Mapping[str, str], *, containers: int, lines: int, padding: int = 0
    ) -> None:
        self._data = DataFolder(folder / "data")
        self._data.create()
        self._sink = sink
        self._log = folder / "deliver.log"
        self.lines = [b"line %07d%s" % (number, b" x" * (padding // 2)) for number in range(lines)]
        self.names: list[str] = []
        self._folders: list[Path] = []
        for _ in range(containers):
            info = msgspec.convert(container_info(dict(options)), Info)
            journal = Journal(self._data.container(info.container_id), segment_size=20_000_000)
            for first in range(0, lines, _AT_ONCE):
                piece = enumerate(self.lines[first : first + _AT_ONCE], first)
                frames = [encode_frame(Entry("stdout", _BIRTH + number * 1_000, line)) for number, line in piece]
                journal.write_bytes(b"".join(frames))
            journal.close()
            write_cursor(journal.folder, sink, Cursor(offset=0, resume=0))
            write_metadata(journal.folder, info, "", _BIRTH)
            self.names.append(info.name)
            self._folders.append(journal.folder)

    @property
    def is_delivered(self) -> bool:
        """Whether all of it is acknowledged."""
        return all(
            (cursor := read_cursor(folder, self._sink)) is not None and cursor.offset >= journal_end(folder)
            for folder in self._folders
        )

    @property
    def log(self) -> str:
        """What delivery has logged."""
        return self._log.read_text(errors="replace")

    def start(self, dies_at: int = 0, step: str = MOVING) -> "subprocess.Popen[bytes]":
        """Start to deliver; the process dies by SIGKILL when it comes to a step for the ``dies_at``th time, if ever."""
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _HOOK, step, str(dies_at)],
                cwd=REPOSITORY,
                env=plugin_environment({"PEAVEY_DATA": str(self._data.path)}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def deliver_until_killed(self, dies_at: int, step: str = MOVING) -> None:
        """Deliver until the process has died, as by `start`."""
        process = self.start(dies_at, step)
        try:
            wait_until(lambda: process.poll() is not None or self.is_delivered, "delivery has died")
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not self.is_delivered, self.log

    def deliver_until(self, moment: Callable[[], object], expected: str) -> None:
        """Deliver until something is so, and kill the process."""
        process = self.start()
        try:
            wait_until(lambda: moment() or process.poll() is not None, expected)
            assert process.poll() is None, self.log
        finally:
            process.kill()
            process.wait()
        assert not self.is_delivered, self.log

    def deliver(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Deliver all that is left; ``meanwhile`` is done again and again until it is."""
        process = self.start()
        try:

            def is_over() -> bool:
                meanwhile()
                return self.is_delivered or process.poll() is not None

            wait_until(is_over, "all is delivered", within=_PATIENCE)
            assert self.is_delivered, self.log
        finally:
            process.kill()
            process.wait()


def lines_by_container(received: Sequence[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    """Group lines by the name of their container."""
    found: dict[str, list[bytes]] = {}
    for name, line in received:
        found.setdefault(name, []).append(line)
    return found

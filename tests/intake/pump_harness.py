"""What the tests of intake work with: FIFOs as an engine has them, a clock that only tests move, a pump in the hand."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from plugin.docker.info import Info
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.pump import Pump
from plugin.intake.stream import Stream
from plugin.journal.layout import DataFolder
from plugin.journal.retention import measure
from plugin.journal.writer import JournalWriter
from tests.journal.entries import encode, numbered, on_disk

ONE, OTHER, THIRD = "1" * 64, "2" * 64, "3" * 64
SECOND = 1_000_000_000


def frames(count: int, start: int = 0, size: int = 0) -> bytes:
    """Frames of lines that can be told apart."""
    return encode(numbered(count, start, size))


def info_of(container: str = ONE, **options: str) -> Info:
    """What the engine says of a container; options are written with underscores."""
    config = {name.replace("_", "-"): value for name, value in options.items()}
    return Info(container_id=container, container_name=f"/name-{container[:2]}", config=config)


class Clock:
    """Stands in for the module ``time``: stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.wall = time.time_ns()
        self._moving = threading.Lock()

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return self.now

    def time_ns(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return self.wall

    def sleep(self, seconds: float) -> None:
        """Take the time without waiting."""
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time pass; a thread may sleep while a test does."""
        with self._moving:
            self.now += seconds
            self.wall += int(seconds * SECOND)


class Fifo:
    """A FIFO; the engine, once it is there, holds its writing end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._writer = -1
        os.mkfifo(path)

    def open(self) -> int:
        """Open the plugin's end; returns the descriptor."""
        return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def connect(self) -> None:
        """Open the engine's end, which stays until ``end``."""
        self._writer = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def write(self, content: bytes) -> None:
        """Write as the engine does; all of it must find room."""
        assert os.write(self._writer, content) == len(content)

    def end(self) -> None:
        """Close the engine's end, as when it dies."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


class PumpHarness:
    """A pump whose rounds the test makes itself with ``turn``, or lets its thread make, once that was started."""

    def __init__(self, folder: Path) -> None:
        self.data = DataFolder(folder / "data")
        self.data.create()
        self.logging = folder / "logging"
        self.logging.mkdir()
        self.attachments = Attachments(self.data.streams)
        self.changed: list[str] = []
        self.rotated: list[str] = []
        self.on_change: Callable[[str], object] = self.changed.append
        self.on_rotate: Callable[[str], object] = self.rotated.append
        self.pump = Pump(self.data, self._note_change, self._note_rotation)
        self._fifos: list[Fifo] = []

    def _note_change(self, container_id: str) -> None:
        self.on_change(container_id)

    def _note_rotation(self, container_id: str) -> None:
        self.on_rotate(container_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fifo(self, name: str) -> Fifo:
        """Make a FIFO in the logging folder, and the engine's end of it."""
        made = Fifo(self.logging / name)
        made.connect()
        self._fifos.append(made)
        return made

    def attachment(self, fifo: Fifo, container: str = ONE, **options: str) -> Attachment:
        """Describe a StartLogging."""
        return Attachment(file=str(fifo.path), info=info_of(container, **options), started=time.time_ns())

    def begin(self, name: str, container: str = ONE, segment_size: int = 1 << 20) -> Fifo:
        """Begin a stream; the thread must not run."""
        fifo = self.fifo(name)
        attachment = self.attachment(fifo, container)
        self.attachments.save(attachment)
        self.pump.attach(attachment, segment_size, fifo.open())
        return fifo

    def turn(self, times: int = 1) -> None:
        """Let the pump do what there is to do now."""
        for _ in range(times):
            self.pump.handle(self.pump.poll(0))

    def remove(self, container: str = ONE) -> bool:
        """Remove a journal as one does who has just looked at it."""
        return self.pump.remove(container, measure(self.data.container(container)))

    def stream(self, name: str) -> Stream:
        """The attached stream of a FIFO."""
        found = self.pump._streams.find(name)
        assert found is not None
        return found

    def end_streams(self) -> None:
        """Detach all streams; the thread must not run."""
        for fifo in self._fifos:
            self.pump.detach(fifo.name)

    def writer(self, container: str = ONE) -> JournalWriter | None:
        """The open journal of a container that has streams; ``None`` while it is not open."""
        found = self.pump._containers.find(container)
        assert found is not None
        return found.writer

    def written(self, container: str = ONE) -> bytes:
        """All bytes of a container's journal."""
        return b"".join(on_disk(self.data.container(container)).values())

    def attached(self) -> set[str]:
        """Names of the streams that an attachment is there for."""
        return {attachment.name for attachment in self.attachments.load()}

    def fifos(self) -> set[str]:
        """Names of the FIFOs in the logging folder."""
        return {path.name for path in self.logging.iterdir()}

    def close(self) -> None:
        """End the pump and the engine."""
        if self.pump.is_alive():
            self.pump.call(self.pump.stop)
            self.pump.join()
        for fifo in self._fifos:
            fifo.end()

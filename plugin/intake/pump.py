"""The pump: one thread, one epoll, from all FIFOs into all journals.

It does no network I/O and takes no lock that another thread could hold for long. What others want of it, they queue
as a call; everything that changes streams happens here, one after the other.
"""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from plugin.config.options import SinkChoice
from plugin.intake.attachment_upkeep import AttachmentUpkeep
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.call_queue import CallQueue
from plugin.intake.containers import Containers
from plugin.intake.pacing import LONGEST_PAUSE
from plugin.intake.stream import FULL_PIPE, Container, ContainerSnapshot, Dropped, Received, Stream
from plugin.intake.stream_table import Event, StreamTable
from plugin.intake.taking import Taker, next_turn
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.retention import SegmentUse

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_LEAST = 1 << 12
"""Bytes to ask a pipe for that seems to hold nothing: its end of file must be met, too."""

_CHORES = 1.0
_RETIRE_AFTER = 10.0
_LAST_ROUND = 3.0


class Pump(threading.Thread):
    """Moves what the engine writes into the journals.

    ``on_change`` is called, in the pump's thread, with the id of a container whose journal has grown or whose stream
    has ended; ``on_rotate`` with that of one whose journal can be cleaned up.
    """

    def __init__(self, data: DataFolder, on_change: Callable[[str], None], on_rotate: Callable[[str], None]) -> None:
        super().__init__(name="pump", daemon=True)
        self._on_change = on_change
        self._containers = Containers(data, on_change)
        self._attachments = AttachmentUpkeep(Attachments(data.streams))
        self._calls = CallQueue()
        self._streams = StreamTable(self._calls.descriptor)
        self._taker = Taker(self._streams, self._containers, self._attachments, on_change, on_rotate)
        self._unprobed: set[str] = set()
        self._stopping = False
        self._next_chores = 0.0

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have a function called in the pump's thread; the future gives its result.

        That is ``StoppedError`` once the thread has ended.
        """
        return self._calls.add(function, *args, **kwargs)

    def run(self) -> None:
        """Pump until ``stop`` was called; a defect ends the process, since the next one goes on without loss."""
        try:
            self._pump()
        except BaseException:
            logger.critical("intake failed; ending the plugin to restart it", exc_info=True)
            logging.shutdown()  # what is not written yet
            os._exit(os.EX_SOFTWARE)

    def _pump(self) -> None:
        while not self._stopping:
            pause = self.handle(self.poll(_CHORES))
            if pause:
                self._calls.wait(pause)
        self._calls.end()

    # What follows is called in the pump's thread only, by others through ``call``.

    def attach(
        self,
        attachment: Attachment,
        segment_size: int,
        descriptor: int,
        sinks: Sequence[SinkChoice] = (),
        *,
        saved: bool = True,
    ) -> bool:
        """Begin to read from an open FIFO, for the ``sinks`` too; one that is attached already is closed: false.

        An attachment that could not be saved, for want of room, is tried again until it is; likewise first cursors.
        """
        name, info = attachment.name, attachment.info
        if name in self._streams:
            os.close(descriptor)
            return False
        try:
            self._containers.give_cursors(info.container_id, sinks)
            self._streams.watch(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if not saved:
            self._attachments.save_later(attachment)
        container = self._containers.begin(info.container_id, segment_size)
        stream = Stream(attachment.file, info, descriptor, container)
        container.streams.append(stream)
        self._streams.add(stream)
        return True

    def probe(self, name: str) -> None:
        """Find out whether the engine still holds a FIFO that was attached again: if not, there is no event ever.

        A stream whose engine is there stays as it is: its journal is not opened before there is something to write.
        """
        stream = self._streams.find(name)
        if stream is None:
            return
        ended = stream.has_ended()
        if ended is False or stream.waiting():  # asked in this order: who has left writes no more
            return
        if ended is None or _may_have_segments(stream.container):
            self._taker.serve_safely(stream, 1)
            if stream.container.held and not stream.closed:
                self._unprobed.add(name)
        else:
            self._taker.end(stream)

    def unsaved(self) -> set[str]:
        """Return the names of the streams whose attachment is still to be written."""
        return self._attachments.unsaved

    def attached(self) -> set[str]:
        """Return the ids of the containers that have streams."""
        return self._containers.attached()

    def snapshot(self) -> tuple[list[ContainerSnapshot], dict[str, Dropped]]:
        """Return how the containers with streams are now, and what was dropped of those without, by id."""
        return self._containers.snapshot()

    def received(self) -> Received:
        """Return what came in since the plugin's start."""
        return self._containers.received()

    def dropping(self) -> bool:
        """Return whether lines of some container are dropped."""
        return self._containers.dropping()

    def room_errors(self) -> set[int]:
        """Return the error numbers with which the disk or a quota refuses journals for want of room."""
        return self._containers.room_errors()

    def throttle(self, slowed: set[str]) -> None:
        """Take the logs of these containers at a trickle only, and those of all others freely."""
        self._containers.throttle(slowed)

    def rotate(self, container_id: str) -> bool:
        """Close the newest segment of a container's journal, so that retention can remove it; false if it cannot be."""
        return self._containers.rotate(container_id)

    def settle(self, container_id: str) -> None:
        """Make the gap that an earlier process left noted, and cut off what is incomplete where nothing can follow."""
        self._containers.settle(container_id)

    def remove(self, container_id: str, seen: Sequence[SegmentUse]) -> bool:
        """Remove the journal of a container without streams; false if it has some, or has printed since it was seen."""
        return self._containers.remove(container_id, seen)

    def has_stream(self, name: str) -> bool:
        """Return whether a FIFO is attached."""
        return name in self._streams

    def note_orphan(self, attachment: Attachment) -> None:
        """Write the info.json of a journal that has none, from the attachment of its last stream, which is gone.

        Raises ``OSError`` if the disk does not take it.
        """
        self._containers.note_orphan(attachment.info, attachment.name)

    def detach(self, name: str) -> bool:
        """Take all that a stream still holds, then let go of it; false if there is no such stream.

        What cannot be written for want of a resource is waited for, but not here: the stream ends when it is written.
        """
        stream = self._streams.find(name)
        if stream is None:
            return False
        logger.debug("StopLogging: container %s: stream %s", stream.container.label, name)
        self._taker.drain_older(stream)
        self._taker.drain(stream)
        if stream.container.held and not stream.closed and stream.waiting():
            stream.detached = True
            return True
        owner = stream.container.owner
        if owner is not None and not stream.closed and stream.waiting():
            self._taker.give_up(owner)
            self._taker.drain(stream)
        if not stream.closed:
            self._taker.close(stream)
        return True

    def collect(self, container_id: str) -> list[Stream]:
        """Take what the streams of a container hold at this moment; returns these streams."""
        container = self._containers.find(container_id)
        streams = [] if container is None else list(container.streams)
        for stream in streams:
            if not stream.closed and (waiting := stream.waiting()):
                self._taker.serve(stream, waiting)
        return streams

    def drain(self) -> None:
        """Take what all streams hold at this moment."""
        for stream in self._streams:
            if not stream.closed and (waiting := stream.waiting()):
                self._taker.serve_safely(stream, waiting)

    def stop(self) -> None:
        """Take what is in the pipes, then end the thread; attachments stay for the next process."""
        deadline = time.monotonic() + _LAST_ROUND
        for stream in self._streams:
            while not stream.closed and stream.waiting() and time.monotonic() < deadline:
                if not self._taker.serve_safely(stream, FULL_PIPE):
                    break
        self._stopping = True

    def poll(self, seconds: float) -> list[Event]:
        """Wait for bytes, ends of streams and calls; ``seconds`` at most."""
        return self._streams.poll(seconds)

    def handle(self, events: list[Event]) -> float:
        """Do what there is to do; return the seconds for which the pipes may collect, 0 if none was busy."""
        pause = 0.0
        for descriptor, stream, mask in self._streams.streams_of(events):
            if descriptor == self._calls.descriptor:
                self._calls.run()
                continue
            if stream is None or stream.closed:
                continue
            pause = pause or LONGEST_PAUSE
            if not mask & select.EPOLLIN:
                self._taker.end(stream)
            elif (due := next_turn(stream)) > time.monotonic():
                self._streams.park(stream, due)
            elif stream.container.throttled:
                self._taker.trickle(stream)
            else:
                # No more than what is there: what comes meanwhile may collect, as all else does.
                taken = self._taker.serve_safely(stream, max(stream.waiting(), _LEAST))
                pause = min(pause, stream.pause_after(taken))
        now = time.monotonic()
        if now >= self._next_chores:
            self._next_chores = now + _CHORES
            self.do_chores(now)
        return pause

    def do_chores(self, now: float) -> None:
        """Do what can wait, and try again what could not be done; ``now`` is of the monotonic clock."""
        self._containers.finish()
        self._attachments.work()
        unprobed, self._unprobed = self._unprobed, set()
        for name in unprobed:
            self.probe(name)
        for container in self._containers.running():
            self._taker.resume(container, now)
            if container.write_metadata():
                self._on_change(container.id)
            if len(container.streams) > 1 and now - container.taken_over > _RETIRE_AFTER:
                self._taker.retire(container)


def _may_have_segments(container: Container) -> bool:
    try:
        return bool(list_segments(container.folder))
    except OSError as error:
        logger.debug("container %s: cannot list segments: %s", container.label, error)
        return True

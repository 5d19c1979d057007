"""The pump: one thread, one epoll, from all FIFOs into all journals.

It does no network I/O and takes no lock that another thread could hold for long. What others want of it, they queue
as a call; everything that changes streams happens here, one after the other.
"""

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from plugin.config.options import SinkChoice
from plugin.errors import HeldError
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.call_queue import Calls
from plugin.intake.containers import Containers
from plugin.intake.pacing import LONGEST_PAUSE
from plugin.intake.stream import FULL_PIPE, Container, ContainerSnapshot, Dropped, Stream
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.retention import SegmentUse
from plugin.journal.write_errors import WriteFault, classify

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_LEAST = 1 << 12
"""Bytes to ask a pipe for that seems to hold nothing: its end of file must be met, too."""

_ENLARGED_AT_MOST = 16
"""Pipes of 1 MiB at the same time: a quarter of what the kernel allows a user, whose other pipes must not shrink."""

_CHORES = 1.0
_RETIRE_AFTER = 10.0
_BLOCKED_AT_MOST = 2.0
_AFTER_FAILURE = 0.1
_HELD = 0.25
"""Seconds until a journal that cannot be written for want of a resource is tried again."""

_TRICKLE = 1 << 14
_TRICKLE_EVERY = 0.25
_LAST_ROUND = 3.0


class Pump(threading.Thread):
    """Moves what the engine writes into the journals.

    ``on_change`` is called, in the pump's thread, with the id of a container whose journal has grown or whose stream
    has ended; ``on_rotate`` with that of one whose journal can be cleaned up.
    """

    def __init__(self, data: DataFolder, on_change: Callable[[str], None], on_rotate: Callable[[str], None]) -> None:
        super().__init__(name="pump", daemon=True)
        self._attachments = Attachments(data.streams)
        self._on_change = on_change
        self._on_rotate = on_rotate
        self._containers = Containers(data, on_change)
        self._streams: dict[str, Stream] = {}
        self._by_descriptor: dict[int, Stream] = {}
        self._unsaved: dict[str, Attachment] = {}
        self._unprobed: set[str] = set()
        self._unnoted: dict[str, Stream] = {}
        self._calls = Calls()
        self._epoll = select.epoll()
        self._epoll.register(self._calls.descriptor, select.EPOLLIN)
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
            logger.critical("the pump failed, the plugin ends so that it is started again", exc_info=True)
            os._exit(os.EX_SOFTWARE)

    def _pump(self) -> None:
        while not self._stopping:
            pause = self._round(self._epoll.poll(_CHORES))
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
            self._epoll.register(descriptor, select.EPOLLIN)
        except BaseException:
            os.close(descriptor)
            raise
        if not saved:
            self._unsaved[name] = attachment
        container = self._containers.begin(info.container_id, segment_size)
        stream = Stream(attachment.file, info, descriptor, container)
        container.streams.append(stream)
        self._streams[name] = stream
        self._by_descriptor[descriptor] = stream
        return True

    def probe(self, name: str) -> None:
        """Find out whether the engine still holds a FIFO that was attached again: if not, there is no event ever.

        A stream whose engine is there stays as it is: its journal is not opened before there is something to write.
        """
        stream = self._streams.get(name)
        if stream is None:
            return
        ended = stream.has_ended()
        if ended is False or stream.waiting():  # asked in this order: who has left writes no more
            return
        if ended is None or _may_have_segments(stream.container):
            self._serve_safely(stream, 1)
            if stream.container.held and not stream.closed:
                self._unprobed.add(name)
        else:
            self._end(stream)

    def attached(self) -> set[str]:
        """Return the ids of the containers that have streams."""
        return self._containers.attached()

    def snapshot(self) -> tuple[list[ContainerSnapshot], dict[str, Dropped]]:
        """Return how the containers with streams are now, and what was dropped of those without, by id."""
        return self._containers.snapshot()

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
        stream = self._streams.get(name)
        if stream is None:
            return False
        self._drain_older(stream)
        self._drain(stream)
        if stream.container.held and not stream.closed and stream.waiting():
            stream.detached = True
            return True
        owner = stream.container.owner
        if owner is not None and not stream.closed and stream.waiting():
            self._give_up(owner)
            self._drain(stream)
        if not stream.closed:
            self._close(stream)
        return True

    def collect(self, container_id: str) -> list[Stream]:
        """Take what the streams of a container hold at this moment; returns these streams."""
        container = self._containers.find(container_id)
        streams = [] if container is None else list(container.streams)
        for stream in streams:
            if not stream.closed and (waiting := stream.waiting()):
                self._serve(stream, waiting)
        return streams

    def drain(self) -> None:
        """Take what all streams hold at this moment."""
        for stream in list(self._streams.values()):
            if not stream.closed and (waiting := stream.waiting()):
                self._serve_safely(stream, waiting)

    def stop(self) -> None:
        """Take what is in the pipes, then end the thread; attachments stay for the next process."""
        deadline = time.monotonic() + _LAST_ROUND
        for stream in list(self._streams.values()):
            while not stream.closed and stream.waiting() and time.monotonic() < deadline:
                if not self._serve_safely(stream, FULL_PIPE):
                    break
        self._stopping = True

    def _round(self, events: list[tuple[int, int]]) -> float:
        """Do what there is to do; gives the seconds for which the pipes may be left to collect, 0 if none was busy."""
        pause = 0.0
        # A descriptor that is closed in this round can be another stream's before the round ends: its event is not.
        found = [(descriptor, self._by_descriptor.get(descriptor), mask) for descriptor, mask in events]
        for descriptor, stream, mask in found:
            if descriptor == self._calls.descriptor:
                self._calls.run()
                continue
            if stream is None or stream.closed:
                continue
            pause = pause or LONGEST_PAUSE
            if not mask & select.EPOLLIN:
                self._end(stream)
            elif stream.container.throttled:
                self._trickle(stream)
            elif time.monotonic() >= stream.container.left_alone_until:
                # No more than what is there: what comes meanwhile may collect, as all else does.
                taken = self._serve_safely(stream, max(stream.waiting(), _LEAST))
                pause = min(pause, stream.pause_after(taken))
        now = time.monotonic()
        if now >= self._next_chores:
            self._next_chores = now + _CHORES
            self._do_chores(now)
        return pause

    def _trickle(self, stream: Stream) -> None:
        """Take little of a throttled container, so that it slows down but never stops."""
        now = time.monotonic()
        if now - stream.container.trickled >= _TRICKLE_EVERY:
            stream.container.trickled = now
            self._serve_safely(stream, _TRICKLE)

    def _serve_safely(self, stream: Stream, budget: int) -> int:
        """Serve a stream; what goes wrong with one container must not end the service of all others.

        Its journal is opened anew after a while, which recovers it from what is on disk.
        """
        try:
            return self._serve(stream, budget)
        except Exception:
            logger.exception("container %s: taking its log failed; its journal is opened anew", stream.container.label)
            stream.container.reopen()
            stream.container.left_alone_until = time.monotonic() + _AFTER_FAILURE
            return 0

    def _serve(self, stream: Stream, budget: int) -> int:
        """Take up to ``budget`` bytes of a stream, after what older streams of its container hold."""
        self._drain_older(stream)
        if stream.closed or time.monotonic() < stream.container.left_alone_until:
            return 0
        taken = self._take(stream, budget)
        if stream.detached and not stream.closed and not stream.waiting():
            self._close(stream)
        return taken

    def _drain_older(self, stream: Stream) -> None:
        for older in stream.container.streams[: stream.container.streams.index(stream)]:
            self._drain(older)

    def _drain(self, stream: Stream) -> None:
        """Take all that a stream holds."""
        while not stream.closed and stream.waiting():
            if not self._take(stream, FULL_PIPE):
                break

    def _take(self, stream: Stream, budget: int) -> int:
        """Take up to ``budget`` bytes of a stream now; at its end of file it is closed. Returns the bytes taken."""
        container = stream.container
        try:
            writer = container.writer_for(stream)
        except HeldError as error:
            self._hold(container, error)
            return 0
        if writer is None:
            self._unblock(container)
            return 0
        base = writer.base
        taken = 0
        held = False
        try:
            while taken < budget:
                count = writer.take(stream.descriptor, budget - taken)
                if count == 0:
                    self._end(stream)
                    break
                taken += count
        except BlockingIOError:
            pass
        except HeldError as error:
            held = True
            self._hold(container, error)
        except OSError as error:
            if classify(error) is WriteFault.PASSING:
                held = True
                self._hold(container, error)
            else:
                logger.exception("container %s: stream %s cannot be read; it is given up", container.label, stream.name)
                self._close(stream)
        if taken and not held:
            self._release(container)
        if taken:
            if stream.is_busy(taken) and sum(s.enlarged for s in self._streams.values()) < _ENLARGED_AT_MOST:
                stream.enlarge()
            self._on_change(container.id)
        if writer.base != base:
            self._on_rotate(container.id)
        return taken

    def _hold(self, container: Container, error: Exception) -> None:
        """Leave what a container prints in its pipe for a while, as something is lacking to write it."""
        container.left_alone_until = time.monotonic() + _HELD
        if not container.held:
            container.held = True
            logger.error("container %s: its log stays in the pipe for now: %s", container.label, error)
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ESTALE:
            container.reopen()  # its files are others now

    def _release(self, container: Container) -> None:
        if container.held:
            logger.warning("container %s: its log is taken from the pipe again", container.label)
        container.note_taken()

    def _unblock(self, container: Container) -> None:
        """Give up a stream that keeps others waiting for the rest of its frame: nothing will ever complete it."""
        owner = container.owner
        if owner is None or time.monotonic() - container.blocked_since < _BLOCKED_AT_MOST:
            return
        if not owner.waiting():
            self._give_up(owner)

    def _give_up(self, stream: Stream) -> None:
        logger.warning("container %s: stream %s ends within an entry, given up", stream.container.label, stream.name)
        self._close(stream)
        stream.remove_fifo()

    def _end(self, stream: Stream) -> None:
        """Close a stream whose engine is gone and cannot clean up."""
        logger.info("container %s: stream %s has lost its engine", stream.container.label, stream.name)
        self._close(stream)
        stream.remove_fifo()

    def _close(self, stream: Stream) -> None:
        container = stream.container
        self._epoll.unregister(stream.descriptor)
        del self._by_descriptor[stream.descriptor]
        del self._streams[stream.name]
        container.release(stream)
        logger.debug("container %s: stream %s is closed", container.label, stream.name)
        if not container.streams:
            self._containers.end(container)
        if container.is_unnoted(stream):
            self._unnoted[stream.name] = stream
        else:
            self._forget(stream)
        self._on_change(container.id)
        self._on_rotate(container.id)

    def _forget(self, stream: Stream) -> None:
        """Remove the attachment of a stream that has ended: its journal says all that is to be known."""
        try:
            self._attachments.remove(stream.name)
        except OSError as error:
            logger.warning("container %s: attachment %s stays: %s", stream.container.label, stream.name, error)
        self._unsaved.pop(stream.name, None)

    def _do_chores(self, now: float) -> None:
        self._save_attachments()
        self._containers.finish()
        for name, ended in list(self._unnoted.items()):
            if not ended.container.is_unnoted(ended):
                del self._unnoted[name]
                self._forget(ended)
        for name in list(self._unprobed):
            self._unprobed.discard(name)
            self.probe(name)
        for container in self._containers.running():
            self._resume(container, now)
            if container.write_note():
                self._on_change(container.id)
            if len(container.streams) > 1 and now - container.taken_over > _RETIRE_AFTER:
                self._retire(container)

    def _resume(self, container: Container, now: float) -> None:
        try:
            if container.try_to_resume(now):
                self._on_change(container.id)
        except HeldError as error:
            logger.debug("container %s: %s", container.label, error)
        except Exception:
            logger.exception("container %s: resuming its journal failed; it is opened anew", container.label)
            container.reopen()

    def _save_attachments(self) -> None:
        for name, attachment in list(self._unsaved.items()):
            try:
                self._attachments.save(attachment)
            except OSError:
                return
            del self._unsaved[name]

    def _retire(self, container: Container) -> None:
        for stream in container.superseded():
            if not stream.waiting():
                logger.info("container %s: stream %s is superseded and quiet, retired", container.label, stream.name)
                self._close(stream)
                stream.remove_fifo()


def _may_have_segments(container: Container) -> bool:
    try:
        return bool(list_segments(container.folder))
    except OSError as error:
        logger.debug("container %s: cannot list its segments: %s", container.label, error)
        return True

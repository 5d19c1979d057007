"""Taking: bytes from FIFOs into the journals, stream by stream, and the end of streams."""

import errno
import logging
import time
from collections.abc import Callable

from plugin.errors import HeldError
from plugin.intake.attachment_upkeep import AttachmentUpkeep
from plugin.intake.containers import Containers
from plugin.intake.stream import FULL_PIPE, Container, Stream
from plugin.intake.stream_table import StreamTable
from plugin.journal.write_errors import WriteFault, classify

logger = logging.getLogger(__name__)

_ENLARGED_AT_MOST = 16
"""Pipes of 1 MiB at the same time: a quarter of what the kernel allows a user, whose other pipes must not shrink."""

_BLOCKED_AT_MOST = 2.0
_AFTER_FAILURE = 0.1
_HELD = 0.25
"""Seconds until a journal that cannot be written for want of a resource is tried again."""

_TRICKLE = 1 << 14
_TRICKLE_EVERY = 0.25


class Taker:
    """Takes what streams hold, and closes them; ``on_change`` and ``on_rotate`` are the pump's."""

    def __init__(
        self,
        streams: StreamTable,
        containers: Containers,
        attachments: AttachmentUpkeep,
        on_change: Callable[[str], None],
        on_rotate: Callable[[str], None],
    ) -> None:
        self._streams = streams
        self._containers = containers
        self._attachments = attachments
        self._on_change = on_change
        self._on_rotate = on_rotate

    def trickle(self, stream: Stream) -> None:
        """Take little of a throttled container, so that it slows down but never stops."""
        stream.container.trickled = time.monotonic()
        self.serve_safely(stream, _TRICKLE)

    def serve_safely(self, stream: Stream, budget: int) -> int:
        """Serve a stream; what goes wrong with one container must not end the service of all others.

        Its journal is opened again after a while, which recovers it from what is on disk.
        """
        try:
            return self.serve(stream, budget)
        except Exception:
            logger.exception("container %s: intake failed; reopening the journal", stream.container.label)
            stream.container.reopen()
            stream.container.left_alone_until = time.monotonic() + _AFTER_FAILURE
            return 0

    def serve(self, stream: Stream, budget: int) -> int:
        """Take up to ``budget`` bytes of a stream, after what older streams of its container hold."""
        self.drain_older(stream)
        if stream.closed or time.monotonic() < stream.container.left_alone_until:
            return 0
        taken = self._take(stream, budget)
        if stream.detached and not stream.closed and not stream.waiting():
            self.close(stream)
        return taken

    def drain_older(self, stream: Stream) -> None:
        """Take all that older streams of the same container hold."""
        for older in stream.container.streams[: stream.container.streams.index(stream)]:
            self.drain(older)

    def drain(self, stream: Stream) -> None:
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
                    self.end(stream)
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
                logger.exception("container %s: stream %s: cannot read; given up", container.label, stream.name)
                self.close(stream)
        if taken and not held:
            self._release(container)
        if taken:
            container.received_bytes += taken
            if stream.is_busy(taken) and self._streams.enlarged < _ENLARGED_AT_MOST:
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
            logger.error(
                "container %s: cannot write the journal, the log stays in the pipe; retrying: %s",
                container.label,
                error,
            )
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno == errno.ESTALE:
            container.reopen()  # its files are others now

    def _release(self, container: Container) -> None:
        if container.held:
            logger.warning("container %s: writing the journal again, nothing was dropped", container.label)
        container.note_taken()

    def _unblock(self, container: Container) -> None:
        """Close a stream that keeps others waiting for the rest of its frame: nothing will ever complete it."""
        owner = container.owner
        if owner is None or time.monotonic() - container.blocked_since < _BLOCKED_AT_MOST:
            return
        if not owner.waiting():
            self.give_up(owner)

    def give_up(self, stream: Stream) -> None:
        """Close a stream that ends within an entry, which nothing will complete."""
        logger.warning(
            "container %s: stream %s: incomplete entry at its end; given up", stream.container.label, stream.name
        )
        self.close(stream)
        stream.remove_fifo()

    def end(self, stream: Stream) -> None:
        """Close a stream whose engine is gone and cannot clean up."""
        logger.info("container %s: stream %s: engine gone", stream.container.label, stream.name)
        self.close(stream)
        stream.remove_fifo()

    def retire(self, container: Container) -> None:
        """Close the streams that newer ones have superseded, once they are quiet: the engine has forgotten them."""
        for stream in container.superseded():
            if not stream.waiting():
                logger.info("container %s: stream %s: superseded and quiet; retired", container.label, stream.name)
                self.close(stream)
                stream.remove_fifo()

    def resume(self, container: Container, now: float) -> None:
        """Write the journal of a container again if that is possible by now."""
        try:
            if container.try_to_resume(now):
                self._on_change(container.id)
        except HeldError as error:
            logger.debug("container %s: %s", container.label, error)
        except Exception:
            logger.exception("container %s: cannot resume the journal; reopening it", container.label)
            container.reopen()

    def close(self, stream: Stream) -> None:
        """Let go of a stream, and of its container with the last of them."""
        container = stream.container
        self._streams.remove(stream)
        container.release(stream)
        logger.debug("container %s: stream %s: closed", container.label, stream.name)
        if not container.streams:
            self._containers.end(container)
        self._attachments.end(stream)
        self._on_change(container.id)
        self._on_rotate(container.id)


def next_turn(stream: Stream) -> float:
    """Return when to take something of a stream, by the monotonic clock: the past, unless its container waits."""
    container = stream.container
    trickle = container.trickled + _TRICKLE_EVERY if container.throttled else 0.0
    return max(container.left_alone_until, trickle)

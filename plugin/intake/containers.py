"""The containers whose journals are written: those with streams, and those that ended while the disk was too full."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from plugin.config.options import SinkChoice
from plugin.docker.info import Info
from plugin.intake.stream import NOTHING_DROPPED, Container, ContainerSnapshot, Dropped, Received
from plugin.journal.cursors.keeper import CursorKeeper
from plugin.journal.cursors.placement import birth_by_cursors
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.metadata import write_metadata
from plugin.journal.retention import SegmentUse, measure
from plugin.journal.writer import JournalWriter

logger = logging.getLogger(__name__)


class Containers:
    """The containers by id, and what is done to their journals that must not meet a stream that begins or ends.

    Only the pump's thread uses it, so that each is done between two readings. ``on_change`` is called with the id of a
    container whose journal was changed otherwise than by a stream.
    """

    def __init__(self, data: DataFolder, on_change: Callable[[str], None]) -> None:
        self._data = data
        self._on_change = on_change
        self._running: dict[str, Container] = {}
        self._ended: dict[str, Container] = {}
        self._dropped: dict[str, Dropped] = {}
        self._gone = Received(0, 0, NOTHING_DROPPED)
        self._cursors = CursorKeeper()

    def find(self, container_id: str) -> Container | None:
        """Return a container that has streams."""
        return self._running.get(container_id)

    def running(self) -> list[Container]:
        """List the containers that have streams."""
        return list(self._running.values())

    def begin(self, container_id: str, segment_size: int) -> Container:
        """Return the container to which a stream is to be added; the newest segment size (bytes) holds."""
        container = self._running.get(container_id) or self._ended.pop(container_id, None)
        if container is None:
            dropped = self._dropped.pop(container_id, NOTHING_DROPPED)
            folder = self._data.container(container_id)
            container = Container(container_id, folder, segment_size, self._cursors, dropped)
        container.set_segment_size(segment_size)
        self._running[container_id] = container
        return container

    def give_cursors(self, container_id: str, sinks: Iterable[SinkChoice]) -> None:
        """Write the first cursors of a container's sinks, where they have none yet."""
        self._cursors.begin(self._data.container(container_id), sinks)

    def end(self, container: Container) -> None:
        """Let go of a container whose last stream has ended; if the disk is too full for that, ``finish`` does it."""
        self._ended[container.id] = self._running.pop(container.id)
        self._finish(container)

    def finish(self) -> None:
        """Try again what the disk was too full for: to write cursors, and to let go of containers."""
        self._cursors.save()
        for container in list(self._ended.values()):
            self._finish(container)

    def _finish(self, container: Container) -> None:
        try:
            if not container.finish():
                return
        except Exception:
            logger.exception("container %s: cannot close the journal", container.label)
        del self._ended[container.id]
        before = self._gone
        self._gone = Received(
            before.lines + container.written_lines, before.bytes + container.received_bytes, before.dropped
        )
        if container.dropped.bytes:
            self._dropped[container.id] = container.dropped
        self._on_change(container.id)

    def dropping(self) -> bool:
        """Return whether lines of some container are dropped."""
        return any(container.dropping for container in self._all())

    def room_errors(self) -> set[int]:
        """Return the error numbers with which the disk or a quota refuses journals for lack of space."""
        return {container.lacks_room for container in self._all()} - {0}

    def _all(self) -> list[Container]:
        return [*self._running.values(), *self._ended.values()]

    def throttle(self, slowed: set[str]) -> None:
        """Take the logs of these containers at a trickle only, and those of all others freely."""
        for container in self._running.values():
            on = container.id in slowed
            if container.throttled != on:
                container.throttled = on
                state = "slowed down (overflow=throttle)" if on else "no longer slowed down"
                logger.warning("container %s: %s", container.label, state)

    def rotate(self, container_id: str) -> bool:
        """Close the newest segment of a container's journal, so that retention can remove it; false if it cannot be."""
        container = self._running.get(container_id)
        if container is not None:
            return container.rotate()
        writer = self._open_stopped(container_id)
        if writer is None:
            return False
        try:
            return writer.rotate()
        finally:
            writer.close()
            self._on_change(container_id)

    def settle(self, container_id: str) -> None:
        """Make the gap that an earlier process left noted, and cut off what is incomplete where nothing can follow."""
        container = self._running.get(container_id)
        if container is not None:
            if container.writer is None:
                container.open_journal()
                self._on_change(container_id)
            return
        writer = self._open_stopped(container_id)
        if writer is not None:
            writer.close()
            self._on_change(container_id)

    def note_orphan(self, info: Info, stream: str) -> None:
        """Write the info.json of a stopped container's journal, unless it has one. Raises ``OSError``."""
        folder = self._data.container(info.container_id)
        if info.container_id in self._running or (folder / "info.json").exists():
            return
        if not folder.is_dir() or not list_segments(folder):
            return
        writer = self._open_stopped(info.container_id)
        if writer is None:
            return
        writer.close()
        if writer.found is None:
            raise writer.reason or OSError("the journal cannot be opened")
        birth = birth_by_cursors(folder, writer.found) or time.time_ns()
        self._cursors.place(folder, writer.found, birth)
        write_metadata(folder, info, stream, birth)
        self._on_change(info.container_id)

    def _open_stopped(self, container_id: str) -> JournalWriter | None:
        """Open the journal of a container without streams, if there is one that is not being ended."""
        folder = self._data.container(container_id)
        if container_id in self._ended or not folder.exists():
            return None
        writer = JournalWriter(folder, 1)
        writer.cut_tail()
        return writer

    def remove(self, container_id: str, seen: Sequence[SegmentUse]) -> bool:
        """Take the journal of a container without streams out of sight.

        False if it has some, is being ended, or has printed, which shows in its newest segment, since its segments were
        ``seen`` as ``measure`` returns them: it may have begun, printed and ended meanwhile.
        """
        if container_id in self._running or container_id in self._ended:
            return False
        if measure(self._data.container(container_id))[-1:] != list(seen[-1:]):
            return False
        self._data.remove_container(container_id)
        self._cursors.forget(self._data.container(container_id))
        dropped, before = self._dropped.pop(container_id, NOTHING_DROPPED), self._gone
        self._gone = Received(before.lines, before.bytes, _sum([before.dropped, dropped]))
        return True

    def attached(self) -> set[str]:
        """Return the ids of the containers that have streams."""
        return set(self._running)

    def snapshot(self) -> tuple[list[ContainerSnapshot], dict[str, Dropped]]:
        """Return how the containers with streams are now, and what was dropped of those without, by id."""
        ended = {container.id: container.dropped for container in self._ended.values()}
        return [container.snapshot() for container in self._running.values()], self._dropped | ended

    def received(self) -> Received:
        """Return what came in since the plugin's start; it never gets less, whichever containers and journals go."""
        all_of_them = self._all()
        dropped = _sum([self._gone.dropped, *self._dropped.values(), *(one.dropped for one in all_of_them)])
        return Received(
            self._gone.lines + sum(one.written_lines for one in all_of_them) + dropped.lines,
            self._gone.bytes + sum(one.received_bytes for one in all_of_them),
            dropped,
        )


def _sum(many: Sequence[Dropped]) -> Dropped:
    return Dropped(sum(one.lines for one in many), sum(one.bytes for one in many))

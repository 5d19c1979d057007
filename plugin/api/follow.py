"""Answer ReadLogs: frames as fast as the client reads them, live ones as they come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from plugin.errors import RequestError
from plugin.intake.service import Intake
from plugin.intake.stream import Stream
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.reader import HeldSegments

P = ParamSpec("P")
T = TypeVar("T")

MOST_READINGS = 256
"""How many readings that do not follow may be open; those whose client does not read stay for as long as it likes."""
MOST_HELD = 4_096
"""How many segments readers may hold open."""
_READERS = 8
_REST_AFTER = 5.0


class LogReader:
    """Journals read back for the engine.

    ``max_followers`` bounds how many readers may follow at once, ``max_others`` how many may read what is there, and
    ``max_held`` how many segments all of them hold open before they come to them.
    """

    def __init__(
        self, intake: Intake, max_followers: int, max_others: int = MOST_READINGS, max_held: int = MOST_HELD
    ) -> None:
        self.held = HeldSegments(max_held)
        self._intake = intake
        self._max_others = max_others
        self._others: set[Session] = set()
        self._max_followers = max_followers
        self._following: set[Session] = set()
        self._limiter: CapacityLimiter | None = None

    async def open(self, container_id: str, query: LogQuery) -> "Session":
        """Begin a reading; what "the last lines" of the query are is settled when this returns.

        Raises ``RequestError`` if too many follow already: the engine does not end those whose client has left.
        """
        if query.follow and len(self._following) >= self._max_followers:
            raise RequestError(
                f"ReadLogs: {self._max_followers} readers follow logs already; end some, or raise PEAVEY_MAX_FOLLOWERS"
            )
        if not query.follow and len(self._others) >= self._max_others:
            raise RequestError(f"ReadLogs: {self._max_others} readers that do not follow are open already; end some")
        session = Session(self, self._intake, container_id, query)
        (self._following if query.follow else self._others).add(session)
        try:
            await session.begin()
        except BaseException:
            session.close()
            raise
        return session

    def stop(self) -> None:
        """End all readings that follow."""
        for session in self._following:
            session.stop()

    def forget(self, session: "Session") -> None:
        """Stop counting a reading that has ended."""
        self._following.discard(session)
        self._others.discard(session)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads from the disk in one of a few threads, apart from those that requests need."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(_READERS)
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._limiter)


class Session:
    """One reading, from ReadLogs to its end.

    The first piece is read at once. From then on the next piece is read only when the last one has been taken: a client
    that stops reading costs one piece of memory, and one that waits for more costs nothing else. If a piece is not
    taken for some seconds, as by ``docker logs | less``, the journal's files are closed meanwhile.
    """

    def __init__(self, reader: LogReader, intake: Intake, container_id: str, query: LogQuery) -> None:
        self._reader = reader
        self._intake = intake
        self._container_id = container_id
        self._query = query
        self._streams: list[Stream] = []
        self._reading: LogReading | None = None
        self._first_frames = b""
        self._stopped = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if query.follow:
            intake.subscribe(container_id, self._wake)

    async def begin(self) -> None:
        """Take what the container's FIFOs hold, find where to read from, and read the first piece."""
        self._streams = await asyncio.wrap_future(self._intake.collect(self._container_id))
        await self._reader.in_thread(self._open)

    def _open(self) -> None:
        self._reading = LogReading(self._intake.data.container(self._container_id), self._query, self._reader.held)
        self._first_frames = self._reading.read()

    def all_frames(self) -> bytes | None:
        """Return all frames if the first piece holds them, as it does when only the last lines are wanted."""
        reading = self._reading
        return self._first_frames + reading.finish() if reading is not None and reading.done else None

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the frames; when following, until all streams that were there at the beginning have ended."""
        reading = self._reading
        if reading is None:
            return
        frames, self._first_frames = self._first_frames, b""  # a follower may wait for long, and need not keep them
        if frames:
            with self._resting():
                yield frames
        ended = not self._query.follow
        while True:
            self._changed.clear()
            ended = ended or self._stopped or all(stream.closed for stream in self._streams)
            while not reading.done and (frames := await self._reader.in_thread(reading.read)):
                with self._resting():
                    yield frames
            if ended or reading.done:
                break
            await self._changed.wait()
        if remainder := reading.finish():
            yield remainder

    @contextlib.contextmanager
    def _resting(self) -> Iterator[None]:
        """Let go of the journal's files while what was read is not taken for long."""
        reading = self._reading
        timer = None if reading is None else self._loop.call_later(_REST_AFTER, reading.rest)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def stop(self) -> None:
        """End the reading as if its streams had ended."""
        self._stopped = True
        self._changed.set()

    def close(self) -> None:
        """Release everything. Call once, however the reading ended."""
        if self._query.follow:
            self._intake.unsubscribe(self._container_id, self._wake)
        self._reader.forget(self)
        if self._reading is not None:
            self._reading.close()

    def _wake(self) -> None:
        if not self._changed.is_set():
            self._loop.call_soon_threadsafe(self._changed.set)

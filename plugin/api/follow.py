"""Answering ReadLogs: frames as the reader takes them, live ones as they come."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from plugin.intake.service import Intake
from plugin.journal.readback import LogQuery, LogReading

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 8
_NANOSECONDS = 1_000_000_000


class LogReader:
    """Reads logs back for the engine; ``max_followers`` bounds how many readers may follow at once."""

    def __init__(self, intake: Intake, max_followers: int) -> None:
        self._intake = intake
        self._max_followers = max_followers
        self._followers = 0
        self._limiter: CapacityLimiter | None = None

    def admits(self, query: LogQuery) -> bool:
        """Tell whether a reading may begin: followers are bounded, since the engine forgets those it has left."""
        return not query.follow or self._followers < self._max_followers

    async def frames(self, container_id: str, query: LogQuery) -> AsyncIterator[bytes]:
        """Yield the frames that a query asks for.

        Nothing is read ahead: the next piece is read when the last one has been taken, so that a reader that stops
        reading costs one piece of memory. Disk access is in threads of its own kind.
        """
        if query.follow:
            self._followers += 1
        try:
            async for frames in self._read(container_id, query):
                yield frames
        finally:
            if query.follow:
                self._followers -= 1

    async def _read(self, container_id: str, query: LogQuery) -> AsyncIterator[bytes]:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not changed.is_set():
                loop.call_soon_threadsafe(changed.set)

        if query.follow:
            self._intake.subscribe(container_id, wake)
        reading: LogReading | None = None
        try:
            streams = await to_thread.run_sync(self._intake.collect, container_id)
            reading = await self._in_thread(LogReading, self._intake.data.container(container_id), query)
            ended = not query.follow
            while True:
                changed.clear()
                ended = ended or all(stream.closed for stream in streams)
                while frames := await self._in_thread(reading.read):
                    yield frames
                if ended or reading.done:
                    break
                ended = await _passed(query.until, changed)
            if remainder := reading.finish():
                yield remainder
        finally:
            if query.follow:
                self._intake.unsubscribe(container_id, wake)
            if reading is not None:
                reading.close()

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_READERS)
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._limiter)


async def _passed(until: int, changed: asyncio.Event) -> bool:
    """Wait for a change; true if a time (nanoseconds since 1970 UTC, 0 for none) has passed instead."""
    timeout = max(0.0, (until - time.time_ns()) / _NANOSECONDS) if until else None
    try:
        await asyncio.wait_for(changed.wait(), timeout)
    except TimeoutError:
        return True
    return False

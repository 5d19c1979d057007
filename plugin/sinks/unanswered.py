"""A TCP stream to a server that never answers, as syslog and GELF have it.

That the peer's kernel has everything is all that TCP can say. A server that dies, or is stuck and then killed, loses
what it has not read; but its kernel then resets the connection, where one that has read everything closes it in order.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

from plugin.sinks.base import SinkError
from plugin.sinks.connection import StreamConnection

_KEPT_BYTES = 4 * 1024 * 1024
_KEPT_SECONDS = 120.0  # a host that is gone is noticed after 60
_FIRST_PAUSE = 1.0
_LAST_PAUSE = 60.0


class UnansweredStream:
    """Sends payloads, and sends the latest again over the next connection where the last one did not end in order.

    Those are the payloads of the two minutes before the failure, up to 4 MiB: about what a kernel holds at most for a
    server that does not read. They may so arrive twice. The connection is watched while there is nothing to send, so
    that this is done also for the last payload.
    """

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection
        self._recent: deque[tuple[float, bytes]] = deque()
        self._recent_bytes = 0
        self._again: list[bytes] = []
        self._sending = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def send(self, payload: bytes) -> None:
        """Return when the peer's kernel has everything; raises as `StreamConnection` does."""
        async with self._sending:  # what is being sent again is not broken off
            await self._stop_watching()
            await self._send((payload,))
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Close the connection in order; nothing that was acknowledged is sent again."""
        await self._stop_watching()
        await self._connection.close()
        self._recent.clear()
        self._recent_bytes = 0

    async def _send(self, payloads: Iterable[bytes]) -> None:
        """Send payloads, and before them those that are to be sent again."""
        try:
            if await self._connection.open():
                self._doubt_recent()
            sent = (*self._again, *payloads)
            for data in sent:
                await self._connection.write(data)
            await self._connection.drained()
        except BaseException:
            self._doubt_recent()
            raise
        for data in sent:
            self._remember(data)
        self._again.clear()

    async def _watch(self) -> None:
        """Send again what the peer may not have read when the connection ends, although nothing follows."""
        while True:
            await self._connection.ended()
            self._doubt_recent()
            pause = _FIRST_PAUSE
            while self._again:
                try:
                    async with self._sending:
                        await self._send(())
                except SinkError:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LAST_PAUSE)
            if not self._connection.is_open:
                return

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])

    def _remember(self, payload: bytes) -> None:
        self._recent.append((asyncio.get_running_loop().time(), payload))
        self._recent_bytes += len(payload)
        while self._recent_bytes > _KEPT_BYTES:
            self._recent_bytes -= len(self._recent.popleft()[1])

    def _doubt_recent(self) -> None:
        """Have the recent payloads sent again, unless the peer has read them."""
        if not self._connection.ended_orderly:
            oldest = asyncio.get_running_loop().time() - _KEPT_SECONDS
            self._again += [payload for sent, payload in self._recent if sent >= oldest]
        self._recent.clear()
        self._recent_bytes = 0

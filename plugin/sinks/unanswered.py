"""A TCP stream to a server that never answers, as syslog and GELF have it.

That the peer's kernel has everything is all that TCP can say. A server that dies, or is stuck and then killed, loses
what it has not read; but its kernel then resets the connection, where one that has read everything closes it in order.
"""

import asyncio
from collections import deque

from plugin.sinks.connection import StreamConnection

_KEPT_BYTES = 4 * 1024 * 1024
_KEPT_SECONDS = 60.0


class UnansweredStream:
    """Sends payloads, and sends the latest again over the next connection where the last one did not end in order.

    Those are the payloads of the minute before the failure, up to 4 MiB: about what a kernel holds at most for a server
    that does not read. They may so arrive twice.
    """

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection
        self._recent: deque[tuple[float, bytes]] = deque()
        self._recent_bytes = 0
        self._again: list[bytes] = []

    async def send(self, payload: bytes) -> None:
        """Return when the peer's kernel has everything; raises as `StreamConnection` does."""
        try:
            if await self._connection.open():
                self._doubt_recent()
            for data in (*self._again, payload):
                await self._connection.write(data)
            await self._connection.drained()
        except BaseException:
            self._doubt_recent()
            raise
        for data in (*self._again, payload):
            self._remember(data)
        self._again.clear()

    async def close(self) -> None:
        """Close the connection in order; nothing that was acknowledged is sent again."""
        await self._connection.close()
        self._recent.clear()
        self._recent_bytes = 0

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

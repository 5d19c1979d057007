"""A TCP stream to a server that never answers, as syslog and GELF have it.

That the peer's kernel has everything is all that TCP can say. A server that dies, or is stuck and then killed, loses
what it has not read; but its kernel then resets the connection, where one that has read everything closes it in order.
"""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from plugin.sinks.base import SinkError, Trouble
from plugin.sinks.transport.stream import StreamConnection

logger = logging.getLogger(__name__)

_KEPT_BYTES = 4 * 1024 * 1024
_KEPT_SECONDS = 120.0  # a host that is gone is noticed after 60
_FIRST_PAUSE = 1.0
_LAST_PAUSE = 60.0
_MOST_TIMES = 9


@dataclass(slots=True)
class _Payload:
    """What is sent: when it was last, by the loop's clock, and how often it has been."""

    content: bytes
    sent: float = 0.0
    times: int = 0


class UnansweredStream:
    """Sends payloads, and sends the latest again over the next connection where the last one did not end in order.

    Those are the payloads of the two minutes before the failure, up to 4 MiB: about what a kernel holds at most for a
    server that does not read. They may so arrive twice; and up to nine times at a server that resets each connection.
    The connection is watched while there is nothing to send, so that this is done also for the last payload.

    ``trouble`` is why they cannot be sent again now.
    """

    def __init__(self, connection: StreamConnection) -> None:
        self.trouble: Trouble | None = None
        self._connection = connection
        self._recent: deque[_Payload] = deque()
        self._recent_bytes = 0
        self._again: list[_Payload] = []
        self._sending = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def send(self, payload: bytes) -> None:
        """Return when the peer's kernel has everything; raises as `StreamConnection` does."""
        async with self._sending:  # what is being sent again is not broken off
            await self._stop_watching()
            await self._send(_Payload(payload))
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Close the connection in order; nothing that was acknowledged is sent again."""
        await self._stop_watching()
        await self._connection.close()
        self._recent.clear()
        self._recent_bytes = 0
        self._again.clear()
        self.trouble = None

    async def _send(self, *payloads: _Payload) -> None:
        """Send payloads, and before them those that are to be sent again."""
        try:
            if await self._connection.open():
                self._doubt_recent()
            sent = (*self._again, *payloads)
            for payload in sent:
                await self._connection.write(payload.content)
            await self._connection.drained()
        except BaseException:
            self._doubt_recent()
            raise
        for payload in sent:
            self._remember(payload)
        self._again.clear()
        if self.trouble is not None:
            self.trouble = None
            logger.info("%s: sent again what it may not have read", self._connection.address)

    async def _watch(self) -> None:
        """Send again what the peer may not have read when the connection ends, although nothing follows."""
        pause = _FIRST_PAUSE
        while True:
            await self._connection.ended()
            self._doubt_recent()
            while self._again:
                try:
                    async with self._sending:
                        await self._send()
                except SinkError as error:
                    self._note(error)
                await asyncio.sleep(pause)  # after a success too: a server may reset whatever it accepts
                pause = min(2 * pause, _LAST_PAUSE)
            if not self._connection.is_open:
                return

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])

    def _note(self, error: SinkError) -> None:
        before = self.trouble
        if before is None or str(before.error) != str(error):
            address = self._connection.address
            logger.warning("%s: cannot send again what it may not have read; retrying: %s", address, error)
        self.trouble = Trouble(error, time.time_ns() if before is None else before.since)

    def _remember(self, payload: _Payload) -> None:
        payload.sent = asyncio.get_running_loop().time()
        payload.times += 1
        self._recent.append(payload)
        self._recent_bytes += len(payload.content)
        while self._recent_bytes > _KEPT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().content)

    def _doubt_recent(self) -> None:
        """Have the recent payloads sent again, unless the peer has read them."""
        if not self._connection.ended_orderly:
            oldest = asyncio.get_running_loop().time() - _KEPT_SECONDS
            doubted = [payload for payload in self._recent if payload.sent >= oldest]
            self._again += [payload for payload in doubted if payload.times < _MOST_TIMES]
            if given_up := sum(payload.times >= _MOST_TIMES for payload in doubted):
                logger.warning(
                    "%s: broke off %d connections since it took a batch, which is not sent again: %d in all",
                    self._connection.address,
                    _MOST_TIMES,
                    given_up,
                )
        self._recent.clear()
        self._recent_bytes = 0

"""What delivery has open at the same time, where RLIMIT_NOFILE leaves less than there are journals and destinations."""

import asyncio
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many journals may be open at the same time, with two files each, and how many destinations connected."""

    journals: float = math.inf
    connections: float = math.inf


class Reader(Protocol):
    """Something that has a journal's files open."""

    def put_down(self) -> None:
        """Close them, until it goes on."""


class OpenJournals:
    """The journals that are open: at most ``most``, those that were read last; the others are opened when needed."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._open: OrderedDict[Reader, None] = OrderedDict()
        self._has_told = False

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def use(self, reader: Reader) -> None:
        """Note that one is about to be opened, or read; that which was read longest ago makes room for it."""
        self._open[reader] = None
        self._open.move_to_end(reader)
        while len(self._open) > self._most:
            if not self._has_told:
                self._has_told = True
                logger.warning(
                    "open file limit (RLIMIT_NOFILE) is low: at most %d journals are open at the same time, and take"
                    " turns; raise LimitNOFILE",
                    self._most,
                )
            before = next(iter(self._open))
            del self._open[before]
            before.put_down()

    def note_closed(self, reader: Reader) -> None:
        """Note that one is closed."""
        self._open.pop(reader, None)


class Connected(Protocol):
    """Something that has a connection, and makes a new one when needed."""

    def close(self) -> Coroutine[Any, Any, None]:
        """Close it."""


class Connections:
    """The destinations that are connected: at most ``most``, the others wait for their turn to send.

    A destination that sends nothing keeps its connection until another one needs to make one.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._idle: OrderedDict[Connected, None] = OrderedDict()
        self._busy: set[Connected] = set()
        self._promised = 0
        self._closing: dict[Connected, asyncio.Task[None]] = {}
        self._waiting: deque[asyncio.Future[Connected | None]] = deque()
        self._has_told = False

    async def begin(self, sink: Connected) -> None:
        """Wait until a sink may send, and so be connected; `end` follows. They get their turns in order."""
        if sink in self._idle:
            del self._idle[sink]
        elif len(self._idle) + len(self._busy) + self._promised >= self._most:
            self._tell()
            other = await self._place()
            try:
                if other is not None:
                    await self._close(other)
                if sink in self._closing:
                    await asyncio.wait([self._closing[sink]])
            except BaseException:
                self._pass_on(None)
                raise
            finally:
                self._promised -= 1
        self._busy.add(sink)

    def end(self, sink: Connected) -> None:
        """Note that a sink has sent, well or not; it may still be connected."""
        self._busy.discard(sink)
        if not self._pass_on(sink):
            self._idle[sink] = None

    def forget(self, sink: Connected) -> None:
        """Note that a sink is closed for good."""
        if sink in self._idle or sink in self._busy:
            self._idle.pop(sink, None)
            self._busy.discard(sink)
            self._pass_on(None)

    async def _place(self) -> Connected | None:
        """Return the sink whose place is free now, once it is closed; None if that is done."""
        if self._idle:
            other, _ = self._idle.popitem(last=False)
            self._promised += 1
            return other
        turn: asyncio.Future[Connected | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._promised -= 1
                if (left := turn.result()) is None:
                    self._pass_on(None)
                else:
                    self.end(left)
            raise

    def _pass_on(self, sink: Connected | None) -> bool:
        """Pass a place on to the one that waits longest, with the sink that has it; false if none waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._promised += 1
                turn.set_result(sink)
                return True
        return False

    async def _close(self, sink: Connected) -> None:
        closing = self._closing[sink] = asyncio.ensure_future(sink.close())
        closing.add_done_callback(lambda _: self._closing.pop(sink, None))
        await asyncio.wait([closing])

    def _tell(self) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "open file limit (RLIMIT_NOFILE) is low: at most %d destinations are connected at the same time, and"
                " take turns; raise LimitNOFILE",
                self._most,
            )

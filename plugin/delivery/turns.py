"""Turns: the tails of a destination are read one after the other, a little each, until a batch is full.

Those that are slow, since a line is made to take long, are read in a thread meanwhile, and hold up each other alone.
"""

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from plugin.delivery.batch import Batch, Group
from plugin.delivery.tail import LONGEST_TURN, Chunk, Tail
from plugin.records.position import Position

logger = logging.getLogger(__name__)

_LARGEST_TURN = 64 * 1024
_SMALLEST_TURN = 4 * 1024


@lru_cache(maxsize=1)
def _aside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="slow-tails")


class _Turn:
    """One reading of a tail: where it began, and what came of it."""

    __slots__ = ("outcome", "position", "tail", "upto")

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.position: int = tail.position
        self.upto: Position = tail.upto
        self.outcome: Chunk | Exception = Chunk([], self.upto, more=False)

    def take(self, size: int) -> None:
        """Read so many bytes of journal."""
        try:
            self.outcome = self.tail.read(size)
        except Exception as error:  # noqa: BLE001 (it is told of where it is known to which tail this happened)
            self.outcome = error


class Turns:
    """Queues the tails that may have something to read, and collects batches of what they have.

    The order within a container is kept; a container that floods gets no more of a batch than its turns. A batch that
    is not full waits ``batch_wait`` seconds for more. A journal that cannot be read is tried again ``reread`` seconds
    later.
    """

    def __init__(self, batch_wait: float, reread: float = 5.0) -> None:
        self._batch_wait = batch_wait
        self._reread = reread
        self._ready: deque[Tail] = deque()
        self._queued: set[Tail] = set()
        self._taken: deque[_Turn] = deque()
        self._news = asyncio.Event()
        self.collecting = False
        """Whether a batch has begun that is not full yet."""

    def announce(self, tail: Tail) -> None:
        """Queue a tail that may have something to read, unless it is queued already."""
        if tail not in self._queued:
            self._queued.add(tail)
            self._ready.append(tail)
            self._news.set()

    def remove(self, tail: Tail) -> None:
        """Let a tail have no more turns."""
        self._queued.discard(tail)

    async def collect(self, limit: int) -> Batch:
        """Wait until there is something to read, and return a batch that takes about ``limit`` bytes of journal."""
        clock = asyncio.get_running_loop().time
        batch: Batch = []
        size = 0
        deadline = 0.0
        began = clock()
        while size < limit:
            if clock() - began > LONGEST_TURN:  # turns can be many where segments are small
                await asyncio.sleep(0)
                began = clock()
            taken = self._take_turn(batch, self._turn(limit, size))
            if taken:
                self.collecting = bool(batch)
                if batch:
                    deadline = deadline or clock() + self._batch_wait
                size += taken
                continue
            remaining = deadline - clock() if batch else None
            if remaining is not None and remaining <= 0:
                break
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), remaining)
            except TimeoutError:
                break
        self.collecting = False
        return batch

    def _turn(self, limit: int, taken: int) -> int:
        """Return the bytes of journal of a turn in a batch that has ``taken`` already.

        Shorter the more wait for one, so that each comes to its turn within a few batches.
        """
        fair = limit // max(1, len(self._ready))
        return max(_SMALLEST_TURN, min(_LARGEST_TURN, fair, limit - taken))

    def _take_turn(self, batch: Batch, size: int) -> int:
        """Let the next tail add to the batch; return the bytes of journal, 0 if no tail has any."""
        while turn := self._next_turn(size):
            tail, chunk = turn.tail, turn.outcome
            if tail not in self._queued:
                continue
            if isinstance(chunk, Exception):
                self._read_later(tail, chunk)
                continue
            if chunk.more:
                self._ready.append(tail)
            else:
                self._queued.discard(tail)
            if chunk.records or chunk.upto != turn.upto:
                batch.append(Group(tail, chunk.records, chunk.upto))
            elif not chunk.more:
                continue
            return max(1, tail.position - turn.position)
        return 0

    def _next_turn(self, size: int) -> _Turn | None:
        """Return a turn that has been taken: one in the thread that is done with, or else the next tail's, now."""
        if self._taken:
            return self._taken.popleft()
        while self._ready:
            tail = self._ready.popleft()
            if tail not in self._queued:
                continue
            turn = _Turn(tail)
            if not tail.is_slow:
                turn.take(size)
                return turn
            tail.begin_aside()
            taking = asyncio.get_running_loop().run_in_executor(_aside(), turn.take, size)
            taking.add_done_callback(lambda _, turn=turn: self._end_aside(turn))  # type: ignore[misc]
        return None

    def _end_aside(self, turn: _Turn) -> None:
        turn.tail.end_aside()
        self._taken.append(turn)
        self._news.set()

    def _read_later(self, tail: Tail, error: Exception) -> None:
        expected = isinstance(error, OSError)
        logger.log(
            logging.WARNING if expected else logging.ERROR,
            "container %s, sink %s: cannot read the journal; retrying: %s",
            tail.label,
            tail.instance,
            error,
            exc_info=None if expected else error,
        )
        # It counts as queued until then, whatever is announced: it may grow all the time.
        asyncio.get_running_loop().call_later(self._reread, self._read_again, tail)

    def _read_again(self, tail: Tail) -> None:
        if tail in self._queued:
            self._ready.append(tail)
            self._news.set()

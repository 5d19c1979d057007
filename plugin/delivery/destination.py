"""Destinations: one sink with one set of options, shared by all containers that use the same."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plugin.delivery.backoff import Backoff
from plugin.delivery.batch import Batch, Group, halves, has_records, is_one_record, journal_bytes, records_of
from plugin.delivery.cpu_yield import Yielding
from plugin.delivery.encode_guard import Defects
from plugin.delivery.tail import Tail
from plugin.errors import PeaveyError
from plugin.records.position import Position
from plugin.sinks.base import (
    MisconfiguredError,
    RejectError,
    RetryError,
    Sink,
    SinkError,
    TooLargeError,
    UnavailableError,
)

logger = logging.getLogger(__name__)

_LONGEST_TURN = 64 * 1024
_SHORTEST_TURN = 4 * 1024
_ATTEMPTS_IN_ONE_PIECE = 3
_SMALLEST_PIECE = 16 * 1024
_MISCONFIGURED_AT_LEAST = 30.0
_REREAD = 5.0


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How to batch and retry; seconds and bytes of journal."""

    batch_wait: float
    batch_size: int
    retry_min: float
    retry_max: float


@dataclass(slots=True)
class DestinationState:
    """What status and metrics tell of a destination; times in nanoseconds since 1970 UTC, 0 for never."""

    batches: int = 0
    records: int = 0
    bytes: int = 0
    retries: int = 0
    dead: int = 0
    last_success: int = 0
    last_error: str = ""
    failing_since: int = 0
    misconfigured: bool = False


class Destination:
    """Takes the records of its tails, in turn, to one place, one batch after the other.

    The order within a container is kept; a container that floods gets no more of a batch than its turns.

    ``renewed`` gives the sink anew if a secret of it has changed: it is asked after failures.
    """

    def __init__(
        self,
        label: str,
        sink: Sink[Any],
        settings: DeliverySettings,
        renewed: Callable[[], Sink[Any] | None] = lambda: None,
    ) -> None:
        self.label = label
        self.sink = sink
        self.state = DestinationState()
        self.tails: dict[tuple[str, str], Tail] = {}
        self._settings = settings
        self._renewed = renewed
        self._batch_size = settings.batch_size
        self._is_clean = True
        self._backoff = Backoff(settings.retry_min, settings.retry_max)
        self._ready: deque[Tail] = deque()
        self._queued: set[Tail] = set()
        self._news = asyncio.Event()
        self._yielding = Yielding()
        self._defects = Defects(label)

    @property
    def batch_wait(self) -> float:
        """How long a batch that is not full waits for more, in seconds."""
        return self._settings.batch_wait

    def add(self, tail: Tail) -> None:
        """Begin to deliver a tail."""
        self.tails[tail.container_id, tail.instance] = tail
        self.announce(tail)

    def remove(self, tail: Tail) -> None:
        """Deliver nothing more of a tail; a batch that is under way may still hold records of it."""
        del self.tails[tail.container_id, tail.instance]
        self._queued.discard(tail)
        tail.close()

    def announce(self, tail: Tail) -> None:
        """Queue a tail that may have something to read."""
        if tail not in self._queued and self.tails.get((tail.container_id, tail.instance)) is tail:
            self._queued.add(tail)
            self._ready.append(tail)
            self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            batch = await self._collect()
            self._is_clean = True
            await self._deliver(batch)
            times = [group.records[0].time_nano for group in batch if group.records]
            await asyncio.sleep(self._yielding.pause(min(times)) if times else 0)

    async def _collect(self) -> Batch:
        """Wait for records and collect a batch of them."""
        batch: Batch = []
        size = 0
        deadline = 0.0
        while size < self._batch_size:
            taken = self._take_turn(batch, self._turn(size))
            if taken:
                if batch:
                    deadline = deadline or time.monotonic() + self._settings.batch_wait
                size += taken
                continue
            remaining = deadline - time.monotonic() if batch else None
            if remaining is not None and remaining <= 0:
                break
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), remaining)
            except TimeoutError:
                break
        return batch

    def _turn(self, taken: int) -> int:
        """Return the bytes of journal of a turn in a batch that has ``taken`` already.

        Shorter the more wait for one, so that each comes to its turn within a few batches.
        """
        fair = self._batch_size // max(1, len(self._ready))
        return max(_SHORTEST_TURN, min(_LONGEST_TURN, fair, self._batch_size - taken))

    def _take_turn(self, batch: Batch, size: int) -> int:
        """Let the next tail add to the batch; returns the bytes of journal, 0 if no tail has any."""
        while self._ready:
            tail = self._ready.popleft()
            if tail not in self._queued:
                continue
            position, upto = tail.position, tail.upto
            try:
                chunk = tail.read(size)
            except Exception:
                logger.exception("container %s: its journal cannot be read now", tail.container_id)
                asyncio.get_running_loop().call_later(_REREAD, self._read_again, tail)
                continue  # it counts as queued until then, whatever is announced: it may grow all the time
            if chunk.more:
                self._ready.append(tail)
            else:
                self._queued.discard(tail)
            if chunk.records or chunk.upto != upto:
                batch.append(Group(tail, chunk.records, chunk.upto))
            elif not chunk.more:
                continue
            return max(1, tail.position - position)
        return 0

    def _read_again(self, tail: Tail) -> None:
        self._queued.discard(tail)
        self.announce(tail)

    async def _deliver(self, batch: Batch) -> None:
        """Deliver a batch for good: until it is acknowledged, or what is at fault is a dead letter.

        One that fails again and again is tried in halves. It may be too large for what the server, or a proxy in front
        of it, takes at once or in the time given, and few say so: they close the connection, or answer 429 or 500.
        """
        attempts = 0
        if not has_records(batch):
            _acknowledge(batch)
            return
        while True:
            if attempts >= _ATTEMPTS_IN_ONE_PIECE and _may_be_too_large(batch):
                await self._deliver_halves(batch)
                return
            await asyncio.sleep(0)  # a sink that has nothing to send may never wait, and others must have their turns
            payload = None
            began = time.monotonic()
            try:
                payload = self._defects.encode(self.sink, records_of(batch))
                await self.sink.send(payload)
            except RejectError as error:
                if payload is not None:  # the destination has answered
                    self._is_well()
                await self._narrow_down(batch, error)
                return
            except SinkError as error:
                attempts += isinstance(error, RetryError) and not isinstance(error, UnavailableError)
                await self._recover(error)
            except Exception as error:  # noqa: BLE001 (a defect of the sink must not end delivery, nor lose the batch)
                await self._recover(RetryError(self._defects.tell(error)))
            else:
                self._succeeded(batch, len(payload))
                took = time.monotonic() - began
                count = sum(len(group.records) for group in batch)
                logger.debug("destination %s: %d records, %d bytes, %.3f s", self.label, count, len(payload), took)
                return

    async def _recover(self, error: SinkError) -> None:
        """Wait until it is time to try again; with a secret that has changed, it is at once if that was the fault."""
        delay = self._failed(error)
        if isinstance(error, MisconfiguredError) and await self._renew():
            return
        await asyncio.sleep(delay)
        await self._renew()

    async def _renew(self) -> bool:
        try:
            sink = self._renewed()
        except PeaveyError as error:
            logger.warning("destination %s: what its options name cannot be read anew: %s", self.label, error)
            return False
        if sink is None:
            return False
        logger.info("destination %s: a secret has changed, it is used from now on", self.label)
        before, self.sink = self.sink, sink
        await before.close()
        return True

    async def _narrow_down(self, batch: Batch, error: RejectError) -> None:
        """Split a rejected batch until the record at fault is alone.

        Where one is, there may be many, and each takes requests of its own: batches are small until all is well, so
        that a container of which every line is refused does not keep the others waiting.
        """
        if is_one_record(batch):
            self.state.dead += 1
            self._is_clean = False
            self._batch_size = min(self._batch_size, _SMALLEST_PIECE)
            for group in batch:
                for record in group.records:
                    group.tail.bury(record, str(error))
                group.tail.acknowledge(group.upto, 0)
        elif isinstance(error, TooLargeError):
            await self._deliver_halves(batch)
        else:
            for half in halves(batch):
                await self._deliver(half)

    async def _deliver_halves(self, batch: Batch) -> None:
        """Deliver a batch that may be too large in two; those after it are smaller, and grow with each success."""
        self._batch_size = min(self._batch_size, max(_SMALLEST_PIECE, journal_bytes(batch) // 2))
        for half in halves(batch):
            await self._deliver(half)

    def _succeeded(self, batch: Batch, size: int) -> None:
        self._is_well()
        count = sum(len(group.records) for group in batch)
        if self._batch_size < self._settings.batch_size:
            larger = self._batch_size + self._batch_size // 16
            taken = journal_bytes(batch) if self._is_clean else 0  # what was taken in one piece can be taken again
            self._batch_size = min(self._settings.batch_size, max(larger, taken))
        self.state.batches += 1
        self.state.records += count
        self.state.bytes += size
        self.state.last_success = time.time_ns()
        _acknowledge(batch)

    def _is_well(self) -> None:
        if self.state.failing_since:
            logger.info("destination %s takes records again", self.label)
        self._backoff.reset()
        self.state.failing_since = 0
        self.state.misconfigured = False

    def _failed(self, error: SinkError) -> float:
        """Note a failure; returns the seconds to wait."""
        if not self.state.failing_since or str(error) != self.state.last_error:
            level = logging.ERROR if isinstance(error, MisconfiguredError) else logging.WARNING
            logger.log(level, "destination %s does not take records; it is tried again: %s", self.label, error)
        self.state.failing_since = self.state.failing_since or time.time_ns()
        self.state.last_error = str(error)
        self.state.retries += 1
        self.state.misconfigured = isinstance(error, MisconfiguredError)
        delay = self._backoff.delay()
        if isinstance(error, RetryError) and error.after is not None:
            return max(delay, min(error.after, self._settings.retry_max))
        if self.state.misconfigured:
            return max(delay, min(_MISCONFIGURED_AT_LEAST, self._settings.retry_max))
        return delay


def _acknowledge(batch: Batch) -> None:
    """Move the cursors behind a batch that was delivered, each once."""
    counts: Counter[Tail] = Counter()
    upto: dict[Tail, Position] = {}
    for group in batch:
        counts[group.tail] += len(group.records)
        upto[group.tail] = group.upto
    for tail, position in upto.items():
        tail.acknowledge(position, counts[tail])


def _may_be_too_large(batch: Batch) -> bool:
    """Return whether it is worth trying in halves what has failed again and again."""
    return not is_one_record(batch) and journal_bytes(batch) > _SMALLEST_PIECE

"""Producing so that a container's lines are in order, and none is sent again that may be there.

A partition has one batch under way at a time. What has not been acknowledged in time stays under way, as an idempotent
producer brings it in the end, once: whoever sends it again waits for that. Only a producer that is given up, such as by
an end of the process, leaves unknown what of its last batches is there.
"""

import asyncio
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, errors
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, TooLargeError
from plugin.sinks.kafka.connection import KafkaConnection
from plugin.sinks.kafka.encoder import Run, runs

_MOST_KEYS = 10_000
_PATIENCE = 5
"""How many times nothing at all is acknowledged before the producer is given up."""

_FIRST_LOOK, _LOOK_AGAIN = 1.0, 0.05
"""Seconds until brokers that do not acknowledge are looked at: aiokafka tries again without end, and tells nobody."""
_LAST_WAIT = 5.0

Place = tuple[str, int]
"""What names a record for good: its container and journal, and its offset there."""
Lane = tuple[str, int]
"""A topic and the number of a partition."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Records for one partition that are acknowledged together."""

    run: Run
    first: int
    """Where its first record is in the payload."""
    batch: BatchBuilder
    count: int = 0
    """How many lines it has."""
    pieces: list[tuple[str, "array[int]"]] = field(default_factory=list)
    """Containers, and the offsets of their records."""
    acknowledged: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def places(self) -> Iterator[Place]:
        """Yield what names each of its records."""
        return ((container, offset) for container, offsets in self.pieces for offset in offsets)


class NotSentError(Exception):
    """What was in front of a batch in its partition has failed."""


class Publisher:
    """Produces runs of records, partition by partition in order, and several partitions at once."""

    def __init__(self, connection: KafkaConnection, limit: float) -> None:
        self._connection = connection
        self._limit = limit
        self._partitions: dict[str, int] = {}
        self._lanes: dict[tuple[str, bytes], Lane] = {}
        self._ends: dict[Lane, asyncio.Task[None]] = {}
        self._under_way: dict[Place, asyncio.Future[None]] = {}
        self._failures = 0

    async def send(self, payload: bytes) -> None:
        """Produce all records of a payload; returns when all are acknowledged."""
        producer = await self._connection.open()
        waiting: set[asyncio.Future[None]] = set()
        lanes: dict[Lane, list[Chunk]] = {}
        number = 0
        for run in runs(payload):
            lane = await self._lane_of(run)
            chunks = lanes.setdefault(lane, [])
            self._add(producer, chunks, run, number, waiting)
            number += len(run.offsets)
        for lane, chunks in lanes.items():
            if chunks:
                waiting.update(chunk.acknowledged for chunk in chunks)
                before = self._ends.get(lane)
                self._ends[lane] = asyncio.create_task(_publish_in_order(producer, lane, chunks, before))
        trouble = await self._wait(waiting)
        done = {future for future in waiting if future.done()}
        failed = [chunk for chunks in lanes.values() for chunk in chunks if _error_of(chunk.acknowledged)]
        problems = [error for future in done if (error := _error_of(future))]
        if len(done) == len(waiting) and not problems:
            self._failures = 0
            self._under_way.clear()
            return
        for chunk in (chunk for chunks in lanes.values() for chunk in chunks):
            self._under_way.update(dict.fromkeys(chunk.places(), chunk.acknowledged))
        if problems:
            # After a failure the producer's numbers of batches are no longer those that the brokers expect.
            await self._renew()
            raise self._worst(failed, problems)
        self._failures = 0 if any(_is_acknowledged(future) for future in done) else self._failures + 1
        if self._failures >= _PATIENCE and trouble is None:
            await self._renew()
        raise trouble or RetryError(f"{self._connection} has not acknowledged within {self._limit:g} s")

    async def close(self) -> None:
        """Close the producer; what it has under way is given up."""
        await self._renew()
        self._under_way.clear()

    async def _wait(self, waiting: "set[asyncio.Future[None]]") -> SinkError | None:
        """Wait until all are done or one has failed; returns why no broker lets us in, where that is so meanwhile."""
        left = self._limit
        pause = _FIRST_LOOK if not self._under_way else _LOOK_AGAIN
        pending = waiting
        while pending and left > 0:
            pause = min(pause, left)
            done, pending = await asyncio.wait(pending, timeout=pause, return_when=asyncio.FIRST_EXCEPTION)
            if any(_error_of(future) for future in done):
                if pending:  # the producer is given up: what else is under way is better there
                    await asyncio.wait(pending, timeout=min(left, _LAST_WAIT))
                return None
            left -= pause
            if pending and not done:
                try:
                    await self._connection.check()
                except SinkError as error:
                    return error
            pause *= 2
        return None

    async def _renew(self) -> None:
        """Discard the producer, and remember what it has delivered."""
        self._failures = 0
        tasks = list(self._ends.values())
        self._ends.clear()
        await self._connection.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way = {place: future for place, future in self._under_way.items() if _is_acknowledged(future)}

    async def _lane_of(self, run: Run) -> Lane:
        name = (run.topic, run.key or run.container.encode())
        if found := self._lanes.get(name):
            return found
        if run.topic not in self._partitions:
            self._partitions[run.topic] = await self._connection.find_partitions(run.topic)
        if len(self._lanes) >= _MOST_KEYS:
            self._lanes.clear()
        # As Kafka's own clients do, so that other producers of the same key come to the same partition.
        lane = run.topic, (murmur2(name[1]) & 0x7FFFFFFF) % self._partitions[run.topic]
        self._lanes[name] = lane
        return lane

    def _add(
        self,
        producer: AIOKafkaProducer,
        chunks: list[Chunk],
        run: Run,
        number: int,
        waiting: "set[asyncio.Future[None]]",
    ) -> None:
        """Add messages to the chunks of their partition, but for lines that are under way or there."""
        key = run.key or None
        headers = list(run.headers)
        chunk = chunks[-1] if chunks else None
        piece: array[int] | None = None
        place = 0
        for time, count, value in zip(run.times, run.counts, run.values, strict=True):
            of_message = offsets = run.offsets[place : place + count]
            text = value
            place += count
            if self._under_way:
                offsets, text = self._left_of(run, of_message, value, waiting)
                if not offsets:
                    continue
            all_headers = [*headers, ("offset", b"%d" % offsets[0])]
            if chunk is None or not _append(chunk, time, key, text, all_headers):
                first = number + place - count + of_message.index(offsets[0])
                chunk = Chunk(run, first, producer.create_batch())
                chunks.append(chunk)
                piece = None
                if not _append(chunk, time, key, text, all_headers):
                    if count > 1:
                        raise TooLargeError(f"{count} lines are too long for a record")
                    raise RejectError("the line is too long for a record", index=first)
            if piece is None:
                piece = array("q")
                chunk.pieces.append((run.container, piece))
            piece.extend(offsets)
            chunk.count += len(offsets)

    def _left_of(
        self, run: Run, offsets: "array[int]", value: bytes, waiting: "set[asyncio.Future[None]]"
    ) -> tuple["array[int]", bytes]:
        """Leave out of a message the lines that are under way or there, for which is waited."""
        known = [self._under_way.get((run.container, offset)) for offset in offsets]
        waiting.update(future for future in known if future is not None)
        if None not in known:
            return array("q"), b""
        if known.count(None) == len(known):
            return offsets, value
        lines = zip(offsets, value.split(b"\n"), known, strict=True)
        left = [(offset, line) for offset, line, future in lines if future is None]
        return array("q", [offset for offset, _ in left]), b"\n".join([line for _, line in left])

    def _worst(self, failed: Sequence[Chunk], problems: Iterable[BaseException]) -> SinkError:
        """Return what needs attention, else what is to be split, else whatever there is."""
        found: list[SinkError] = []
        for chunk in failed:
            error = _error_of(chunk.acknowledged)
            if isinstance(error, (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)):
                found.append(_too_large(self._connection, chunk))
            elif isinstance(error, (errors.CorruptRecordException, errors.InvalidTimestampError)) and chunk.count == 1:
                found.append(RejectError(f"{self._connection} refuses the record: {error}", index=chunk.first))
            elif error is not None and not isinstance(error, NotSentError):
                found.append(self._connection.failure(error, chunk.run.topic))
        found += [self._connection.failure(error) for error in problems if not found]
        found.sort(key=lambda error: (not isinstance(error, MisconfiguredError), not isinstance(error, RejectError)))
        return found[0]


def _append(chunk: Chunk, time: int, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]) -> bool:
    added: object = chunk.batch.append(timestamp=time, key=key, value=value, headers=headers)
    return added is not None


def _too_large(connection: KafkaConnection, chunk: Chunk) -> RejectError:
    topic = chunk.run.topic
    if chunk.count == 1:
        return RejectError(
            f"{connection}: the record is larger than the topic {topic} takes (max.message.bytes)", index=chunk.first
        )
    return TooLargeError(
        f"{connection}: {chunk.count} records are larger than the topic {topic} takes (max.message.bytes); see "
        f"kafka-max-batch-bytes"
    )


async def _publish_in_order(
    producer: AIOKafkaProducer, lane: Lane, chunks: Sequence[Chunk], before: "asyncio.Task[None] | None"
) -> None:
    """Produce the chunks of a partition one after the other; after a failure, none of those behind it."""
    topic, partition = lane
    failure: BaseException | None = None
    try:
        if before is not None:
            await before
        for chunk in chunks:
            chunk.batch.close()
            acknowledged = await producer.send_batch(chunk.batch, topic, partition=partition)
            await acknowledged
            chunk.acknowledged.set_result(None)
    except BaseException as error:
        failure = error
        if not isinstance(error, Exception):
            failure = errors.ProducerClosed()
        raise
    finally:
        for chunk in chunks:
            if not chunk.acknowledged.done():
                chunk.acknowledged.set_exception(failure or NotSentError())
                chunk.acknowledged.exception()  # it need not be asked for
                failure = NotSentError()


def _error_of(future: "asyncio.Future[None]") -> BaseException | None:
    return future.exception() if future.done() and not future.cancelled() else None


def _is_acknowledged(future: "asyncio.Future[None]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None

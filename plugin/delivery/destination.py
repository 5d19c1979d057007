"""Destinations: one sink with one set of options, shared by all containers that use the same."""

import asyncio
from collections.abc import Callable
from typing import Any

from plugin.delivery.backoff import Backoff
from plugin.delivery.batch import oldest_time
from plugin.delivery.batch_notes import BatchNotes
from plugin.delivery.batch_size import BatchSize
from plugin.delivery.cpu_yield import Yielding
from plugin.delivery.descriptors import Connections
from plugin.delivery.destination_key import DeliverySettings
from plugin.delivery.destination_state import DestinationState
from plugin.delivery.secret_reload import CurrentSink
from plugin.delivery.sender import Sender
from plugin.delivery.tail import Tail
from plugin.delivery.turns import Turns
from plugin.sinks.base import Sink


class Destination:
    """Takes the records of its tails, in turn, to one place, one batch after the other.

    ``label`` is the sink's instance name and ``address`` where it sends to, for the log. ``renewed`` returns a
    new sink if a secret of it has changed: it is asked after failures. ``notes`` is where batches are noted before they
    are sent, for a sink that asks for it. ``turns`` and ``yielding`` decide what is read next, and when.
    ``connections`` are those of all destinations.
    """

    def __init__(
        self,
        label: str,
        sink: Sink[Any],
        settings: DeliverySettings,
        renewed: Callable[[], Sink[Any] | None] = lambda: None,
        *,
        address: str = "",
        notes: BatchNotes | None = None,
        turns: Turns | None = None,
        yielding: Yielding | None = None,
        connections: Connections | None = None,
    ) -> None:
        self.label = label
        self.address = address
        self.name = f"{label}@{address}" if address else label
        self.batch_wait = settings.batch_wait
        self.state = DestinationState()
        self.tails: dict[tuple[str, str], Tail] = {}
        self._sink = CurrentSink(self.name, sink, renewed, connections)
        self._turns = turns or Turns(settings.batch_wait)
        self._batch_size = BatchSize(settings.batch_size)
        self._sender = Sender(
            self.name, self._sink, self.state, self._batch_size, Backoff(settings.retry_min, settings.retry_max), notes
        )
        self._yielding = yielding or Yielding()
        self._sending = False
        self._leaving: list[Tail] = []
        self._left = asyncio.Event()

    @property
    def sink(self) -> Sink[Any]:
        """The sink, as it is now: it is another one after a secret has changed."""
        return self._sink.current

    @property
    def is_used(self) -> bool:
        """Whether it has tails, or a batch of an earlier process to send first."""
        return bool(self.tails) or self.is_replaying

    @property
    def is_replaying(self) -> bool:
        """Whether a batch that an earlier process has noted is to be sent before anything else."""
        return self._sender.is_replaying

    def add(self, tail: Tail) -> None:
        """Begin to deliver a tail."""
        self.tails[tail.container_id, tail.instance] = tail
        self._turns.announce(tail)

    def remove(self, tail: Tail) -> None:
        """Deliver nothing more of a tail; a batch that is under way may still hold records of it."""
        del self.tails[tail.container_id, tail.instance]
        self._turns.remove(tail)
        tail.close()

    def release(self, tail: Tail) -> None:
        """Read nothing more of a tail for good; what is under way still moves its cursor once it is acknowledged."""
        del self.tails[tail.container_id, tail.instance]
        self._turns.remove(tail)
        if self._sending or self._turns.collecting:
            self._left.clear()
            self._leaving.append(tail)
        else:
            tail.close()

    async def settle(self) -> None:
        """Wait until nothing is under way of tails that were released."""
        if self._leaving:
            await self._left.wait()

    async def end(self) -> None:
        """Let go of tails that were released, and close the connections; to be called once nothing runs any more."""
        while self._leaving:
            self._leaving.pop().close()
        await self._sink.end()

    def announce(self, tail: Tail) -> None:
        """Note that a tail may have something to read; one that was removed is left alone."""
        if self.tails.get((tail.container_id, tail.instance)) is tail:
            self._turns.announce(tail)

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._sender.replay()
        while True:
            batch = await self._turns.collect(self._batch_size.current)
            oldest = oldest_time(batch)
            self._sending = True
            await self._sender.deliver(batch)
            self._sending = False
            while self._leaving:
                self._leaving.pop().close()
            self._left.set()
            await asyncio.sleep(0 if oldest is None else self._yielding.pause(oldest))

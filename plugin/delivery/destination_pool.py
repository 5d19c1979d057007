"""The destinations of a worker: each begins with the first container that uses it, and ends with the last one."""

import asyncio
import logging
import math
import os
from collections.abc import Callable, Iterator

from plugin.config.options import SinkChoice
from plugin.delivery.batch_notes import BatchNotes
from plugin.delivery.descriptors import Connections
from plugin.delivery.destination import Destination
from plugin.delivery.destination_key import DeliverySettings, Key, destination_key
from plugin.delivery.secret_reload import Renewal
from plugin.sinks.registry import load_sink, make_sink

logger = logging.getLogger(__name__)

_SETTLE_WITHIN = 2.0


class Destinations:
    """The running destinations, one for each set of options.

    ``notes`` makes the notes of batches for a destination, by what makes it and what the log calls it.
    ``connections`` bounds how many are connected.
    """

    def __init__(
        self, notes: Callable[[Key, str], BatchNotes] | None = None, connections: Connections | None = None
    ) -> None:
        self._notes = notes
        self._connections = connections
        self._running: dict[Key, Destination] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[tuple[Key, Destination]]:
        """Yield all that run, each with what makes it."""
        return iter(self._running.items())

    @property
    def shortest_wait(self) -> float:
        """The least ``batch-wait`` of all, in seconds; infinity without any."""
        return min((destination.batch_wait for destination in self._running.values()), default=math.inf)

    def find(self, choice: SinkChoice) -> Destination | None:
        """Return the destination of a choice, None if it does not run; the choice must have no faults."""
        return self._running.get(destination_key(choice))

    def begin(self, choice: SinkChoice, read_again: Callable[[], tuple[SinkChoice, ...]]) -> Destination:
        """Return the destination of a choice, begun now if it does not run; ``read_again`` as for ``Renewal``.

        Raises ``PeaveyError`` if the sink cannot be made.
        """
        key = destination_key(choice)
        if key not in self._running:
            sink = make_sink(choice)
            renewal = Renewal(choice, read_again)
            destination = self._running[key] = Destination(
                choice.instance,
                sink,
                DeliverySettings.of(choice),
                renewal.renewed,
                address=choice.options.destination,
                notes=self._notes_for(choice) if sink.notes_batches else None,
                connections=self._connections,
            )
            self._tasks[key] = asyncio.create_task(destination.run(), name=f"destination {destination.name}")
            self._tasks[key].add_done_callback(_end_on_bug)
            logger.info("destination %s: started", destination.name)
        return self._running[key]

    def waits_for_note(self, choice: SinkChoice, container_id: str) -> bool:
        """Return whether records of a container's sink are under way as they were noted, so that its cursor will move.

        From now on no other destination's note holds for it. The choice must have no faults.
        """
        if self._notes is None or not load_sink(choice.sink).notes_batches:
            return False
        return self._notes(destination_key(choice), choice.instance).claim(container_id, choice.instance)

    def _notes_for(self, choice: SinkChoice) -> BatchNotes | None:
        return self._notes and self._notes(destination_key(choice), f"{choice.instance}@{choice.options.destination}")

    def end_unused(self) -> None:
        """End those that have no container, without waiting for them."""
        for key, destination in list(self._running.items()):
            if destination.is_used:
                continue
            logger.info("destination %s: ended, no container uses it", destination.name)
            ending = asyncio.create_task(_end(self._running.pop(key), self._tasks.pop(key)))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def end(self, within: float) -> None:
        """End all, in ``within`` seconds at most."""
        endings = [asyncio.create_task(_end(running, self._tasks[key])) for key, running in self._running.items()]
        if endings or self._endings:
            await asyncio.wait([*endings, *self._endings], timeout=within)


def _end_on_bug(task: asyncio.Task[None]) -> None:
    """End the process when a destination's task failed: the next one begins again at what is acknowledged."""
    if not task.cancelled() and task.exception() is not None:
        logger.critical("%s: failed; ending delivery to restart it", task.get_name(), exc_info=task.exception())
        logging.shutdown()  # what is not written yet
        os._exit(os.EX_SOFTWARE)


async def _end(destination: Destination, task: asyncio.Task[None]) -> None:
    """Abandon what is in flight, but for what was released just now, and close the connections."""
    settling = asyncio.create_task(destination.settle())
    await asyncio.wait([task, settling], timeout=_SETTLE_WITHIN, return_when=asyncio.FIRST_COMPLETED)
    settling.cancel()
    task.cancel()
    await asyncio.wait([task])
    await destination.end()

"""The worker: finds the containers of its share, and brings each journal to the destinations that its log-opts name."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugin.delivery.destination import DeliverySettings, Destination
from plugin.delivery.origins import make_origin
from plugin.delivery.status import ShareStatus, SinkStatus, StreamStatus, write_status
from plugin.delivery.tail import Tail
from plugin.engine.options import SinkChoice, validate_leniently
from plugin.engine.secrets import Secret
from plugin.errors import JournalError, PeaveyError
from plugin.journal.cursors import Cursor, read_cursor
from plugin.journal.folder import DataFolder
from plugin.journal.note import JournalNote, read_note
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.registry import known_sinks, schema

logger = logging.getLogger(__name__)

_POLL = 0.1
_DISCOVER = 1.0
_REPORT = 1.0
_STOP_WITHIN = 3.0

Key = tuple[Any, ...]


class Worker:
    """Delivers the containers whose ids fall to ``share`` of ``shares``."""

    def __init__(self, data: DataFolder, defaults: Mapping[str, str], share: int, shares: int) -> None:
        self._data = data
        self._defaults = defaults
        self._share = share
        self._shares = shares
        self._destinations: dict[Key, Destination] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._containers: dict[str, _Container] = {}
        self._faults: dict[tuple[str, str], str] = {}
        self._started = time.time_ns()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set; then end within seconds, with what is acknowledged noted."""
        next_discovery = next_report = 0.0
        while not stop.is_set():
            now = time.monotonic()
            if now >= next_discovery:
                next_discovery = now + _DISCOVER
                self._discover()
            if now >= next_report:
                next_report = now + _REPORT
                self._report()
            self._look_for_news()
            try:
                await asyncio.wait_for(stop.wait(), _POLL)
            except TimeoutError:
                continue
        await self._end()

    def _discover(self) -> None:
        """Take up containers that are new or have changed, let go of those whose journal is gone."""
        ids = {container_id for container_id in self._data.container_ids() if self._is_ours(container_id)}
        for container_id in self._containers.keys() - ids:
            self._drop(container_id)
        for container_id in ids:
            folder = self._data.container(container_id)
            try:
                changed = os.stat(folder / "info.json").st_mtime_ns
            except OSError:
                continue
            known = self._containers.get(container_id)
            if known is None or known.changed != changed:
                self._take_up(container_id, folder, changed)

    def _is_ours(self, container_id: str) -> bool:
        return (
            int.from_bytes(hashlib.blake2b(container_id.encode(), digest_size=4).digest()) % self._shares == self._share
        )

    def _take_up(self, container_id: str, folder: Path, changed: int) -> None:
        self._drop(container_id)
        container = self._containers[container_id] = _Container(changed)
        try:
            note = read_note(folder)
        except JournalError as error:
            logger.warning("container %s is not delivered: %s", container_id[:12], error)
            return
        if note is None:
            return
        options, _ = validate_leniently(note.info.options, self._defaults, schema())
        for choice in options.sinks:
            try:
                container.tails.append(self._begin(folder, note, choice))
            except (PeaveyError, ValueError) as error:
                logger.error(  # noqa: TRY400 (the configuration's fault, no defect)
                    "container %s, sink %s is misconfigured, its log waits in the journal: %s",
                    container_id[:12],
                    choice.instance,
                    error,
                )
                self._faults[container_id, choice.instance] = str(error)

    def _begin(self, folder: Path, note: JournalNote, choice: SinkChoice) -> "_Link":
        if choice.faults:
            raise MisconfiguredError("; ".join(choice.faults))
        destination = self._destination(choice)
        cursor = read_cursor(folder, choice.instance) or Cursor(offset=0, resume=0)
        prepared = destination.sink.prepare(make_origin(note.info, choice, note.birth))
        tail = Tail(folder, choice.instance, destination.sink, prepared, cursor)
        destination.add(tail)
        return destination, tail

    def _destination(self, choice: SinkChoice) -> Destination:
        """Give the destination of these options, shared by all that have the same."""
        settings = DeliverySettings(
            batch_wait=choice.values["batch-wait"],
            batch_size=choice.values["batch-size"],
            retry_min=choice.values["retry-min"],
            retry_max=choice.values["retry-max"],
        )
        key = (choice.sink, _revealed(choice.raw), settings)
        if key not in self._destinations:
            sink = known_sinks()[choice.sink](choice)
            destination = self._destinations[key] = Destination(choice.instance, sink, settings)
            self._tasks[key] = asyncio.create_task(destination.run(), name=f"destination {choice.instance}")
        return self._destinations[key]

    def _drop(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        for destination, tail in container.tails if container is not None else ():
            destination.remove(tail)
        for key in [key for key in self._faults if key[0] == container_id]:
            del self._faults[key]
        for key in [key for key, destination in self._destinations.items() if not destination.tails]:
            self._tasks.pop(key).cancel()
            del self._destinations[key]

    def _look_for_news(self) -> None:
        for container in self._containers.values():
            for destination, tail in container.tails:
                if tail.has_news():
                    destination.announce(tail)

    def _report(self) -> None:
        """Write what status and metrics tell."""
        status = ShareStatus(
            pid=os.getpid(),
            share=self._share,
            started=self._started,
            written=time.time_ns(),
            sinks=[
                SinkStatus.of(
                    destination.label, destination.sink.declaration.name, destination.state, len(destination.tails)
                )
                for destination in self._destinations.values()
            ],
            streams=[
                StreamStatus.of(tail, destination)
                for container in self._containers.values()
                for destination, tail in container.tails
            ],
            faults=[
                f"{container_id[:12]} {instance}: {fault}" for (container_id, instance), fault in self._faults.items()
            ],
        )
        try:
            write_status(self._data, status)
        except OSError as error:
            logger.debug("status cannot be written: %s", error)

    async def _end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.wait([*self._tasks.values(), asyncio.create_task(self._close_sinks())], timeout=_STOP_WITHIN)
        self._report()

    async def _close_sinks(self) -> None:
        for destination in self._destinations.values():
            await destination.sink.close()


_Link = tuple[Destination, Tail]


class _Container:
    def __init__(self, changed: int) -> None:
        self.changed = changed
        self.tails: list[_Link] = []


def _revealed(raw: Mapping[str, str | Secret]) -> tuple[tuple[str, str], ...]:
    """Give options in a form that can be compared; it holds secrets and must not be shown."""
    return tuple(sorted((name, value.reveal() if isinstance(value, Secret) else value) for name, value in raw.items()))

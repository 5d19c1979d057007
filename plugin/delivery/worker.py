"""The worker: finds the containers of its share, and brings each journal to the destinations that its log-opts name."""

import asyncio
import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec

import msgspec

from plugin.config.effective import Memo, Rules
from plugin.config.options import SinkChoice
from plugin.delivery.batch_notes import BatchNotes, remove_stale
from plugin.delivery.descriptors import Connections, Limits, OpenJournals
from plugin.delivery.destination import Destination
from plugin.delivery.destination_ids import DestinationNames
from plugin.delivery.destination_key import Key
from plugin.delivery.destination_pool import Destinations
from plugin.delivery.identities import Identities
from plugin.delivery.journal_watcher import Watch
from plugin.delivery.misconfigurations import Faults
from plugin.delivery.origin import make_origin
from plugin.delivery.report import Filtered, ShareStatus, SinkStatus, write_status
from plugin.delivery.routes import Link, LinkedContainer
from plugin.delivery.sharding import Share
from plugin.delivery.tail import Tail
from plugin.delivery.timing import Timing
from plugin.docker.info import Info
from plugin.errors import JournalError, PeaveyError
from plugin.journal.accepted_profiles import read_accepted, time_accepted
from plugin.journal.cursors.given_up import has_given_up
from plugin.journal.cursors.start import find_beginning
from plugin.journal.cursors.store import Cursor
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import JournalMetadata, read_metadata
from plugin.journal.redirects import read_redirect, time_asked, time_of_redirect
from plugin.journal.seeking import journal_end
from plugin.memory import give_memory_back
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.registry import schema
from plugin.transforms.base import Transform

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 0.2
_SHORTEST_PAUSE = 0.02
_PAUSES = 9.0
_TURN = 0.01
_STOP_WITHIN = 3.0
_NAME_SIZE = 16
_PROFILE = "profile"
"""What faults call that of a container whose profile does not exist: no sink of its own can be called so."""

P = ParamSpec("P")
MakeStages = Callable[[SinkChoice, Info], Sequence[Transform]]


def no_stages(_choice: SinkChoice, _info: Info) -> Sequence[Transform]:
    """Leave records as they are."""
    return ()


class Worker:
    """Delivers the containers whose ids fall to ``share`` of ``shares``.

    ``stages`` makes what a container's records go through on their way to one of its sinks;
    ``limits`` is what may be open at the same time.
    """

    def __init__(
        self,
        data: DataFolder,
        defaults: Mapping[str, str],
        share: int,
        shares: int,
        stages: MakeStages = no_stages,
        timing: Timing | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._data = data
        self._rules = Rules(defaults, schema())
        self._accepted: tuple[int, int] | None = None
        self._asked = time_asked(data)
        self._share = share
        self._shares = shares
        self._stages = stages
        self._timing = timing or Timing()
        self._destinations = Destinations(self._batch_notes, Connections(limits.connections))
        self._open_journals = OpenJournals(limits.journals)
        self._containers: dict[str, LinkedContainer] = {}
        self._faults = Faults()
        self._names = DestinationNames(data)
        self._watch = Watch(data, self._is_ours, self._timing)
        self._lively: dict[str, float] = {}
        self._started = time.time_ns()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set; then end within seconds, with what is acknowledged noted."""
        next_report = 0.0
        remove_stale(self._data)
        while not stop.is_set():
            await self._look_around(stop)
            looked = time.monotonic()
            self._look_for_news()
            now = time.monotonic()
            pause = pause_between_looks(now - looked, self._destinations.shortest_wait)
            if now >= next_report:
                next_report = now + self._timing.report
                self._retry(now)
                self._tend(now)
                self._report()
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
        await self._end()

    async def _look_around(self, stop: asyncio.Event) -> None:
        """Take up containers that are new or have changed, let go of those whose journal is gone."""
        changed = self._look_at_rules()
        gone, stirred = self._watch.look(survey=changed)
        memo: Memo = {}
        for container_id in gone & self._containers.keys():
            self._drop(container_id)
        paused = time.monotonic()
        for container_id in stirred:
            self._isolate(container_id, self._look_at, container_id, memo if changed else None)
            if time.monotonic() - paused > _TURN:  # there may be thousands: what is known is delivered meanwhile
                await asyncio.sleep(0)
                paused = time.monotonic()
            if stop.is_set():
                break

    def _look_at_rules(self) -> bool:
        """Take over profiles that came into force; return whether all containers have to be looked at.

        That is so as well when a command has changed something of some container.
        """
        accepted, asked = time_accepted(self._data), time_asked(self._data)
        if (accepted, asked) == (self._accepted, self._asked):
            return False
        if accepted != self._accepted:
            try:
                profiles = read_accepted(self._data).profiles
            except JournalError as error:
                logger.warning("profiles: those that were in force before are used on: %s", error)
                profiles = self._rules.profiles
            if profiles != self._rules.profiles:
                self._rules = Rules(self._rules.log_opts, self._rules.schema, profiles)
        first = self._accepted is None
        self._accepted, self._asked = accepted, asked
        return not first

    def _look_at(self, container_id: str, memo: Memo | None) -> None:
        """See whether a container has something to deliver; one that had lately is looked at anyway.

        With ``memo`` it is about whether its options are still the same.
        """
        if container_id in self._lively and memo is None:
            return
        if self._has_changed(container_id, memo) or container_id in self._lively:
            return
        container = self._containers.get(container_id)
        if container is not None and container.announce_news(thorough=True):
            self._lively[container_id] = time.monotonic() + self._timing.lively

    def _has_changed(self, container_id: str, memo: Memo | None = None) -> bool:
        """Take up a container that is new, or what has changed of it; false if there is no such thing."""
        folder = self._data.container(container_id)
        try:
            changed = os.stat(folder / "info.json").st_mtime_ns
        except OSError:
            return False
        container = self._containers.get(container_id)
        if (
            container is not None
            and container.changed == changed
            and container.rules is self._rules
            and container.redirected == time_of_redirect(folder)
            and not container.has_found_cursor(folder)
            and not (memo is not None and container.has_given_up(folder))
        ):
            return False
        self._take_up(container_id, folder, changed, memo)
        return True

    def _is_ours(self, container_id: str) -> bool:
        digest = hashlib.blake2b(container_id.encode(), digest_size=4).digest()
        return int.from_bytes(digest) % self._shares == self._share

    def _take_up(self, container_id: str, folder: Path, changed: int, memo: Memo | None = None) -> None:
        """Begin to deliver a container, or take over what has changed of it."""
        container = self._containers.setdefault(container_id, LinkedContainer())
        container.changed = changed
        before = container.rules, container.redirected
        container.rules, container.redirected = self._rules, time_of_redirect(folder)
        container.retry = math.inf
        self._lively[container_id] = time.monotonic() + self._timing.lively
        try:
            metadata = read_metadata(folder)
            container.redirect = read_redirect(folder)
        except JournalError as error:
            self._faults.note_unreadable(
                container_id,
                error,
                known=container.info is not None,
                label=container.info.label if container.info else "",
            )
            container.retry = time.monotonic() + self._timing.retry
            return
        if metadata is None:
            return
        if container.birth not in (0, metadata.birth):  # that journal is gone, this is another
            self._drop(container_id)
            self._take_up(container_id, folder, changed, memo)
            return
        is_settled = container_id not in self._faults and not container.without_cursor and not container.waiting
        is_settled = is_settled and not (memo is not None and container.has_given_up(folder))
        if metadata.info == container.info and (container.rules, container.redirected) == before and is_settled:
            return
        container.birth = metadata.birth
        container.info = metadata.info
        options, faults = self._rules.read(metadata.info, container.redirect, memo)
        self._release_all_but(container_id, {choice.instance for choice in options.sinks})
        self._note_unknown_profiles(container_id, metadata.info, faults)
        for choice in options.sinks:
            try:
                self._begin_or_renew(container, folder, metadata, choice)
            except Exception as error:  # noqa: BLE001 (a defect of a sink must not end the delivery of other containers)
                expected = isinstance(error, PeaveyError | ValueError | OSError)
                fault = str(error) if expected else f"a defect ({type(error).__name__}), see delivery's log"
                self._faults.note(container_id, choice.instance, fault, defect=not expected, label=metadata.info.label)
                container.retry = time.monotonic() + self._timing.retry
            else:
                self._faults.forget(container_id, choice.instance)
        self._destinations.end_unused()

    def _begin_or_renew(
        self, container: LinkedContainer, folder: Path, metadata: JournalMetadata, choice: SinkChoice
    ) -> None:
        link = container.links.get(choice.instance)
        if link is None:
            self._begin(container, folder, metadata, choice)
        elif has_given_up(folder, choice.instance):
            container.forget(choice.instance)
            self._begin(container, folder, metadata, choice)
            logger.info("container %s, sink %s: goes on behind what was given up", metadata.info.label, choice.instance)
        elif choice.faults:
            return  # of files that cannot be read now: what they held goes on to be used
        elif (
            link.destination is self._destinations.find(choice)
            and link.is_by(choice)
            and not choice.transforms.add_field
        ):
            link.tail.set_identities(_identities(folder, metadata, choice, link.destination))
        else:
            container.forget(choice.instance)
            self._begin(container, folder, metadata, choice)

    def _note_unknown_profiles(self, container_id: str, info: Info, faults: Sequence[str]) -> None:
        """Note that profiles which a container's log-opts name do not exist, or do exist by now."""
        unknown = [fault for fault in faults if fault.startswith("unknown profile ")]
        if unknown:
            self._faults.note(container_id, _PROFILE, "; ".join(unknown), defect=False, label=info.label)
        else:
            self._faults.forget(container_id, _PROFILE)

    def _release_all_but(self, container_id: str, instances: set[str]) -> None:
        """Let go of the sinks that a container is not to have any more, and say what they did not get."""
        container = self._containers[container_id]
        for instance in sorted(container.links.keys() - instances):
            destination, tail, _ = container.links[instance]
            undelivered = max(0, journal_end(tail.folder) - tail.cursor.offset)
            logger.info(
                "container %s, sink %s: released, no profile, route or redirect names it any more; %s",
                tail.label,
                destination.name if destination.label == instance else f"{instance} ({destination.name})",
                f"it had not got the last {undelivered} bytes of the journal" if undelivered else "it had got all",
            )
            container.release(instance)
        self._forget_all_but(container_id, instances)

    def _forget_all_but(self, container_id: str, instances: set[str]) -> None:
        """Let go of the sinks that a container's log-opts name no more."""
        container = self._containers[container_id]
        for instance in container.links.keys() - instances:
            container.forget(instance)
        container.without_cursor &= instances
        container.waiting &= instances
        self._faults.forget_all_but(container_id, instances)

    def _begin(self, container: LinkedContainer, folder: Path, metadata: JournalMetadata, choice: SinkChoice) -> None:
        """Begin to deliver to a sink, unless it is newer than the container, or a batch must be sent again first."""
        container.without_cursor.discard(choice.instance)
        container.waiting.discard(choice.instance)
        if not choice.faults and self._destinations.waits_for_note(choice, metadata.info.container_id):
            self._destinations.begin(choice, self._read_again(metadata.info))
            container.waiting.add(choice.instance)
            container.retry = time.monotonic()
            return
        cursor = find_beginning(folder, choice, metadata.birth)
        if cursor is None:
            container.without_cursor.add(choice.instance)
        else:
            container.links[choice.instance] = self._link(folder, metadata, choice, cursor)

    def _link(self, folder: Path, metadata: JournalMetadata, choice: SinkChoice, cursor: Cursor) -> Link:
        if choice.faults:
            raise MisconfiguredError("; ".join(choice.faults))
        destination = self._destinations.begin(choice, self._read_again(metadata.info))
        identities = _identities(folder, metadata, choice, destination)
        prepared, _ = identities.at(cursor.offset)
        cursor = msgspec.structs.replace(cursor, birth=metadata.birth)
        tail = Tail(
            folder,
            choice.instance,
            destination.sink,
            prepared,
            cursor,
            self._stages(choice, metadata.info),
            self._timing.patience,
            metadata.info.label,
            identities,
            self._open_journals,
        )
        destination.add(tail)
        return Link(destination, tail, choice)

    def _read_again(self, info: Info) -> Callable[[], tuple[SinkChoice, ...]]:
        """Return what reads the log-opts of a container's sinks once more, as they are now."""
        rules, redirect = self._rules, self._containers[info.container_id].redirect
        return lambda: rules.read(info, redirect)[0].sinks

    def _drop(self, container_id: str) -> None:
        """Let go of a container whose journal is gone, and of destinations that have no other."""
        self._forget_all_but(container_id, set())
        del self._containers[container_id]
        self._lively.pop(container_id, None)
        self._destinations.end_unused()

    def _look_for_news(self) -> None:
        """Look at the containers that have printed lately; those that do so no more are left alone."""
        now = time.monotonic()
        for container_id, until in list(self._lively.items()):
            self._isolate(container_id, self._look_for_news_of, container_id, until, now)

    def _look_for_news_of(self, container_id: str, until: float, now: float) -> None:
        container = self._containers[container_id]
        if now >= container.next_look:
            container.next_look = now + self._timing.look
            if self._has_changed(container_id):
                return
        if container.announce_news():
            self._lively[container_id] = now + self._timing.lively
        elif now >= until and not any(tail.holds for _, tail, _ in container.links.values()):
            del self._lively[container_id]
            for _, tail, _ in container.links.values():
                tail.rest()
            if not self._lively:
                give_memory_back()

    def _isolate(self, container_id: str, action: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do something for a container; others are delivered whatever goes wrong with it."""
        try:
            action(*args, **kwargs)
        except Exception as error:
            expected = isinstance(error, OSError)
            logger.log(
                logging.WARNING if expected else logging.ERROR,
                "container %s: cannot look at the journal; retrying: %s",
                container_id[:12],
                error,
                exc_info=not expected,
            )
            self._lively.pop(container_id, None)
            if container_id in self._containers:
                self._containers[container_id].retry = time.monotonic() + self._timing.retry

    def _retry(self, now: float) -> None:
        """Try again what is misconfigured."""
        for container_id, container in list(self._containers.items()):
            if now >= container.retry:
                folder = self._data.container(container_id)
                self._isolate(container_id, self._take_up, container_id, folder, container.changed)

    def _tend(self, now: float) -> None:
        """Write the cursors that could not be written when they moved, and see to what was delivered late.

        A destination that was down reads on when nobody looks at the container any more.
        """
        for container_id, container in self._containers.items():
            lively = container_id in self._lively
            for _, tail, _ in container.links.values():
                tail.save()
                if lively:
                    continue
                if tail.holds:
                    self._lively[container_id] = now + self._timing.lively
                else:
                    tail.rest()

    def _batch_notes(self, key: Key, label: str) -> BatchNotes:
        share = Share(self._share, self._shares)
        return BatchNotes(self._data, share, self._names.name(key, _NAME_SIZE), label)

    def _report(self) -> None:
        """Write what status and metrics tell."""
        status = ShareStatus(
            pid=os.getpid(),
            share=self._share,
            started=self._started,
            written=time.time_ns(),
            sinks=[SinkStatus.of(self._names.name(key), destination) for key, destination in self._destinations],
            faults=self._faults.texts(),
            filtered=[
                Filtered(container=one, instance=name, stage=why.stage, reason=why.reason, records=count)
                for one, container in self._containers.items()
                for name, link in container.links.items()
                for why, count in link.tail.dropped.items()
            ],
        )
        try:
            write_status(self._data, status)
        except OSError as error:
            logger.debug("cannot write the status: %s", error)

    async def _end(self) -> None:
        await self._destinations.end(_STOP_WITHIN)
        self._tend(time.monotonic())
        self._report()


def _identities(folder: Path, metadata: JournalMetadata, choice: SinkChoice, destination: Destination) -> Identities:
    return Identities(
        folder, metadata, lambda info: destination.sink.prepare(make_origin(info, choice, metadata.birth))
    )


def pause_between_looks(took: float, shortest_wait: float) -> float:
    """Return how long to wait before looking again, in seconds: no longer than a destination waits for a batch to fill.

    But where many containers print, so that to look at them ``took`` long, looking must not be all that is done.
    """
    return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, shortest_wait, _PAUSES * took))

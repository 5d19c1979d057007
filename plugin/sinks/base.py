"""What a sink is.

A sink turns records into one request for one destination, and knows how that destination says yes. Reading journals,
batching, order, retries, cursors and dead letters are delivery's business: a sink imports nothing of journal or
delivery.

A package in here that is a sink has a module ``options``, which names its class of options ``OPTIONS``. It holds
declarations only, and every process imports it. The module ``sink``, which names its class ``SINK``, is imported when
the first destination of the kind is made, with all that it needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from plugin.config.schema import SinkOptions
from plugin.docker.info import Info
from plugin.errors import PeaveyError
from plugin.records.record import Record

__all__ = [
    "MisconfiguredError",
    "Origin",
    "PartlyRefusedError",
    "Record",
    "RejectError",
    "RetryError",
    "Sink",
    "SinkError",
    "TooLargeError",
    "Trouble",
    "UnavailableError",
]

Prepared = TypeVar("Prepared")

_OF_COMPOSE_AND_SWARM = {
    "compose_project": "com.docker.compose.project",
    "compose_service": "com.docker.compose.service",
    "swarm_stack": "com.docker.stack.namespace",
    "swarm_service": "com.docker.swarm.service.name",
}


class SinkError(PeaveyError):
    """A batch that was not acknowledged, or not as a whole; raised by ``Sink.send`` as one of the kinds below."""


class RetryError(SinkError):
    """The destination may take the batch later: no connection, a time-out, 429, 5xx.

    ``after`` is how many seconds it asks to wait, ``None`` if it does not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class UnavailableError(RetryError):
    """The destination takes nothing now, whatever the batch holds: nobody listens, a disk is full."""


class RejectError(SinkError):
    """The destination will never take this batch; delivery splits it to find the record at fault.

    ``index`` is the place in the batch of that record, where the destination names it, and ``took_those_before``
    whether it has taken all records in front of it.
    """

    def __init__(self, message: str, index: int | None = None, *, took_those_before: bool = False) -> None:
        super().__init__(message)
        self.index = index
        self.took_those_before = took_those_before


class TooLargeError(RejectError):
    """The destination would take this batch in smaller pieces: 413."""


class PartlyRefusedError(SinkError):
    """The destination has refused some records of a batch for good, and taken the others, but does not say which.

    None of it may be sent again. ``refused`` is how many it has refused, at least one.
    """

    def __init__(self, message: str, refused: int) -> None:
        super().__init__(message)
        self.refused = refused


class MisconfiguredError(SinkError):
    """The destination takes nothing from us as we are set up: 401, 403, 404, a certificate that does not match."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A container as the source of records: all that is constant for its lines, made once.

    ``tag`` is rendered, empty where there is none. ``attributes`` are the chosen labels and environment variables
    (log-opts ``labels``, ``env`` and their patterns). ``birth`` is the journal's, nanoseconds since 1970 UTC.
    """

    info: Info
    host: str
    tag: str
    attributes: Mapping[str, str]
    birth: int

    @property
    def labels(self) -> Mapping[str, str]:
        """All labels of the container."""
        return self.info.container_labels or {}

    @property
    def services(self) -> Mapping[str, str]:
        """What Compose and Swarm have it for, as far as they do: project, stack and service, named as by Grafana."""
        return {name: value for name, label in _OF_COMPOSE_AND_SWARM.items() if (value := self.labels.get(label))}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a sink cannot do now, besides sending a batch; ``since`` is in nanoseconds since 1970 UTC."""

    error: SinkError
    since: int


class Sink(ABC, Generic[Prepared]):
    """One sink with one set of options, that is: one destination. Used by one asyncio loop, one batch at a time.

    ``declaration``
        name, prefix and options
    ``joins_parts``
        whether it wants lines over 16 KiB as one record (up to 1 MiB), or the engine's parts as they come
    ``notes_batches``
        whether what ``encode`` has made is noted on disk before it is sent, for a destination that recognizes a batch
        that comes again, but no records: after a kill the same bytes are sent first, perhaps by a later version. Such a
        batch is cut only if it was refused as a whole
    """

    declaration: ClassVar[type[SinkOptions]]
    joins_parts: ClassVar[bool] = True
    notes_batches: ClassVar[bool] = False

    @property
    def trouble(self) -> Trouble | None:
        """Return why its destination is failing although no batch is: for sinks that also work between batches."""
        return None

    @abstractmethod
    def __init__(self, options: SinkOptions) -> None:
        """Take the typed options, of the class that ``declaration`` is; opens nothing.

        Raises ``MisconfiguredError`` for what cannot work, such as a certificate file that is not there.
        """

    @abstractmethod
    def prepare(self, origin: Origin) -> Prepared:
        """Make what is constant for a container's records: labels, tag, host, ids. Called once per container."""

    @abstractmethod
    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a batch, of one container or of many, in this order. Pure: no I/O, the same bytes for the same batch.

        Raises ``RejectError`` if a record cannot be expressed in the protocol at all.
        """

    @abstractmethod
    async def send(self, payload: bytes) -> None:
        """Send an encoded batch; returns when the destination has acknowledged all of it.

        Connects when needed. Raises ``RetryError``, ``RejectError``, ``MisconfiguredError`` or, where the protocol does
        not say more, ``PartlyRefusedError``; never anything else for what a network or a peer can do. Every step has a
        time limit.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close connections. ``send`` may be called again afterwards, and reconnects."""

"""The status of delivery: each worker writes ``DATA/delivery/<share>.json`` once a second."""

import os
from typing import TYPE_CHECKING

import msgspec

from plugin.delivery.histogram import Histogram
from plugin.journal.layout import DataFolder, write_atomically
from plugin.journal.regular_files import read_regular
from plugin.sinks.base import MisconfiguredError

if TYPE_CHECKING:
    from plugin.delivery.destination import Destination

_LONGEST_ERROR = 1_000


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One destination; times in nanoseconds since 1970 UTC, 0 for never. ``id`` is from ``DestinationNames``.

    ``address`` is where it sends to, for people; ``delays`` as in ``DestinationState``.
    """

    id: str
    instance: str
    sink: str
    containers: int
    batches: int
    records: int
    bytes: int
    retries: int
    dead: int
    last_success: int
    last_error: str
    failing_since: int
    misconfigured: bool
    address: str = ""
    last_refusal: int = 0
    delays: Histogram = msgspec.field(default_factory=Histogram)

    @classmethod
    def of(cls, name: str, destination: "Destination") -> "SinkStatus":
        """Take it from a destination, which is called ``name``."""
        state, trouble = destination.state, destination.sink.trouble
        since, error, misconfigured = state.failing_since, state.last_error, state.misconfigured
        if trouble is not None:
            if not since:
                error, misconfigured = str(trouble.error), isinstance(trouble.error, MisconfiguredError)
            since = min(trouble.since, since or trouble.since)
        return cls(
            id=name,
            instance=destination.label,
            sink=destination.sink.declaration.name,
            containers=len(destination.tails),
            batches=state.batches,
            records=state.records,
            bytes=state.bytes,
            retries=state.retries,
            dead=state.dead,
            last_success=state.last_success,
            last_error=_bounded(error) if since else "",
            failing_since=since,
            misconfigured=misconfigured,
            address=_bounded(destination.address),
            last_refusal=state.last_refusal,
            delays=state.delays,
        )


def _bounded(error: str) -> str:
    """Shorten a text, and replace what JSON cannot hold."""
    return error[:_LONGEST_ERROR].encode(errors="replace").decode()


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """How many records of a container a stage has dropped on purpose for one reason, since the worker began."""

    container: str
    instance: str
    stage: str
    reason: str
    records: int


class ShareStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one worker; ``faults`` are its misconfigured sinks."""

    pid: int
    share: int
    started: int
    written: int
    sinks: list[SinkStatus]
    faults: list[str]
    filtered: list[Filtered] = []


def write_status(data: DataFolder, status: ShareStatus) -> None:
    """Write a worker's status. Raises ``OSError``."""
    folder = data.path / "delivery"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_atomically(folder / f"{status.share}.json", msgspec.json.encode(status))


def read_status(data: DataFolder) -> list[ShareStatus]:
    """Return the last status of each worker, by share; what cannot be read is left out."""
    found = []
    folder = data.path / "delivery"
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
    except OSError:
        return []
    for name in names:
        try:
            found.append(msgspec.json.decode(read_regular(folder / name), type=ShareStatus))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return found

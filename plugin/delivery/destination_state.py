"""What is known of a destination: counts for status and metrics, and whether it is failing."""

import time
from dataclasses import dataclass, field

from plugin.delivery.histogram import Histogram
from plugin.sinks.base import MisconfiguredError, SinkError

_SECOND = 1_000_000_000


@dataclass(slots=True)
class DestinationState:
    """Counts since the process began; times in nanoseconds since 1970 UTC, 0 for never.

    ``delays`` are from when the engine read the oldest line of a batch to when the batch was acknowledged.
    """

    batches: int = 0
    records: int = 0
    bytes: int = 0
    retries: int = 0
    dead: int = 0
    last_success: int = 0
    last_refusal: int = 0
    last_error: str = ""
    failing_since: int = 0
    misconfigured: bool = False
    delays: Histogram = field(default_factory=Histogram)

    def note_success(self, records: int, size: int) -> None:
        """Count a batch that was acknowledged, of so many bytes."""
        self.batches += 1
        self.note_records(records, size)

    def note_records(self, records: int, size: int) -> None:
        """Count records that the destination has taken, of so many bytes as far as is known."""
        self.records += records
        self.bytes += size
        self.last_success = time.time_ns()

    def note_delay(self, oldest: int) -> None:
        """Count how long a batch took whose oldest line is of this time."""
        self.delays.observe((time.time_ns() - oldest) / _SECOND)

    def note_refusal(self, records: int = 1) -> None:
        """Count records that the destination has refused for good."""
        self.dead += records
        self.last_refusal = time.time_ns()

    def note_answer(self) -> bool:
        """Note that the destination answers as it should; return whether it was failing."""
        was_failing = self.failing_since > 0
        self.failing_since = 0
        self.misconfigured = False
        return was_failing

    def note_failure(self, error: SinkError) -> bool:
        """Count a failed attempt; return whether this is news: the first of its kind since the last success."""
        is_news = not self.failing_since or str(error) != self.last_error
        self.failing_since = self.failing_since or time.time_ns()
        self.last_error = str(error)
        self.retries += 1
        self.misconfigured = isinstance(error, MisconfiguredError)
        return is_news

"""What is known of a destination: counts for status and metrics, and whether it is failing."""

import time
from dataclasses import dataclass

from plugin.sinks.base import MisconfiguredError, SinkError


@dataclass(slots=True)
class DestinationState:
    """Counts since the process began; times in nanoseconds since 1970 UTC, 0 for never."""

    batches: int = 0
    records: int = 0
    bytes: int = 0
    retries: int = 0
    dead: int = 0
    last_success: int = 0
    last_error: str = ""
    failing_since: int = 0
    misconfigured: bool = False

    def note_success(self, records: int, size: int) -> None:
        """Count a batch that was acknowledged, of so many bytes."""
        self.batches += 1
        self.note_records(records, size)

    def note_records(self, records: int, size: int) -> None:
        """Count records that the destination has taken, of so many bytes as far as is known."""
        self.records += records
        self.bytes += size
        self.last_success = time.time_ns()

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

"""Backoff: how long to wait before the next attempt."""

import random

from plugin.sinks.base import MisconfiguredError, RetryError, SinkError

_MISCONFIGURED_AT_LEAST = 30.0


class Backoff:
    """Exponential from ``shortest`` to ``longest`` seconds, with full jitter on the upper half."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._next = shortest

    def delay(self) -> float:
        """Return the next delay in seconds; each is up to twice the one before."""
        delay = self._next * random.uniform(0.5, 1.0)  # noqa: S311 (spreads attempts, guards nothing)
        self._next = min(self._longest, self._next * 2)
        return delay

    def delay_after(self, error: SinkError) -> float:
        """Return the next delay in seconds, longer where the destination asks for that or needs attention first."""
        delay = self.delay()
        if isinstance(error, RetryError) and error.after is not None:
            return max(delay, min(error.after, self._longest))
        if isinstance(error, MisconfiguredError):
            return max(delay, min(_MISCONFIGURED_AT_LEAST, self._longest))
        return delay

    def reset(self) -> None:
        """Start over after a success."""
        self._next = self._shortest

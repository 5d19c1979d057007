"""The stream table: which streams are attached, and which of their FIFOs have something to read."""

import math
import select
import time
from collections.abc import Iterator

from plugin.intake.stream import Stream

Event = tuple[int, int]
"""A descriptor, and the mask of what epoll(7) says of it."""


class StreamTable:
    """The attached streams, by FIFO name, and by descriptor in one epoll.

    ``also`` is a descriptor that is polled beside theirs.
    """

    def __init__(self, also: int) -> None:
        self._by_name: dict[str, Stream] = {}
        self._by_descriptor: dict[int, Stream] = {}
        self._parked: dict[int, float] = {}
        self._epoll = select.epoll()
        self._epoll.register(also, select.EPOLLIN)

    def __contains__(self, name: str) -> bool:
        """Return whether a FIFO is attached."""
        return name in self._by_name

    def __iter__(self) -> Iterator[Stream]:
        """Yield the streams that are attached now, whatever is attached or removed meanwhile."""
        return iter(list(self._by_name.values()))

    @property
    def enlarged(self) -> int:
        """How many have a pipe that was enlarged."""
        return sum(stream.enlarged for stream in self._by_name.values())

    def find(self, name: str) -> Stream | None:
        """Return a stream by the name of its FIFO, None if it is not attached."""
        return self._by_name.get(name)

    def watch(self, descriptor: int) -> None:
        """Begin to poll a FIFO whose stream is added next. Raises ``OSError``."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def add(self, stream: Stream) -> None:
        """Add a stream whose FIFO is watched."""
        self._by_name[stream.name] = stream
        self._by_descriptor[stream.descriptor] = stream

    def remove(self, stream: Stream) -> None:
        """Remove a stream, whose descriptor must still be open."""
        if self._parked.pop(stream.descriptor, None) is None:
            self._epoll.unregister(stream.descriptor)
        del self._by_descriptor[stream.descriptor]
        del self._by_name[stream.name]

    def poll(self, seconds: float) -> list[Event]:
        """Wait for events, and return them; ``seconds`` at most."""
        next_due = min(self._parked.values(), default=math.inf) - time.monotonic()
        return self._epoll.poll(max(0.0, min(seconds, next_due))) + self._unpark()

    def park(self, stream: Stream, due: float) -> None:
        """Leave a stream alone until ``due``, by the monotonic clock: what it holds would be an event again and again.

        It must not be parked already.
        """
        self._epoll.unregister(stream.descriptor)
        self._parked[stream.descriptor] = due

    def _unpark(self) -> list[Event]:
        """Watch the streams that are due again; return those that hold something now."""
        now = time.monotonic()
        due = [descriptor for descriptor, until in self._parked.items() if until <= now]
        for descriptor in due:
            del self._parked[descriptor]
            self._epoll.register(descriptor, select.EPOLLIN)
        return [(descriptor, select.EPOLLIN) for descriptor in due if self._by_descriptor[descriptor].waiting()]

    def streams_of(self, events: list[Event]) -> list[tuple[int, Stream | None, int]]:
        """Return events with their streams as they are now; None for another descriptor.

        A descriptor that is closed while events are handled can be another stream's before they all are.
        """
        return [(descriptor, self._by_descriptor.get(descriptor), mask) for descriptor, mask in events]

"""How far a batch has come that comes again, whole or in pieces: which events were taken, and which refused."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from plugin.sinks.awslogs.encoder import BETWEEN_EVENTS, Batch

_Key = tuple[str, bytes]


class Progress:
    """What is known of the events of a batch that was taken in part, by stream and event.

    Events of the same time and text are alike, so it is enough to count them. Each piece of a batch is forgotten once
    it is delivered, so that nothing is left for the next.
    """

    def __init__(self) -> None:
        self._taken: Counter[_Key] = Counter()
        self._refused: dict[_Key, str] = {}

    def remaining(self, batch: Batch) -> Mapping[str, Sequence[bytes]]:
        """Return what of a batch, or of a piece of it, is still to be sent, by stream."""
        if not self._taken and not self._refused:
            return batch.requests
        taken = self._taken.copy()
        rest: dict[str, list[bytes]] = {}
        for stream, requests in batch.requests.items():
            for request in requests:
                events = []
                for event in request.split(BETWEEN_EVENTS):
                    key = (stream, event)
                    if taken[key] > 0:
                        taken[key] -= 1
                    elif key not in self._refused:
                        events.append(event)
                if events:
                    rest.setdefault(stream, []).append(BETWEEN_EVENTS.join(events))
        return rest

    def note(self, stream: str, request: bytes, refused: Mapping[int, str]) -> None:
        """Note a request that was answered: which of its events, by place, were refused, and why."""
        for place, event in enumerate(request.split(BETWEEN_EVENTS)):
            if place in refused:
                self._refused[stream, event] = refused[place]
            else:
                self._taken[stream, event] += 1

    def refusal(self, batch: Batch) -> str:
        """Return why an event of a batch was refused, empty if none was."""
        if not self._refused:
            return ""
        return next((self._refused[key] for key in _keys(batch) if key in self._refused), "")

    def forget(self, batch: Batch) -> None:
        """Forget a piece that does not come again; what was taken of others stays known, also where it is alike."""
        if not self._taken and not self._refused:
            return
        for key in _keys(batch):
            if self._taken[key] > 1:
                self._taken[key] -= 1
            else:
                del self._taken[key]
            self._refused.pop(key, None)


def _keys(batch: Batch) -> Iterable[_Key]:
    return (
        (stream, event)
        for stream, requests in batch.requests.items()
        for request in requests
        for event in request.split(BETWEEN_EVENTS)
    )

"""A Loki of one ingester, as far as refusals go: it takes pushes in part, and answers for the last stream alone.

Written after ``pkg/ingester/instance.go`` (``Push``, ``onStreamCreationError``), ``pkg/ingester/stream.go``
(``validateEntries``, ``errorForFailedEntries``) and ``pkg/validation/validate.go`` of grafana/loki. Time does not pass
in it: a stream may have ``burst`` bytes until it is ``refilled``.
"""

from werkzeug import Request, Response

from tests.sinks.loki.push_decoder import Entry, decode_body

SECOND = 10**9
HOUR = 3600 * SECOND


class Ingester:
    """Streams by their labels; ``cutoff`` is half of ``max_chunk_age``, and ``most_streams`` their greatest number."""

    def __init__(self, *, burst: int = 15_000_000, cutoff: int = HOUR, most_streams: int = 5_000) -> None:
        self.streams: dict[str, list[Entry]] = {}
        self.pushes: list[list[str]] = []
        self._burst = burst
        self._cutoff = cutoff
        self._most_streams = most_streams
        self._used: dict[str, int] = {}

    def refill(self) -> None:
        """Let as much time pass that every stream may send again."""
        self._used.clear()

    def answer(self, request: Request) -> Response:
        """Answer a push over HTTP."""
        status, text = self.push(request.get_data())
        return Response(text, status)

    def push(self, body: bytes) -> tuple[int, str]:
        """Take a push, and return what it is answered."""
        pushed: dict[str, list[Entry]] = {}
        for entry in decode_body(body):
            pushed.setdefault(entry.labels, []).append(entry)
        self.pushes.append(list(pushed))
        answer = 204, ""
        for labels, entries in pushed.items():
            answer = self._push_stream(labels, entries)
        return answer

    def _push_stream(self, labels: str, entries: list[Entry]) -> tuple[int, str]:
        if labels not in self.streams:
            if len(self.streams) >= self._most_streams:
                return 429, f"Maximum active stream limit exceeded when trying to create stream {labels}"
            self.streams[labels] = []
        stored = self.streams[labels]
        answer = 204, ""
        for entry in entries:
            if entry in stored:
                continue
            size = len(entry.line.encode())
            newest = max((before.time_nano for before in stored), default=entry.time_nano)
            if self._used.get(labels, 0) + size > self._burst:
                answer = (
                    429,
                    f"Per stream rate limit exceeded (limit: 3MB/sec) for stream '{labels}'",
                )
            elif entry.time_nano < newest - self._cutoff:
                answer = 400, f"entry with timestamp {entry.time_nano} ignored, reason: 'entry too far behind'"
            else:
                self._used[labels] = self._used.get(labels, 0) + size
                stored.append(entry)
        return answer

"""An HTTP event collector after Splunk's documentation, on Werkzeug's server.

"HTTP Event Collector REST API endpoints", "Format events for HTTP Event Collector", "Troubleshoot HTTP Event
Collector" (codes) and "About HTTP Event Collector Indexer Acknowledgment".
"""

import gzip
import json
from typing import Any

from werkzeug import Request, Response

ACK = "/services/collector/ack"
EVENTS = ("/services/collector", "/services/collector/event", "/services/collector/event/1.0")


class Collector:
    """A collector for one token; with ``acknowledges`` it indexes a batch after so many questions, -1 for never.

    An event that is invalid ends a request, and those before it are taken; by one that is not ``splunk``, all or none.
    """

    def __init__(self, token: str, acknowledges: int | None = None, *, splunk: bool = True) -> None:
        self.events: list[dict[str, Any]] = []
        self.questions = 0
        self.requests = 0
        self._splunk = splunk
        self._token = token
        self._acknowledges = acknowledges
        self._given = 0
        self._asked: dict[tuple[str, int], int] = {}

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.headers.get("Authorization") != f"Splunk {self._token}":
            return _reply(403, "Invalid token", 4)
        channel = request.args.get("channel") or request.headers.get("X-Splunk-Request-Channel", "")
        if self._acknowledges is not None and not channel:
            return _reply(400, "Data channel is missing", 10)
        if request.path == ACK:
            return self._status_of(channel, json.loads(request.get_data())["acks"])
        if request.path not in EVENTS:
            return _reply(404, "The requested URL was not found on this server.", 404)
        body = request.get_data()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return self._take(body.decode(), channel)

    def _take(self, content: str, channel: str) -> Response:
        self.requests += 1
        events: list[dict[str, Any]] = []
        decoder = json.JSONDecoder()
        position = 0
        while position < len(content):
            try:
                event, position = decoder.raw_decode(content, position)
            except ValueError:
                return _reply(400, "Invalid data format", 6)
            content_of = event.get("event")
            if content_of in ("", None) or "invalid" in str(content_of):
                if self._splunk:
                    self.events += events
                return _reply(400, "Invalid data format", 6, **{"invalid-event-number": len(events)})
            if event.get("index") == "forbidden":
                return _reply(400, "Incorrect index", 7)
            events.append(event)
        if not events:
            return _reply(400, "No data", 5)
        self.events += events
        if self._acknowledges is None:
            return _reply(200, "Success", 0)
        number, self._given = self._given, self._given + 1
        self._asked[channel, number] = 0
        return _reply(200, "Success", 0, ackId=number)

    def _status_of(self, channel: str, numbers: list[int]) -> Response:
        self.questions += 1
        acks = {}
        for number in numbers:
            asked = self._asked.get((channel, number))
            if asked is not None:
                self._asked[channel, number] = asked + 1
            acks[str(number)] = asked is not None and 0 <= (self._acknowledges or 0) <= asked
        return Response(json.dumps({"acks": acks}), 200, content_type="application/json")


def _reply(status: int, text: str, code: int, **more: int) -> Response:
    return Response(json.dumps({"text": text, "code": code, **more}), status, content_type="application/json")

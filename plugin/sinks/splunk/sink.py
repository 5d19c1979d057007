"""The sink ``splunk``: Splunk's HTTP event collector (HEC), and whatever else speaks it.

Protocol: "HTTP Event Collector REST API endpoints" and "About HTTP Event Collector Indexer Acknowledgment" in Splunk's
documentation.
"""

import asyncio
import logging
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import (
    MisconfiguredError,
    Origin,
    Record,
    RejectError,
    RetryError,
    Sink,
    SinkError,
    TooLargeError,
)
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.splunk.encoder import ENCODERS, EventFields, PreparedEvents, prepare_events
from plugin.sinks.splunk.options import SplunkOptions
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.responses import failure, shorten
from plugin.sinks.transport.http.settings import HttpSettings

logger = logging.getLogger(__name__)

_COLLECTOR = "/services/collector"
# Collectors before Splunk 7 take requests of 1 MB, and a line alone must fit.
_ATTRIBUTES = Bounds(size=256 * 1024, value=256 * 1024)
_FIRST_POLL, _LAST_POLL = 0.1, 5.0

# Of the answers with status 400, those that are about how the token is set up, and not about the events: incorrect
# index, data channel missing, invalid data channel, acknowledgement disabled.
_SETUP_CODES = (7, 10, 11, 14)
# Those that are about events: no data, invalid data format, event field required or blank, indexed fields.
_EVENT_CODES = (5, 6, 12, 13, 15, *_SETUP_CODES)


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
) -> SinkError | None:
    """Return the failure that an answer stands for, with the collector's own codes; None for 2xx."""
    fault = failure(site, status, headers, body, secrets)
    content = _object(body)
    code = content.get("code", 0)
    if fault is None and isinstance(code, int) and code != 0:
        kind = RejectError if code in _EVENT_CODES else RetryError
        fault = kind(f"{site} answered {status}, but with code {code}, not 0{shorten(body, secrets)}")
    if not isinstance(fault, RejectError):
        return fault
    if code in _SETUP_CODES:
        return MisconfiguredError(f"{fault} (check the token's settings, and log-opts splunk-index and others)")
    number = content.get("invalid-event-number")
    if isinstance(number, int) and number >= 0 and not isinstance(fault, TooLargeError):
        # Splunk takes events one by one, and the first that is invalid ends it. Others that speak its protocol number
        # them alike, but take all events or none.
        return RejectError(str(fault), number, took_those_before=headers.get("Server", "").startswith("Splunkd"))
    return fault


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


class SplunkSink(Sink[PreparedEvents]):
    """Posts events; acknowledged by 2xx and, where asked for, by the index."""

    declaration = SplunkOptions

    def __init__(self, options: SplunkOptions) -> None:
        """Take the options; see `Sink`."""
        self._fields = EventFields(
            source=options.source,
            source_type=options.source_type,
            index=options.index,
        )
        self._encode = ENCODERS[options.format]
        self._level = options.gzip_level if options.gzip else None
        self._skips = options.format == "raw"
        self._encoded: tuple[bytes, Sequence[Record]] = (b"", ())
        self._waits_for_index = options.index_acknowledgment
        self._ack_timeout = options.ack_timeout
        self._has_warned = False
        path = options.url_path
        url = options.url.with_default_path(path)
        channel = str(uuid.uuid4())
        before, collector, _ = path.rpartition(_COLLECTOR)
        ack_path = f"{before if collector else ''}{_COLLECTOR}/ack"
        self._ack_url = url.target.with_path(ack_path).with_query(channel=channel)
        token = options.token
        settings = HttpSettings(
            url=url,
            timeout=options.timeout,
            headers={"X-Splunk-Request-Channel": channel} if self._waits_for_index else {},
            authorization=Secret(f"Splunk {token.reveal()}"),
            proxy=options.proxy_url,
            ca=options.ca_path,
            server_name=options.ca_name,
            verify=not options.skip_verify,
            secrets=(token,),
        )
        self._label = f"splunk@{options.url.site}"
        self._client = HttpClient(settings, judge)

    def prepare(self, origin: Origin) -> PreparedEvents:
        """Make what is the same for all events of a container."""
        return prepare_events(bounded(origin, self._label, _ATTRIBUTES), self._fields)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode events one after the other, compressed where asked for; empty if there is none."""
        events = self._encode(records)
        payload = events if self._level is None or not events else zlib.compress(events, self._level, wbits=31)
        self._encoded = payload, records
        return payload

    async def send(self, payload: bytes) -> None:
        """Post events, and wait until they are indexed where asked for; there is nothing to do for an empty payload."""
        if not payload:
            return
        headers = {"Content-Type": "application/json"}
        if self._level is not None:
            headers["Content-Encoding"] = "gzip"
        try:
            answer = await self._client.send(payload, headers=headers)
        except RejectError as error:
            self._locate(error, payload)
            raise
        if self._waits_for_index:
            await self._wait_for_index(_object(answer).get("ackId"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _locate(self, error: RejectError, payload: bytes) -> None:
        """Make of the number of an event that of its record: blank lines make no event in the format ``raw``."""
        encoded, records = self._encoded
        if error.index is None or encoded is not payload:
            error.index = None
            return
        numbers = [number for number, record in enumerate(records) if self._encode([record])] if self._skips else None
        if numbers is not None:
            error.index = numbers[error.index] if error.index < len(numbers) else None
        # What is not known to be indexed is not known to be taken.
        error.took_those_before = error.took_those_before and not self._waits_for_index

    async def _wait_for_index(self, ack: object) -> None:
        if not isinstance(ack, int):
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "sink splunk: the server sends no acknowledgement ids (splunk-index-acknowledgment); "
                    "its answers count as acknowledged without (enable it for the token)"
                )
            return
        deadline = time.monotonic() + self._ack_timeout
        pause = _FIRST_POLL
        while True:
            if await self._is_indexed(ack):
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise RetryError(f"the events were not indexed within {self._ack_timeout:g} s (splunk-ack-timeout)")
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LAST_POLL)

    async def _is_indexed(self, ack: int) -> bool:
        """Ask once; a question that got no answer is no reason to send the events again."""
        try:
            answer = await self._client.send(
                orjson.dumps({"acks": [ack]}), url=self._ack_url, headers={"Content-Type": "application/json"}
            )
        except RetryError as error:
            logger.debug("sink splunk: %s", error)
            return False
        acks = _object(answer).get("acks")
        return isinstance(acks, dict) and acks.get(str(ack)) is True


SINK = SplunkSink

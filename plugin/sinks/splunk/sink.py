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

from plugin.config.options import SinkChoice
from plugin.config.schema import SinkOptions
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, RetryError, Sink, SinkError
from plugin.sinks.splunk import options
from plugin.sinks.splunk.encoder import ENCODERS, EventFields, PreparedEvents, prepare_events
from plugin.sinks.transport.http.lazy_client import make_client
from plugin.sinks.transport.http.responses import failure
from plugin.sinks.transport.http.settings import HttpSettings

logger = logging.getLogger(__name__)

_COLLECTOR = "/services/collector"
_FIRST_POLL, _LAST_POLL = 0.1, 5.0

# Of the answers with status 400, those that are about how the token is set up, and not about the events: incorrect
# index, data channel missing, invalid data channel, acknowledgement disabled.
_SETUP_CODES = (7, 10, 11, 14)


def _judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
) -> SinkError | None:
    fault = failure(site, status, headers, body, secrets)
    if isinstance(fault, RejectError) and _object(body).get("code") in _SETUP_CODES:
        return MisconfiguredError(f"{fault} (check the token's settings, and log-opts splunk-index and others)")
    return fault


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


class SplunkSink(Sink[PreparedEvents]):
    """Posts events; acknowledged by 2xx and, where asked for, by the index."""

    declaration = SinkOptions(
        name="splunk",
        prefix="splunk-",
        help="Sends to Splunk's HTTP event collector, or to another server that takes its requests.",
        options=options.OPTIONS,
        keeps_empty=frozenset({"tag"}),
    )

    def __init__(self, choice: SinkChoice) -> None:
        """Take the options; see `Sink`."""
        self._fields = EventFields(
            source=choice.get(options.SOURCE),
            source_type=choice.get(options.SOURCE_TYPE),
            index=choice.get(options.INDEX),
        )
        self._encode = ENCODERS[choice.get(options.FORMAT)]
        self._level = choice.get(options.GZIP_LEVEL) if choice.get(options.GZIP) else None
        self._waits_for_index = choice.get(options.INDEX_ACKNOWLEDGMENT)
        self._ack_timeout = choice.get(options.ACK_TIMEOUT)
        self._has_warned = False
        path = choice.get(options.URL_PATH)
        url = choice.get(options.URL).with_default_path(path)
        channel = str(uuid.uuid4())
        before, collector, _ = path.rpartition(_COLLECTOR)
        ack_path = f"{before if collector else ''}{_COLLECTOR}/ack"
        self._ack_url = url.target.with_path(ack_path).with_query(channel=channel)
        token = choice.get(options.TOKEN)
        settings = HttpSettings(
            url=url,
            timeout=choice.get(options.TIMEOUT),
            headers={"X-Splunk-Request-Channel": channel} if self._waits_for_index else {},
            authorization=Secret(f"Splunk {token.reveal()}"),
            proxy=choice.get(options.PROXY_URL),
            ca=choice.get(options.CA_PATH),
            server_name=choice.get(options.CA_NAME),
            verify=not choice.get(options.SKIP_VERIFY),
            secrets=(token,),
        )
        self._client = make_client(settings, _judge)

    def prepare(self, origin: Origin) -> PreparedEvents:
        """Make what is the same for all events of a container."""
        return prepare_events(origin, self._fields)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode events one after the other, compressed where asked for; empty if there is none."""
        events = self._encode(records)
        if self._level is None or not events:
            return events
        return zlib.compress(events, self._level, wbits=31)

    async def send(self, payload: bytes) -> None:
        """Post events, and wait until they are indexed where asked for; there is nothing to do for an empty payload."""
        if not payload:
            return
        headers = {"Content-Type": "application/json"}
        if self._level is not None:
            headers["Content-Encoding"] = "gzip"
        answer = await self._client.send(payload, headers=headers)
        if self._waits_for_index:
            await self._wait_for_index(_object(answer).get("ackId"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _wait_for_index(self, ack: object) -> None:
        if not isinstance(ack, int):
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "sink splunk: the server gives no acknowledgement ids although splunk-index-acknowledgment asks for"
                    " them; its answers count as acknowledged without (enable it for the token)"
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

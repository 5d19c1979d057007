"""The sink ``loki``: Grafana Loki's push API, and whatever else speaks it.

Protocol: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs; options and labels: the Docker
driver in grafana/loki, ``clients/cmd/docker-driver``.
"""

import time
from collections.abc import Mapping, Sequence

from plugin.sinks.base import Origin, Record, RejectError, Sink, SinkError, TooLargeError
from plugin.sinks.encoding.bounds import Bounds, fitting, tell_left_out
from plugin.sinks.loki.answers import StreamLimitError, judge
from plugin.sinks.loki.container_streams import ContainerStreams
from plugin.sinks.loki.encoder import encode_streams, metadata_fields
from plugin.sinks.loki.labels import container_labels, container_metadata, part_labels
from plugin.sinks.loki.options import PUSH_PATH, LokiOptions
from plugin.sinks.loki.pushes import Stream, Streams, Taken, compress, pack, push_body, unpack
from plugin.sinks.transport.http.client import HttpClient

_SOURCES = ("stdout", "stderr")
_TENANT_HEADER = "X-Scope-OrgID"
# Loki takes no push of more than ingestion_burst_size_mb, 6 MiB of lines and metadata where nobody has set it, however
# long one waits. Short lines can be there within one batch, since the metadata comes with each of them.
_LARGEST_PUSH = 4 << 20


# Loki's limits_config has 64 KB (max_structured_metadata_size) and 128 names (max_structured_metadata_entries_count) of
# an entry, of which it adds some itself.
_METADATA = Bounds(size=60_000, value=60_000, count=120)


class LokiSink(Sink[ContainerStreams]):
    """Pushes snappy-compressed protobuf; acknowledged by 2xx to pushes that hide no refusal (see `Streams`)."""

    declaration = LokiOptions

    def __init__(self, options: LokiOptions) -> None:
        """Take the options; see `Sink`."""
        self._external = options.external_labels
        self._rules = options.relabel_config
        self._with_metadata = options.structured_metadata
        self._most_labels = options.max_labels - 1  # without source
        self._longest = options.max_line_size
        headers = {"Content-Type": "application/x-protobuf"}
        if tenant := options.tenant_id:
            headers[_TENANT_HEADER] = tenant
        url = options.url.with_default_path(PUSH_PATH)
        self._label = f"loki@{url.site}"
        self._client = HttpClient(options.http.settings(url, headers), judge)
        self._streams = Streams(_LARGEST_PUSH, alone=options.single_streams)
        self._taken = Taken()

    def prepare(self, origin: Origin) -> ContainerStreams:
        """Make the streams of a container by source; none if a rule drops it."""
        labels = container_labels(origin, self._external, self._rules)
        if labels is None:
            return ContainerStreams({}, b"", 0)
        labels, others = part_labels(labels, origin.attributes, self._most_labels)
        metadata = self._metadata(origin, others)
        by_source = {source: labels | {"source": source} for source in _SOURCES}
        return ContainerStreams(by_source, metadata, self._most_labels + 1)

    def _metadata(self, origin: Origin, others: Mapping[str, str]) -> bytes:
        """Write structured metadata: what names the container, and what of the ``others`` Loki takes besides."""
        own = container_metadata(origin)
        more = {name: value for name, value in others.items() if value and name not in own}
        sent = fitting({**own, **more}, _METADATA) if self._with_metadata else {}
        tell_left_out(origin, self._label, more.keys() - sent.keys())
        return metadata_fields(sent)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode streams, each compressed; empty if all records are blank or of containers that a rule drops.

        Raises `TooLargeError` for records that Loki would never take in one push, though it takes each of them.
        """
        streams = [compress(stream) for stream in encode_streams(records, self._longest)]
        largest = max((stream.size for stream in streams), default=0)
        if largest > _LARGEST_PUSH and len(records) > 1:
            raise TooLargeError(f"{largest} bytes are too many for one push to Loki, at most {_LARGEST_PUSH} are sent")
        return pack(streams)

    async def send(self, payload: bytes) -> None:
        """Push the streams, in one push or in several; there is nothing to do for an empty payload.

        One stream's limit does not keep the others: it is raised when they are taken. What was taken of a payload that
        failed is not sent again with it.
        """
        limited: StreamLimitError | None = None
        taken: list[Stream] = []
        try:
            for push in self._streams.plan(self._taken.without(unpack(payload)), time.monotonic()):
                try:
                    await self._client.send(push_body(push), headers=_tenant_header(push[0]))
                except StreamLimitError as error:
                    self._streams.refused(push, time.monotonic())
                    limited = limited or error
                except RejectError:
                    self._streams.refused(push, time.monotonic())
                    raise
                else:
                    self._streams.accepted(push, time.monotonic())
                    taken += push
            if limited is not None:
                raise limited
        except SinkError:
            self._taken.add(taken)
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _tenant_header(stream: Stream) -> Mapping[str, str] | None:
    """Return the header for the streams of one tenant, where that is not the destination's."""
    return {_TENANT_HEADER: stream.tenant} if stream.tenant else None


SINK = LokiSink

"""The sink ``loki``: Grafana Loki's push API, and whatever else speaks it.

Protocol: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs; options and labels: the Docker
driver in grafana/loki, ``clients/cmd/docker-driver``.
"""

from collections.abc import Mapping, Sequence

from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, Sink, TooLargeError
from plugin.sinks.loki.encoder import ContainerStream, compress, encode_push, labels_field, metadata_fields
from plugin.sinks.loki.labels import container_labels, container_metadata, part_labels
from plugin.sinks.loki.options import PUSH_PATH, LokiOptions
from plugin.sinks.transport.http.client import HttpClient

_SOURCES = ("stdout", "stderr")
# Loki takes no push of more than ingestion_burst_size_mb, 6 MiB of lines and metadata where nobody has set it, however
# long one waits. Short lines can be there within one batch, since the metadata comes with each of them.
_LARGEST_PUSH = 4 << 20


Prepared = Mapping[str, ContainerStream]


class LokiSink(Sink[Prepared]):
    """Pushes snappy-compressed protobuf; acknowledged by 2xx."""

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
            headers["X-Scope-OrgID"] = tenant
        url = options.url.with_default_path(PUSH_PATH)
        self._client = HttpClient(options.http.settings(url, headers))

    def prepare(self, origin: Origin) -> Prepared:
        """Make the streams of a container by source; none if a rule drops it."""
        labels = container_labels(origin, self._external, self._rules)
        if labels is None:
            return {}
        labels, others = part_labels(labels, origin.attributes, self._most_labels)
        metadata = metadata_fields({**others, **container_metadata(origin)}) if self._with_metadata else b""
        return {source: ContainerStream(labels_field(labels | {"source": source}), metadata) for source in _SOURCES}

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a push request; empty if all records are blank or of containers that a rule drops.

        Raises `TooLargeError` for records that Loki would never take in one push, though it takes each of them.
        """
        push = encode_push(records, self._longest)
        if len(push) > _LARGEST_PUSH and len(records) > 1:
            raise TooLargeError(
                f"{len(push)} bytes are too many for one push to Loki, at most {_LARGEST_PUSH} are sent"
            )
        return compress(push)

    async def send(self, payload: bytes) -> None:
        """Push; there is nothing to do for an empty payload."""
        if not payload:
            return
        try:
            await self._client.send(payload)
        except RejectError as error:
            if "structured metadata" in str(error) and "disallowed" in str(error):
                raise MisconfiguredError(f"{error} (log-opt loki-structured-metadata=false sends none)") from error
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = LokiSink

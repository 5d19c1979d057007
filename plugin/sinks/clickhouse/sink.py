"""The sink ``clickhouse``: rows by its HTTP interface.

Protocol: "HTTP interface" and "Deduplicating inserts on retries" in ClickHouse's documentation.
"""

from collections.abc import Sequence
from dataclasses import replace

from plugin.docker.tag import TagError
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink
from plugin.sinks.clickhouse.answers import judge
from plugin.sinks.clickhouse.columns import insert_query
from plugin.sinks.clickhouse.encoder import PreparedRows, encode_rows, prepare_rows, token_of
from plugin.sinks.clickhouse.options import ClickHouseOptions
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.compression import compressor, content_encoding
from plugin.sinks.encoding.otel_resource import container_attributes
from plugin.sinks.transport.http.client import HttpClient

_GZIP_LEVEL = 1  # what is the same in all records is nearly nothing at any level
_ATTRIBUTES = Bounds(size=64 * 1024, value=16 * 1024, count=200)
_SETTINGS = {
    # Times are RFC 3339, and columns that are not there must be told of.
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": "0",
    # An answer is about the rows of this request, and comes when all is done.
    "async_insert": "0",
    "wait_end_of_query": "1",
    "insert_deduplicate": "1",
}
_TOKEN = "insert_deduplication_token"  # noqa: S105 (it names a batch)


class ClickHouseSink(Sink[PreparedRows]):
    """Inserts batches, each with a token by which the table knows one that comes again."""

    declaration = ClickHouseOptions
    notes_batches = True

    def __init__(self, options: ClickHouseOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"{options.name}@{options.destination}"
        self._columns = options.columns
        self._service_name = options.service_name
        self._compress = compressor(options.compression, _GZIP_LEVEL)
        headers = {"Content-Type": "application/x-ndjson", **content_encoding(options.compression)}
        target = options.url.with_default_path("/").target
        query = _SETTINGS | dict(target.query) | {"query": insert_query(options.table, options.columns)}
        self._target = target.with_query(query)
        self._client = HttpClient(options.http.settings(replace(options.url, target=target), headers), judge)

    def prepare(self, origin: Origin) -> PreparedRows:
        """Make what is the same for all rows of a container.

        Raises `MisconfiguredError` if its service cannot be named.
        """
        origin = bounded(origin, self._label, _ATTRIBUTES)
        try:
            service = None if self._service_name is None else self._service_name.render(origin.info)
        except TagError as error:
            raise MisconfiguredError(f"log-opt 'clickhouse-service-name': {error}") from error
        return prepare_rows(origin, self._columns, container_attributes(origin, service, {}))

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode rows, compressed where asked for, behind a line with the token."""
        return token_of(records).encode() + b"\n" + self._compress(encode_rows(records))

    async def send(self, payload: bytes) -> None:
        """Send; returns when the rows are in the table, now or before."""
        token, _, rows = payload.partition(b"\n")
        await self._client.send(rows, url=self._target.update_query({_TOKEN: token.decode()}))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = ClickHouseSink

"""The sink ``http``: JSON by POST to any URL."""

from collections.abc import Sequence

from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.compression import compressor, content_encoding
from plugin.sinks.encoding.json_objects import join_objects
from plugin.sinks.http.encoder import PreparedObjects, prepare_objects
from plugin.sinks.http.options import HttpOptions
from plugin.sinks.transport.http.client import HttpClient

# Web servers take bodies of 1 MiB where nobody has set more, and a line alone must fit.
_ATTRIBUTES = Bounds(size=256 * 1024, value=256 * 1024)

_CONTENT_TYPES = {"ndjson": "application/x-ndjson", "json": "application/json"}


class HttpSink(Sink[PreparedObjects]):
    """Posts JSON objects; acknowledged by 2xx."""

    declaration = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        """Take the options; see `Sink`."""
        self._method = options.method
        self._is_array = options.format == "json"
        self._compress = compressor(options.compression)
        headers = {"Content-Type": _CONTENT_TYPES[options.format], **content_encoding(options.compression)}
        self._label = f"http@{options.url.site}"
        self._client = HttpClient(options.http.settings(options.url, headers, options.headers))

    def prepare(self, origin: Origin) -> PreparedObjects:
        """Make what is the same for all records of a container."""
        return prepare_objects(bounded(origin, self._label, _ATTRIBUTES))

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode objects, one a line or as an array, compressed where asked for."""
        if self._is_array:
            return self._compress(join_objects(records, b"[", b",\n", b"]\n"))
        return self._compress(join_objects(records, b"", b"\n", b"\n"))

    async def send(self, payload: bytes) -> None:
        """Send; returns at 2xx."""
        await self._client.send(payload, method=self._method)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = HttpSink

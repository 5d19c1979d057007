"""The sink ``http``: JSON by POST to any URL."""

import zlib
from collections.abc import Callable, Sequence

import zstandard

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.schema import Option, SinkOptions
from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.http.encoder import PreparedObjects, encode_objects, prepare_objects
from plugin.sinks.transport.http.headers import HEADERS_KIND, Headers
from plugin.sinks.transport.http.lazy_client import make_client
from plugin.sinks.transport.http.options import http_options
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl

URL: Option[HttpUrl] = Option(
    name="http-url",
    kind=URL_KIND,
    required=True,
    help="Where to send to, such as https://user:password@logs.example.com/in?format=docker.",
)
METHOD = Option(name="http-method", kind=types.choice("POST", "PUT"), default="POST", help="The method of requests.")
FORMAT = Option(
    name="http-format",
    kind=types.choice("ndjson", "json"),
    default="ndjson",
    help="ndjson: an object a line. json: an array of objects. One object is one line of the container.",
)
HEADERS: Option[Headers | None] = Option(
    name="http-headers",
    kind=HEADERS_KIND,
    shown_default="none",
    help="Headers to send, such as X-Api-Key=…; a Content-Type or an Authorization among them wins over Peavey's.",
)
COMPRESSION = Option(
    name="http-compression",
    kind=types.choice("none", "gzip", "zstd"),
    default="none",
    help="How requests are compressed, if the server takes that: it is told by Content-Encoding.",
)
HTTP = http_options("http-", timeout="30s")

_CONTENT_TYPES = {"ndjson": "application/x-ndjson", "json": "application/json"}


def _gzip(content: bytes) -> bytes:
    return zlib.compress(content, wbits=31)


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"none": bytes, "gzip": _gzip, "zstd": _zstd}


class HttpSink(Sink[PreparedObjects]):
    """Posts JSON objects; acknowledged by 2xx."""

    declaration = SinkOptions(
        name="http",
        prefix="http-",
        help="Sends JSON to any HTTP server.",
        options=(URL, METHOD, FORMAT, HEADERS, COMPRESSION, *HTTP),
        check=HTTP.faults,
    )

    def __init__(self, choice: SinkChoice) -> None:
        """Take the options; see `Sink`."""
        self._method = choice.get(METHOD)
        self._is_array = choice.get(FORMAT) == "json"
        compression = choice.get(COMPRESSION)
        self._compress = _COMPRESSORS[compression]
        headers = {"Content-Type": _CONTENT_TYPES[choice.get(FORMAT)]}
        if compression != "none":
            headers["Content-Encoding"] = compression
        self._client = make_client(HTTP.settings(choice, choice.get(URL), headers, choice.get(HEADERS)))

    def prepare(self, origin: Origin) -> PreparedObjects:
        """Make what is the same for all records of a container."""
        return prepare_objects(origin)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode objects, one a line or as an array, compressed where asked for."""
        if self._is_array:
            return self._compress(encode_objects(records, b"[", b",\n", b"]\n"))
        return self._compress(encode_objects(records, b"", b"\n", b"\n"))

    async def send(self, payload: bytes) -> None:
        """Send; returns at 2xx."""
        await self._client.send(payload, method=self._method)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = HttpSink

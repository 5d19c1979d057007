"""The options of the sink ``http``."""

from plugin.config import types
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.sinks.transport.http.headers import HEADERS_KIND, Headers
from plugin.sinks.transport.http.options import HttpClientOptions, timeout_option
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl


class _ClientOptions(HttpClientOptions):
    """How the server is spoken to; it may take longer than others."""

    timeout = timeout_option("timeout", "30s")


class HttpOptions(SinkOptions):
    """A server, and what it is sent."""

    name = "http"
    prefix = "http-"
    help = "Sends JSON to any HTTP server."
    acknowledged = "The server has answered 2xx: what that is worth is up to the server."

    url: Option[HttpUrl] = Option(
        name="http-url",
        kind=URL_KIND,
        required=True,
        help="Where to send to, such as https://user:password@logs.example.com/in?format=docker.",
    )
    method = Option(
        name="http-method", kind=types.choice("POST", "PUT"), default="POST", help="The method of requests."
    )
    format = Option(
        name="http-format",
        kind=types.choice("ndjson", "json"),
        default="ndjson",
        help="ndjson: an object a line. json: an array of objects. One object is one line of the container.",
    )
    headers: Option[Headers | None] = Option(
        name="http-headers",
        kind=HEADERS_KIND,
        shown_default="none",
        help="Headers to send, such as X-Api-Key=…; a Content-Type or an Authorization among them wins over Peavey's.",
    )
    compression = Option(
        name="http-compression",
        kind=types.choice("none", "gzip", "zstd"),
        default="none",
        help="How requests are compressed, if the server takes that: it is told by Content-Encoding.",
    )
    http = Nested(_ClientOptions, "http-")

    @property
    def destination(self) -> str:
        """Where it sends to: scheme, host and port."""
        return self.url.site


OPTIONS = HttpOptions

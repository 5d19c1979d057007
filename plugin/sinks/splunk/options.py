"""The options of the sink ``splunk``: those of Docker's driver, ``splunk-url-path`` of Splunk's plugin, and our own."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.sinks.transport.http.headers import HEADER_SECRET
from plugin.sinks.transport.http.options import proxy_option, timeout_option
from plugin.sinks.transport.http.url import HttpUrl, parse_url
from plugin.sinks.transport.tls.options import ca_option, file_faults, server_name_option, skip_verify_option


def _parse_splunk_url(text: str) -> HttpUrl:
    url = parse_url(text)
    if url.target.raw_path not in ("", "/") or url.target.query_string or "#" in text:
        raise ValueError("it holds more than scheme://host:port (splunk-url-path is for another path)")
    if url.authorization:
        raise ValueError("it holds a user or a password, which Splunk does not take there: splunk-token is for that")
    return url


def _parse_path(text: str) -> str:
    if not text.startswith("/") or any(c.isspace() or c in "?#" for c in text):
        raise ValueError(f"{quote(text)} is not a path (expected: /… without blanks, ? and #)")
    return text


class SplunkOptions(SinkOptions):
    """A collector, and the form of events."""

    name = "splunk"
    prefix = "splunk-"
    help = "Sends to Splunk's HTTP event collector, or to another server that takes its requests."
    acknowledged = "Splunk has answered 2xx or, with splunk-index-acknowledgment, has said that the events are indexed."
    keeps_empty = frozenset({"tag"})

    url: Option[HttpUrl] = Option(
        name="splunk-url",
        kind=Kind(parse=_parse_splunk_url, accepts="scheme://host:port"),
        required=True,
        help="The HTTP event collector, such as https://splunk.example.com:8088.",
    )
    url_path: Option[str] = Option(
        name="splunk-url-path",
        kind=Kind(parse=_parse_path, accepts="path that begins with /"),
        default="/services/collector/event/1.0",
        help="The path of the event endpoint.",
    )
    token: Option[Secret] = Option(
        name="splunk-token", kind=HEADER_SECRET, required=True, help="The token of the HTTP event collector."
    )
    source = Option(
        name="splunk-source", kind=types.TEXT, default="", shown_default="the token's", help="The events' source."
    )
    source_type = Option(
        name="splunk-sourcetype",
        kind=types.TEXT,
        default="",
        shown_default="the token's",
        help="The events' source type.",
    )
    index = Option(
        name="splunk-index", kind=types.TEXT, default="", shown_default="the token's", help="The index to write to."
    )
    ca_path = ca_option("splunk-capath")
    ca_name = server_name_option("splunk-caname")
    skip_verify = skip_verify_option("splunk-insecureskipverify")
    format = Option(
        name="splunk-format",
        kind=types.choice("inline", "json", "raw"),
        default="inline",
        help=(
            "inline: an object with line, source, tag and attrs. json: the same, where a line that is JSON stays JSON. "
            "raw: the line as text, after tag and attributes; blank lines are left out."
        ),
    )
    gzip = Option(name="splunk-gzip", kind=types.BOOLEAN, default="false", help="Whether requests are compressed.")
    gzip_level = Option(
        name="splunk-gzip-level",
        kind=types.integer(-1, 9),
        default="-1",
        help="From 1, fast, to 9, small; 0 does not compress, -1 is the usual one.",
    )
    index_acknowledgment = Option(
        name="splunk-index-acknowledgment",
        kind=types.BOOLEAN,
        default="false",
        help=(
            "Whether events count as delivered only when Splunk says that they are indexed. The token must have it "
            "enabled; a batch then waits for the one before it to be indexed."
        ),
    )
    ack_timeout = Option(
        name="splunk-ack-timeout",
        kind=types.duration(minimum=1, maximum=3600),
        default="2m",
        help="How long that may take before the batch is sent again.",
    )
    timeout = timeout_option("splunk-timeout", "30s")
    proxy_url = proxy_option("splunk-proxy-url")
    verify_connection: Option[bool | None] = Option(
        name="splunk-verify-connection",
        kind=types.BOOLEAN,
        help="Whether Docker's driver lets a container start only when Splunk can be reached.",
        superseded="containers start whether Splunk can be reached or not; peavey status shows whether it can",
    )

    @property
    def destination(self) -> str:
        """Where it sends to: scheme, host and port."""
        return self.url.site

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield the fault of a file that cannot be used."""
        yield from file_faults(self.ca_path)
        yield from super().check_start(info)


OPTIONS = SplunkOptions

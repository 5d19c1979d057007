"""The options of the sink ``otlp``, named as the environment variables ``OTEL_EXPORTER_OTLP_…`` are.

Source: "OpenTelemetry Protocol Exporter" in OpenTelemetry's specification.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from plugin.config import parsing, types
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, TagError, compile_tag
from plugin.sinks.transport.http.headers import HEADERS_KIND, Headers, parse_headers
from plugin.sinks.transport.http.options import HttpClientOptions
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl, parse_url
from plugin.sinks.transport.tls.options import TlsOptions, ca_option, cert_option, key_option, skip_verify_option

HTTP, GRPC = "http/protobuf", "grpc"
LOGS_PATH = "/v1/logs"
_PORTS = {HTTP: 4318, GRPC: 4317}
_TIMEOUT = types.duration(minimum=0.1, maximum=3600)


def _parse_percent_headers(text: str) -> Headers:
    return Headers({name: unquote(value) for name, value in parse_headers(text).items()})


def _parse_timeout(text: str) -> float:
    """Read a duration; a bare number is in milliseconds, as in ``OTEL_EXPORTER_OTLP_TIMEOUT``."""
    return _TIMEOUT.parse(f"{text}ms" if text.isascii() and text.isdigit() else text)


def _parse_attributes(text: str) -> Mapping[str, str]:
    """Read ``name=value,…``, percent-encoded, as in ``OTEL_RESOURCE_ATTRIBUTES``."""
    attributes = {}
    for pair in filter(str.strip, text.split(",")):
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"{parsing.quote(pair)} is not an attribute (example: deployment.environment.name=prod)")
        attributes[unquote(name.strip())] = unquote(value.strip())
    return attributes


class _OtlpTlsOptions(TlsOptions):
    """TLS by the names that OpenTelemetry has for it."""

    ca = ca_option("certificate")
    cert = cert_option("client-certificate")
    key = key_option("client-key")
    skip_verify = skip_verify_option("insecure-skip-verify")


class _ClientOptions(HttpClientOptions):
    """How the server is spoken to."""

    timeout = Option(
        name="timeout",
        kind=Kind(parse=_parse_timeout, accepts="duration such as 500ms, 10s; a bare number is in milliseconds"),
        default="10s",
        help="How long one request may take, until its answer is complete.",
    )
    tls: Nested[TlsOptions] = Nested(_OtlpTlsOptions, "")


class OtlpOptions(SinkOptions):
    """A server, and what it is told of containers."""

    name = "otlp"
    prefix = "otlp-"
    help = "Sends OpenTelemetry's protocol, OTLP, to a Collector or to any backend that takes it."
    acknowledged = "The server has answered 200: what that is worth is up to the server."

    protocol = Option(
        name="otlp-protocol",
        kind=types.choice(HTTP, GRPC),
        default=HTTP,
        help="How requests go: by HTTP, or by gRPC.",
    )
    endpoint: Option[HttpUrl | None] = Option(
        name="otlp-endpoint",
        kind=URL_KIND,
        shown_default="http://127.0.0.1:4318, for gRPC http://127.0.0.1:4317",
        help=f"The server, such as https://otel.example.com:4318; {LOGS_PATH} is added to its path unless it ends so.",
    )
    logs_endpoint: Option[HttpUrl | None] = Option(
        name="otlp-logs-endpoint",
        kind=URL_KIND,
        shown_default=f"otlp-endpoint with {LOGS_PATH}",
        help="Where requests go by HTTP, used as given, for a server that has another path.",
    )
    headers: Option[Headers | None] = Option(
        name="otlp-headers",
        kind=Kind(parse=_parse_percent_headers, accepts=HEADERS_KIND.accepts, secret=True),
        shown_default="none",
        help="Headers to send, such as Authorization=Bearer%20…; values may be percent-encoded.",
    )
    compression = Option(
        name="otlp-compression",
        kind=types.choice("none", "gzip", "zstd"),
        default="none",
        help="How requests by HTTP are compressed. Every server takes gzip, the Collector and some others zstd.",
    )
    service_name: Option[Tag | None] = Option(
        name="otlp-service-name",
        kind=Kind(parse=compile_tag, accepts="Go template"),
        shown_default="the service in Compose or Swarm, or the container's name",
        help="The resource's service.name, as a template like tag.",
    )
    resource_attributes = Option(
        name="otlp-resource-attributes",
        kind=Kind(parse=_parse_attributes, accepts="NAME=VALUE with commas"),
        default="",
        shown_default="none",
        help="Further attributes of the resource, as in OTEL_RESOURCE_ATTRIBUTES: deployment.environment.name=prod.",
    )
    max_request_size = Option(
        name="otlp-max-request-size",
        kind=types.size(base=1024, minimum=64 << 10, maximum=64 << 20),
        default="4m",
        help="How large a request may be, before compression: servers refuse larger ones, by gRPC mostly above 4 MiB.",
    )
    http = Nested(_ClientOptions, "otlp-")

    @property
    def url(self) -> HttpUrl:
        """Where requests go, without the path of a gRPC method."""
        if self.logs_endpoint is not None and self.protocol == HTTP:
            return self.logs_endpoint
        return self.endpoint or parse_url(f"http://127.0.0.1:{_PORTS[self.protocol]}")

    @property
    def destination(self) -> str:
        """The server, without user and path."""
        return self.url.site

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.protocol == GRPC:
            if self.logs_endpoint is not None:
                yield "otlp-logs-endpoint is for otlp-protocol=http/protobuf (otlp-endpoint names a server of gRPC)"
            if self.compression != "none":
                yield "otlp-compression is for otlp-protocol=http/protobuf: requests by gRPC are not compressed"
            if self.http.proxy_url is not None:
                yield "otlp-proxy-url is for otlp-protocol=http/protobuf"
        yield from super().check()

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why the service cannot be named for this container."""
        if self.service_name is not None:
            try:
                self.service_name.render(info)
            except TagError as error:
                yield f"log-opt 'otlp-service-name': {error}"
        yield from super().check_start(info)


OPTIONS = OtlpOptions

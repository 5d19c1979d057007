"""The sink ``otlp``: OpenTelemetry's protocol, by HTTP or gRPC.

Protocol: "OpenTelemetry Protocol Specification" in open-telemetry/opentelemetry-proto.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from plugin.docker.tag import TagError
from plugin.sinks.base import MisconfiguredError, Origin, PartlyRefusedError, Record, Sink, TooLargeError
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.compression import compressor, content_encoding
from plugin.sinks.encoding.otel_resource import container_attributes
from plugin.sinks.otlp.answers import judge, read_partial_success
from plugin.sinks.otlp.encoder import PreparedLog, encode_logs, resource_field
from plugin.sinks.otlp.options import GRPC, LOGS_PATH, OtlpOptions
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.responses import shorten
from plugin.sinks.transport.http.settings import HttpSettings

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE = 2_000
_GZIP_LEVEL = 1  # what is the same in all records is nearly nothing at any level

# Each container of a batch brings its own into a request of 4 MiB at most.
_ATTRIBUTES = Bounds(size=256 * 1024, value=64 * 1024)


class Exporter(Protocol):
    """How requests go to the server."""

    async def send(self, body: bytes) -> bytes:
        """Send a request, which is compressed already; return the answer to one that was taken."""

    async def close(self) -> None:
        """Close the connections."""


class OtlpSink(Sink[PreparedLog]):
    """Exports logs; acknowledged by 200, or by gRPC's OK."""

    declaration = OtlpOptions

    def __init__(self, options: OtlpOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"{options.name}@{options.destination}"
        self._service_name = options.service_name
        self._attributes = options.resource_attributes
        self._largest = options.max_request_size
        self._compress = compressor(options.compression, _GZIP_LEVEL)
        self._told = ""
        headers = {"Content-Type": "application/x-protobuf", **content_encoding(options.compression)}
        settings = options.http.settings(options.url, headers, options.headers)
        self._site = settings.url.site
        self._secrets = (*settings.secrets, settings.url.password)
        self._exporter = _exporter(options, settings)

    def prepare(self, origin: Origin) -> PreparedLog:
        """Make what is the same for all records of a container.

        Raises `MisconfiguredError` if its service cannot be named.
        """
        origin = bounded(origin, self._label, _ATTRIBUTES)
        try:
            service = None if self._service_name is None else self._service_name.render(origin.info)
        except TagError as error:
            raise MisconfiguredError(f"log-opt 'otlp-service-name': {error}") from error
        resource = container_attributes(origin, service, self._attributes)
        return PreparedLog(resource_field(resource), f"{origin.info.id}-{origin.birth:x}-")

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a request, compressed where asked for; raises `TooLargeError` for more than one may hold."""
        request = encode_logs(records)
        if len(request) > self._largest and len(records) > 1:
            raise TooLargeError(
                f"{len(request)} bytes are too many for one request, at most {self._largest} are sent"
                " (otlp-max-request-size)"
            )
        return self._compress(request)

    async def send(self, payload: bytes) -> None:
        """Send; returns when the server has taken all of it."""
        refused, message = read_partial_success(await self._exporter.send(payload))
        said = shorten(message[:_LONGEST_MESSAGE].encode(), self._secrets)
        if refused:
            raise PartlyRefusedError(f"{self._site} refused {refused} records{said}", refused)
        if said and said != self._told:
            self._told = said
            logger.warning("sink otlp: %s took all records, and says%s", self._site, said)

    async def close(self) -> None:
        """Close the connections."""
        await self._exporter.close()


def _exporter(options: OtlpOptions, settings: HttpSettings) -> Exporter:
    if options.protocol == GRPC:
        from plugin.sinks.otlp.grpc_exporter import GrpcExporter  # noqa: PLC0415 (grpclib, which few need)

        return GrpcExporter(settings)
    target = settings.url.target
    path = target.raw_path.rstrip("/")
    if options.logs_endpoint is None and not path.endswith(LOGS_PATH):
        query = target.query
        target = target.with_path(path + LOGS_PATH, encoded=True).with_query(query)
    return HttpClient(replace(settings, url=replace(settings.url, target=target)), judge)


SINK = OtlpSink

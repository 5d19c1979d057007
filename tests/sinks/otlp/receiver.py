"""A receiver of OTLP's requests for logs over HTTP, which OpenTelemetry's own classes read."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received


def decode_logs(body: bytes) -> list[Received]:
    """Read a request."""
    records = []
    for logs in ExportLogsServiceRequest.FromString(body).resource_logs:
        resource = {pair.key: pair.value.string_value for pair in logs.resource.attributes}
        for scope in logs.scope_logs:
            for record in scope.log_records:
                attributes = {pair.key: pair.value.string_value for pair in record.attributes}
                line = record.body.string_value.encode()
                records.append(
                    Received(resource["container.name"], attributes["log.iostream"], line, record.time_unix_nano)
                )
    return records


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"otlp-endpoint": f"http://{address}", "otlp-timeout": "2m"}


PROTOCOL = http_server(decode_logs)

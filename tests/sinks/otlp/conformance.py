"""otlp in the conformance suite."""

from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, server, url_of, url_with_password
from tests.sinks.otlp.grpc_receiver import GrpcReceiver
from tests.sinks.otlp.receiver import PROTOCOL

ENTRIES = (
    Entry(
        "otlp",
        lambda at: {"otlp-endpoint": url_of(at)},
        server(PROTOCOL),
        as_text,
        faults=HTTP | {"cuts"},
        patience="otlp-timeout",
        secret_options=lambda at: {"otlp-endpoint": url_with_password(at)},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "otlp zstd",
        lambda at: {"otlp-logs-endpoint": f"{url_of(at)}/logs", "otlp-compression": "zstd"},
        server(PROTOCOL),
        as_text,
        faults=HTTP,
        patience="otlp-timeout",
        secret_options=lambda _: {"otlp-headers": f"X-Api-Key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "otlp grpc",
        lambda at: {"otlp-protocol": "grpc", "otlp-endpoint": url_of(at)},
        lambda _: GrpcReceiver(),
        as_text,
        faults=frozenset({"down", "slow", "refuses", "cuts"}),
        patience="otlp-timeout",
        secret_options=lambda at: {"otlp-endpoint": url_with_password(at)},
        refused_line=b"no entry for this one",
    ),
)

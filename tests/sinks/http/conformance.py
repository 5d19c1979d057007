"""http in the conformance suite."""

from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, server, url_of, url_with_password
from tests.sinks.http.receiver import PROTOCOL

ENTRIES = (
    Entry(
        "http",
        lambda at: {"http-url": url_of(at), "http-compression": "zstd"},
        server(PROTOCOL),
        as_text,
        faults=HTTP,
        patience="http-timeout",
        secret_options=lambda at: {"http-url": url_with_password(at), "http-headers": f"X-Api-Key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
    Entry(
        "http array",
        lambda at: {"http-url": url_of(at), "http-format": "json", "http-compression": "gzip"},
        server(PROTOCOL),
        as_text,
        faults=HTTP,
        patience="http-timeout",
        secret_options=lambda at: {"http-url": f"{url_of(at)}/in/{SECRET}?key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
)

"""clickhouse in the conformance suite."""

from tests.sinks.clickhouse.receiver import PROTOCOL
from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, server, url_of, url_with_password

ENTRIES = (
    Entry(
        "clickhouse",
        lambda at: {"clickhouse-url": url_of(at)},
        server(PROTOCOL),
        as_text,
        faults=HTTP,
        patience="clickhouse-timeout",
        secret_options=lambda at: {"clickhouse-url": f"{url_with_password(at)}/?quota_key={SECRET}"},
        refused_line=b"no entry for this one",
    ),
)

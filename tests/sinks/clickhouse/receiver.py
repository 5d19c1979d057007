"""A receiver of rows for the conformance suite; ClickHouse itself is in `server`."""

import json
from datetime import datetime

from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds


def decode_rows(body: bytes) -> list[Received]:
    """Read rows of ClickStack's table."""
    rows = [json.loads(line) for line in body.splitlines()]
    for row in rows:
        assert datetime.fromisoformat(row["Timestamp"]).tzinfo is not None
    return [
        Received(
            row["ResourceAttributes"]["container.name"],
            row["LogAttributes"]["log.iostream"],
            row["Body"].encode(),
            nanoseconds(row["Timestamp"]),
        )
        for row in rows
    ]


PROTOCOL = http_server(decode_rows)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"clickhouse-url": f"http://{address}", "clickhouse-timeout": "2m"}

"""A receiver of Loki's push requests."""

import re

from tests.sinks.loki.push_decoder import decode_body
from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received

_LABEL = re.compile(r'(\w+)="([^"]*)"')


def decode_loki(body: bytes) -> list[Received]:
    """Read a push request."""
    records = []
    for entry in decode_body(body):
        labels = dict(_LABEL.findall(entry.labels))
        records.append(Received(labels["container_name"], labels["source"], entry.line.encode(), entry.time_nano))
    return records


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"loki-url": f"http://{address}/loki/api/v1/push", "loki-timeout": "2m"}


PROTOCOL = http_server(decode_loki)

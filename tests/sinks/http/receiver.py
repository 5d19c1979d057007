"""A receiver of JSON objects over HTTP."""

import json

from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds


def decode_objects(body: bytes) -> list[Received]:
    """Read JSON objects, one a line or as an array."""
    objects = json.loads(body) if body.startswith(b"[") else [json.loads(line) for line in body.splitlines()]
    return [Received(o["container_name"], o["source"], o["log"].encode(), nanoseconds(o["timestamp"])) for o in objects]


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"http-url": f"http://{address}", "http-timeout": "2m"}


PROTOCOL = http_server(decode_objects)

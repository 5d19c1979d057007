"""A receiver of objects for the conformance suite, which stores whatever comes; `store` has the rules of S3."""

import json

import zstandard

from tests.sinks.receiving.http import Reply, Request, http_application
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver
from tests.sinks.receiving.times import nanoseconds


def decode_object(content: bytes) -> list[Received]:
    """Read the lines of an object."""
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(content).splitlines()
    return [
        Received(o["container_name"], o["source"], o["log"].encode(), nanoseconds(o["timestamp"]))
        for o in map(json.loads, lines)
    ]


class ObjectReceiver(Receiver):
    """A receiver whose records are in the order in which they came: objects of a batch come over several connections.

    Those of one container come one after the other, as the next batch is sent when all of one are stored.
    """

    @property
    def received(self) -> list[Received]:
        """All that arrived, object by object."""
        with self._lock:
            return list(self._received)


def _answer(_: Receiver, request: Request) -> Reply:
    assert request.method == "PUT"
    assert request.headers["If-None-Match"] == "*"
    return Reply(200, b"", decode_object(request.body))


PROTOCOL: Protocol = http_application(_answer)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {
        "s3-bucket": "logs",
        "s3-region": "us-east-1",
        "s3-endpoint": f"http://{address}",
        "s3-access-key-id": "testing",
        "s3-secret-access-key": "testing-secret",
        "s3-timeout": "2m",
    }

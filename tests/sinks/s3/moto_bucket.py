"""A bucket of moto's server, read back with botocore."""

import urllib.request
from typing import Any

from tests.sinks.s3.store import lines_of
from tests.testbed.aws import MotoServer


class MotoBucket:
    """The bucket ``logs`` of a server."""

    def __init__(self, server: MotoServer) -> None:
        self.url = server.url
        self.client: Any = server.client("s3", "us-east-1")

    def empty(self) -> None:
        """Have nothing but an empty bucket on the server."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=30).close()  # noqa: S310
        self.client.create_bucket(Bucket="logs")

    def objects(self) -> dict[str, list[dict[str, Any]]]:
        """Return the lines of all objects, by key."""
        found = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket="logs"):
            for item in page.get("Contents", ()):
                content = self.client.get_object(Bucket="logs", Key=item["Key"])["Body"].read()
                found[item["Key"]] = lines_of(item["Key"], content)
        return found

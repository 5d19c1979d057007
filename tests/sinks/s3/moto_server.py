"""moto's server, which speaks the protocol of S3, in a process of its own; read back with botocore."""

import contextlib
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session

from tests.sinks.s3.store import KEY_ID, SECRET_KEY, lines_of
from tests.testbed.ports import HeldPort
from tests.testbed.processes import ServerProcess


class MotoServer:
    """One server, with one bucket ``logs``."""

    def __init__(self, folder: Path) -> None:
        self._held = HeldPort()
        self.url = f"http://127.0.0.1:{self._held.number}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._held.number)]
        self._process = ServerProcess(command, folder, self._answers)
        self._process.start()
        self.client: Any = botocore.session.get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET_KEY,
        )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5):  # noqa: S310 (it is a URL of ours)
                return True
        except OSError:
            return False

    def empty(self) -> None:
        """Have nothing but an empty bucket."""
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

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._held.release()


@contextlib.contextmanager
def moto_server(folder: Path) -> Iterator[MotoServer]:
    """A server that is ended in the end."""
    server = MotoServer(folder)
    try:
        yield server
    finally:
        server.close()

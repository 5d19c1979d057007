"""AWS on the loopback: moto's server, a process of its own."""

import contextlib
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session

from tests.testbed.ports import HeldPort
from tests.testbed.processes import ServerProcess

REGION = "eu-central-1"
KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class MotoServer:
    """A server of moto, which has all services of AWS in one; it takes any credentials."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self.process = ServerProcess(command, folder, self._answers)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, region: str = REGION) -> Any:
        """Return botocore's client for a service."""
        return botocore.session.Session().create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def _answers(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", "/moto-api/")
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@contextlib.contextmanager
def moto_server(folder: Path) -> Iterator[MotoServer]:
    """Run a server."""
    with HeldPort() as port:
        server = MotoServer(folder, port.number)
        try:
            server.process.start()
            yield server
        finally:
            server.process.kill()

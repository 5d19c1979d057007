"""HTTP as the engine's plugin client speaks it (moby's ``pkg/plugins/client.go`` on Go's ``net/http``)."""

import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCEPT = "application/vnd.docker.plugins.v1.2+json"
_IDLE_CONNECTIONS = 2  # Go's DefaultMaxIdleConnsPerHost
_SAFETY_NET = 120.0  # seconds; the engine waits for ever, a test should not
_BACKOFF = (1, 2, 4, 8, *(8,) * 12)  # seconds; the engine gives up after the first four, on a machine that is less busy


class PluginError(Exception):
    """What the plugin answered in ``Err``, or a status other than 200."""


class PluginUnreachableError(Exception):
    """No answer after all attempts, or one that broke off; that is not repeated."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    body: bytes


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SAFETY_NET)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SAFETY_NET)
        self.sock.connect(str(self._path))

    def is_stale(self) -> bool:
        """Whether the server closed this idle connection; Go finds out the same way, by reading in the background."""
        poll = select.poll()  # select takes no descriptor above 1023
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))


class Body:
    """An answer that is still arriving."""

    def __init__(self, connection: _Connection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def read(self) -> bytes:
        """Wait for some more bytes; none at the end."""
        return self._response.read1(1 << 16)

    def close(self) -> None:
        """Hang up."""
        self._response.close()
        self._connection.close()


class PluginClient:
    """The engine's side of the plugin's socket: idle connections are used again, failed calls are repeated.

    ``backoff``: seconds to wait before each repetition. A repeated call has an empty body once the engine has
    written the first one's, because its buffer is then consumed.
    """

    def __init__(self, path: Path, *, host: str = "plugin.moby.localhost", backoff: Sequence[float] = _BACKOFF) -> None:
        self._path = path
        self._host = host
        self._backoff = backoff
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()

    def call(self, method: str, arguments: object = None) -> dict[str, Any]:
        """Call a method and decode its answer; raises ``PluginError`` or ``PluginUnreachableError``."""
        with self._answer(method, _encode(arguments)) as (connection, response):
            try:
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise PluginUnreachableError(f"{method}: the answer broke off: {error!r}") from error
            self._check(method, response.status, content)
        self._release(connection)
        answer: dict[str, Any] = json.loads(content)
        if answer.get("Err"):
            raise PluginError(answer["Err"])
        return answer

    def stream(self, method: str, arguments: object) -> Body:
        """Call a method whose answer is a stream."""
        with self._answer(method, _encode(arguments)) as (connection, response):
            if response.status != http.client.OK:
                self._check(method, response.status, response.read())
            return Body(connection, response)

    def post(self, path: str, content: bytes = b"") -> Reply:
        """Send one request just as given, once, and return whatever is answered."""
        connection = self._acquire()
        self._send(connection, path, content)
        response = connection.getresponse()
        reply = Reply(response.status, response.read())
        self._release(connection)
        return reply

    def close(self) -> None:
        """Close the idle connections, as a killed engine does."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    @contextmanager
    def _answer(self, method: str, content: bytes) -> Iterator[tuple[_Connection, http.client.HTTPResponse]]:
        waits = iter(self._backoff)
        while True:
            written = False
            try:
                connection = self._acquire()
                written = True
                self._send(connection, f"/{method}", content)
                response = connection.getresponse()
                break
            except (OSError, http.client.HTTPException) as error:
                if written:
                    content = b""
                wait = next(waits, None)
                if wait is None:
                    raise PluginUnreachableError(f"{method}: {error!r}") from error
                time.sleep(wait)
        yield connection, response

    def _send(self, connection: _Connection, path: str, content: bytes) -> None:
        connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self._host)
        connection.putheader("User-Agent", "Go-http-client/1.1")
        connection.putheader("Content-Length", str(len(content)))
        connection.putheader("Accept", ACCEPT)
        connection.endheaders(content)

    def _acquire(self) -> _Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_stale():
                    return connection
                connection.close()
        connection = _Connection(self._path)
        connection.connect()
        return connection

    def _release(self, connection: _Connection) -> None:
        with self._lock:
            if connection.sock is not None and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    @staticmethod
    def _check(method: str, status: int, content: bytes) -> None:
        if status != http.client.OK:
            raise PluginError(f"{method}: status {status}: {content.decode(errors='replace')}")


def _encode(arguments: object) -> bytes:
    return b"" if arguments is None else json.dumps(arguments).encode() + b"\n"

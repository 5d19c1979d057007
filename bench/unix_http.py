"""A client of the plugin's socket that costs next to nothing: one connection, requests that lie ready as bytes."""

import json
import re
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PIECE = 1 << 16
_SAFETY_NET = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class AnswerError(Exception):
    """The plugin did not answer as it should; the message is what it said."""


def encode_request(method: str, arguments: object) -> bytes:
    """Make the bytes of a request to the plugin, as the engine sends it."""
    body = json.dumps(arguments).encode()
    head = f"POST /{method} HTTP/1.1\r\nHost: plugin.moby.localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class UnixHttp:
    """One connection to the plugin; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        """Connect."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_SAFETY_NET)
        self._socket.connect(str(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._socket.close()

    def time(self, request: bytes) -> float:
        """Send a request and wait for its answer; return the seconds that it took. Raises ``AnswerError``."""
        begun = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(_PIECE)
        while not is_complete(answer):
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise AnswerError(f"it hung up after {answer!r}")
            answer += piece
        took = time.perf_counter() - begun
        _check(answer)
        return took


def is_complete(answer: bytes) -> bool:
    """Return whether an answer with a stated length is there in full."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    return bool(end) and length is not None and len(body) >= int(length[1])


def _check(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1] != b"200" or json.loads(body).get("Err"):
        raise AnswerError(answer.decode(errors="replace"))

"""Ports on the loopback that nobody else can get: the kernel gives those that are free to whoever asks for any."""

import socket
from types import TracebackType
from typing import Self

CLOSED_PORT = 1
"""A port on which nobody listens: it is tcpmux's, and the kernel gives none below 1024 to whoever asks for any."""


class HeldPort:
    """A port of a test's own, on which it can let servers listen and end: in between nobody else gets it.

    The servers must set SO_REUSEADDR, as nearly all do. While none listens, connections are refused.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others have it again."""
        self._socket.close()

"""A Forward server that misbehaves as a test tells it to, one function per connection."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

import msgpack

Behaviour = Callable[["Peer"], None]


class Peer:
    """The connection to one client, at the server's side."""

    def __init__(self, connection: socket.socket, tags: list[str]) -> None:
        self._connection = connection
        self._tags = tags
        self._unpacker = msgpack.Unpacker(raw=False)
        self.last: Any = None
        """The message that was read last."""

    def read(self) -> Any:
        """Read the next message; raises ``EOFError`` at the end."""
        while True:
            for message in self._unpacker:
                self._tags.append(message[0])
                self.last = message
                return message
            data = self._connection.recv(65_536)
            if not data:
                raise EOFError
            self._unpacker.feed(data)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(data)

    def acknowledge(self, message: Any) -> None:
        """Answer a message as the protocol wants it."""
        self.send(msgpack.packb({"ack": message[2]["chunk"]}))


class ScriptedServer:
    """Serves connections one after the other: the first by the first behaviour, those after the last by the last."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.tags: list[list[str]] = []
        """The tags of the messages that were read, by connection."""
        self._behaviours = behaviours
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._current: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in filter(None, (self._listener, self._current)):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                self._current, _ = self._listener.accept()
            except OSError:
                return
            tags: list[str] = []
            self.tags.append(tags)
            with self._current as connection, contextlib.suppress(EOFError, OSError):
                peer = Peer(connection, tags)
                self._behaviours[min(number, len(self._behaviours) - 1)](peer)
            number += 1


def take_all(peer: Peer) -> None:
    """Acknowledge whatever comes."""
    while True:
        peer.acknowledge(peer.read())


def take_one_and_close(peer: Peer) -> None:
    """Acknowledge the first message, and close."""
    peer.acknowledge(peer.read())


def stay_silent(peer: Peer) -> None:
    """Take whatever comes, and say nothing."""
    while True:
        peer.read()

"""Receivers of GELF over TCP and UDP."""

import contextlib
import select
import socket
import threading
from dataclasses import replace
from typing import Any, Self

from tests.sinks.gelf.decoder import Reassembly, decode_stream
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver, pieces
from tests.sinks.receiving.times import SECOND

_ERR = 3
_SO_RCVBUFFORCE = 33  # Linux, asm-generic/socket.h: as SO_RCVBUF, and the limit of the system is none for root
_ROOM = 64 << 20  # bytes


def serve_gelf(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Take GELF messages that end with a NUL."""
    rest = b""
    for content in pieces(receiver, connection):
        messages, nul, rest = (rest + content).rpartition(b"\0")
        receiver.take(replace(of_gelf(message), connection=number) for message in decode_stream(messages + nul))


def of_gelf(message: dict[str, Any]) -> Received:
    """Take the fields of a GELF message."""
    source = "stderr" if message["level"] == _ERR else "stdout"
    moment = int(message["timestamp"] * SECOND)
    return Received(message["_container_name"], source, message["short_message"].encode(), moment)


class GelfDatagrams:
    """A GELF server at UDP, in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self.port: int = self._socket.getsockname()[1]
        self._messages = Reassembly()
        self._taking = threading.Lock()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    @property
    def received(self) -> list[Received]:
        """All that was sent until now, with what the kernel still held."""
        self._take()
        return [of_gelf(message) for message in list(self._messages.messages)]

    def _run(self) -> None:
        readable = select.poll()  # select(2) takes no descriptor above 1023
        readable.register(self._socket, select.POLLIN)
        while not self._is_ending:
            readable.poll()
            self._take()

    def _take(self) -> None:
        with self._taking, contextlib.suppress(BlockingIOError):
            while datagram := self._socket.recv(65_536, socket.MSG_DONTWAIT):
                self._messages.take(datagram)


PROTOCOL = serve_gelf

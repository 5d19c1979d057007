"""A TCP server that behaves as a test tells it to; what it speaks is a `Protocol`."""

import contextlib
import http.client
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from tests.sinks.receiving.received import Received
from tests.testbed.ports import HeldPort
from tests.testbed.waiting import wait_until


class Receiver:
    """One TCP server on the loopback, at the same port whenever it is started.

    ``answers``
        statuses of the next requests, where the protocol is HTTP
    ``breaks``
        how many of the next requests are taken in, and then cut off in the middle of the answer
    ``refused``
        a text that makes a request with it be refused for good, where the protocol can say so
    ``delay``
        seconds before each answer
    ``echo``
        whether faults answer with the request's own first line and headers, as careless servers do
    """

    def __init__(self, protocol: "Protocol", port: int = 0) -> None:
        self._held = None if port else HeldPort()
        self.port = self._held.number if self._held else port
        self.answers: deque[int] = deque()
        self.breaks = 0
        self.refused = b""
        self.delay = 0.0
        self.echo = False
        self.connections = 0
        self.requests = 0
        self._protocol = protocol
        self._received: list[Received] = []
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._open: dict[socket.socket, int] = {}
        self._numbers: dict[Any, int] = {}
        self._accepting: threading.Thread | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._held is not None:
            self._held.release()

    def start(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Go down: nobody listens, and all connections are closed; what was taken in stays."""
        listener, self._listener = self._listener, None
        self._running.set()
        if listener is not None and self._accepting is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()  # until then a connection may be taken that has to be closed too
            listener.close()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def freeze(self) -> None:
        """Read nothing and answer nothing from now on; connections are still taken, as the kernel does."""
        self._running.clear()

    def thaw(self) -> None:
        """Go on."""
        self._running.set()

    def settle(self) -> int:
        """Take in all that came over connections which are closed by now; return the number of the latest until now."""
        before = self.connections
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            name = last.getsockname()
            wait_until(lambda: self._numbers.get(name, 0) > before, "the connections until now are taken")
            number = self._numbers[name]
        wait_until(lambda: min(self._open_numbers(), default=number + 1) > number, "they are read to their ends")
        return number

    def _open_numbers(self) -> list[int]:
        with self._lock:
            return list(self._open.values())

    @property
    def received(self) -> list[Received]:
        """All that arrived, connection by connection."""
        with self._lock:
            return sorted(self._received, key=lambda received: received.connection)

    def take(self, records: Iterable[Received]) -> None:
        """Keep what a connection has brought."""
        with self._lock:
            self._received += records

    def pause(self) -> None:
        """Wait as long as the receiver is frozen."""
        self._running.wait()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, name = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open[connection] = self._numbers[name] = self.connections
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection, contextlib.suppress(OSError, EOFError, http.client.HTTPException):
                self._protocol(self, connection, number)
        finally:
            with self._lock:
                del self._open[connection]


Protocol = Callable[[Receiver, socket.socket, int], None]


def pieces(receiver: Receiver, connection: socket.socket) -> Iterator[bytes]:
    """Yield what a connection brings, and wait as long as the receiver is frozen."""
    while True:
        receiver.pause()
        content = connection.recv(65_536)
        if not content:
            return
        receiver.pause()
        yield content

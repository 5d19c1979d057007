"""A TCP proxy on the loopback that breaks connections as networks do."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from tests.testbed.ports import HeldPort

Greet = Callable[[socket.socket], socket.socket]
"""Does with a new connection what comes before it is handed through, and returns the one to go on with."""
Change = Callable[[bytes], bytes]

_RESET = struct.pack("ii", 1, 0)
_PIECE = 65_536


class TcpProxy:
    """Hands connections through to a port, always listening at the same port of its own.

    ``greet`` sees each connection first; ``change`` is applied to each piece that comes back from the server.
    """

    def __init__(self, target: int, greet: Greet | None = None, change: Change = bytes) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self.connections = 0
        self.passed = 0
        """Bytes that were handed through to the server."""
        self._target = target
        self._greet = greet
        self._change = change
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._cut_after = 0
        self._answer_after = 0
        self._reset_next = True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        listener = self._listener = socket.create_server(("127.0.0.1", self.port))
        self._begin(self._accept, listener)

    def stop(self) -> None:
        """Go down: nobody listens, and all connections are reset."""
        listener, self._listener = self._listener, None
        self.thaw()
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._held.release()

    def freeze(self) -> None:
        """Be a black hole: hand nothing through, and take new connections all the same."""
        self._flows.clear()

    def thaw(self) -> None:
        """Hand through again, also what came meanwhile."""
        self._flows.set()

    def cut(self) -> None:
        """Reset all connections, with whatever is under way in them."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)

    def cut_after(self, size: int, *, reset: bool = True) -> None:
        """Let so many bytes through to the server, then reset all connections, or let nothing more through."""
        with self._lock:
            self._reset_next = reset
            self._cut_after = self.passed + size

    def cut_answer_after(self, size: int, *, reset: bool = True) -> None:
        """Let so many bytes through to the server, and then, in place of what next comes back, do as `cut_after`."""
        with self._lock:
            self._reset_next = reset
            self._answer_after = self.passed + size

    @property
    def is_about_to_cut(self) -> bool:
        """Whether a cut that was asked for is yet to come about."""
        return self._cut_after > 0 or self._answer_after > 0

    def forget_cuts(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            self._cut_after = self._answer_after = 0

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            self._hold(stack, client)
            self._flows.wait()
            if self._greet is not None:
                client = self._greet(client)
                self._hold(stack, client)
            server = socket.create_connection(("127.0.0.1", self._target))
            self._hold(stack, server)
            back = threading.Thread(target=self._hand_back, args=(server, client), daemon=True)
            back.start()
            self._hand_through(client, server)
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RD)
            back.join()

    def _hold(self, stack: contextlib.ExitStack, end: socket.socket) -> None:
        with self._lock:
            self._open.add(end)
        stack.callback(self._let_go, end)

    def _let_go(self, end: socket.socket) -> None:
        with self._lock:
            self._open.discard(end)
        end.close()

    def _hand_through(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                self._flows.wait()
                while piece:
                    allowed, over = self._allow(len(piece))
                    server.sendall(piece[:allowed])
                    piece = piece[allowed:]
                    if over:
                        self._flows.wait()

    def _allow(self, size: int) -> tuple[int, bool]:
        """Return how many bytes may go through now, and whether the cut that was asked for has come about by that."""
        with self._lock:
            allowed = min(size, self._cut_after - self.passed) if self._cut_after else size
            self.passed += allowed
            over = 0 < self._cut_after <= self.passed
            if over:
                self._cut_after = 0
        if over:
            self._break()
        return allowed, over

    def _allow_back(self) -> None:
        """Wait with what comes back, or raise `ConnectionError`, if this is where a cut was asked for."""
        with self._lock:
            over = 0 < self._answer_after <= self.passed
            if over:
                self._answer_after = 0
        if over:
            self._break()
            if self._reset_next:
                raise ConnectionError
        self._flows.wait()

    def _break(self) -> None:
        if self._reset_next:
            self.cut()
        else:
            self.freeze()

    def _hand_back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_PIECE):
                self._allow_back()
                client.sendall(self._change(piece))
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)

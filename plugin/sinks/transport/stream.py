"""A stream to a destination: TCP, TLS over TCP, or a unix socket, with a time limit on every step.

For protocols without an answer `StreamConnection.drained` says when the peer's kernel has everything; for the others
there is `StreamConnection.read`. Works on the socket itself, since the transports of asyncio keep bytes of their own
that nobody can see, and over TLS twice.
"""

import asyncio
import contextlib
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import AsyncIterator
from typing import Final

from plugin.sinks.base import RetryError, SinkError, UnavailableError
from plugin.sinks.transport.dial import DEFAULT_LIMITS, Address, Limits, connect, reason
from plugin.sinks.transport.tls.context import ClientTls
from plugin.sinks.transport.tls.layer import TlsLayer, tls_failure

# Linux: SIOCOUTQ is TIOCOUTQ by another name (linux/sockios.h).
_SEND_QUEUE: Final = termios.TIOCOUTQ

_SLICE = 65_536
# No protocol has a longer answer; a peer that says more before anybody reads it talks without end.
_LONGEST_ANSWER = 65_536
_FIRST_LOOK = 0.0005
_LAST_LOOK = 0.01
# What comes at the end of TLS, the peer's goodbye and how its kernel ends the connection, comes at once.
_END_TAKES = 0.05

_ABORT = struct.pack("ii", 1, 0)


class StreamConnection:
    """A connection to one address that is opened when needed, given up when it fails, and opened again.

    Every method raises `RetryError` or `MisconfiguredError` and has then closed the connection. A peer that sends more
    than 64 KiB that is not read, nor dropped, is one that failed.

    ``ended_orderly`` says of the last connection whether the peer closed it having read everything that had come to it:
    a peer that leaves bytes unread resets the connection instead.
    """

    def __init__(self, address: Address, tls: ClientTls | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self.address = address
        self._client_tls = tls
        self._limits = limits
        self.ended_orderly = False
        self._socket: socket.socket | None = None
        self._tls: TlsLayer | None = None
        self._received = bytearray()
        self._is_proven = False
        self._is_ended = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection; the peer may have closed it all the same."""
        return self._socket is not None

    async def open(self) -> bool:
        """Connect, unless there is a connection that the peer has not closed; tell whether it is a new one.

        The name is looked up again, and all its addresses are tried in turn.
        """
        if self._socket is not None:
            try:
                self._take_incoming()
            except RetryError:
                # Nothing is under way: whatever went over it has been acknowledged, or has failed already.
                pass
            else:
                return False
        try:
            async with asyncio.timeout(self._limits.connect):
                self._socket = await connect(self.address, self._limits)
                if self._client_tls is not None:
                    self._tls = TlsLayer(self._socket, self._client_tls.context(), self.address.host or None)
                    await self._tls.shake_hands()
        except TimeoutError:
            self._give_up()
            raise UnavailableError(f"cannot connect to {self.address} within {self._limits.connect:g} s") from None
        except ssl.SSLError as error:
            self._give_up()
            raise tls_failure(self.address, error) from error
        except (OSError, UnicodeError) as error:
            self._give_up()
            raise UnavailableError(f"cannot connect to {self.address}: {reason(error, self.address)}") from error
        except BaseException:
            self._give_up()
            raise
        return True

    async def send(self, data: bytes | memoryview) -> None:
        """Connect when needed, write, and wait until the peer's kernel has everything."""
        await self.open()
        await self.write(data)
        await self.drained()

    async def write(self, data: bytes | memoryview) -> None:
        """Hand all bytes to the kernel."""
        view = memoryview(data)
        async with self._closing_on_failure():
            for start in range(0, len(view), _SLICE):
                await self._write_slice(view[start : start + _SLICE])

    async def drained(self) -> None:
        """Wait until the peer's kernel has acknowledged every byte written; a unix socket's peer has even read them.

        What the peer has sent is dropped. Raises `RetryError` if the peer has closed by then: it may not have read all.
        """
        async with self._closing_on_failure():
            await self._until_queue_is_empty()
            if not self._is_proven:
                await self._watch(self._limits.trial)
                self._is_proven = True
            self._received.clear()

    async def read(self, limit: float | None = None) -> bytes:
        """Return what the peer has sent, at least one byte.

        ``limit`` is how many seconds to wait for it, in place of ``Limits.read``. Raises `RetryError` when the time is
        over, or at the end of the stream.
        """
        seconds = self._limits.read if limit is None else limit
        async with self._closing_on_failure():
            try:
                async with asyncio.timeout(seconds):
                    while not self._received:
                        await self._receive()
            except TimeoutError:
                raise RetryError(f"{self.address} has not answered within {seconds:g} s") from None
        data = bytes(self._received)
        self._received.clear()
        await asyncio.sleep(0)  # what has come already is read without waiting, and others must have their turns
        return data

    async def ended(self) -> None:
        """Wait until there is no connection any more, since the peer has closed it or it broke; drop what it sends.

        Can be cancelled at any time.
        """
        while self._socket is not None:
            await _readable(self._socket)
            if self._client_tls is not None:
                await asyncio.sleep(_END_TAKES)
            try:
                self._take_incoming()
            except SinkError:
                return
            self._received.clear()

    async def close(self) -> None:
        """Close the connection, in the orderly way of its protocol; nothing happens if there is none."""
        if self._tls is not None:
            self._tls.end()
        self._forget()

    async def _write_slice(self, view: memoryview) -> None:
        try:
            async with asyncio.timeout(self._limits.write):
                if self._tls is None:
                    await asyncio.get_running_loop().sock_sendall(self._connected(), view)
                else:
                    await self._tls.write(view)
        except TimeoutError:
            raise RetryError(f"{self.address} has taken nothing for {self._limits.write:g} s") from None

    async def _until_queue_is_empty(self) -> None:
        now = asyncio.get_running_loop().time
        least = None
        deadline = 0.0
        pause = _FIRST_LOOK
        while True:
            queued = _unacknowledged(self._connected())
            # In this order: a peer that has closed by the time its kernel has everything may not have read it.
            self._take_incoming()
            self._received.clear()
            if queued == 0:
                return
            if least is None or queued < least:
                least = queued
                deadline = now() + self._limits.write
            elif now() >= deadline:
                raise RetryError(f"{self.address} has not confirmed anything for {self._limits.write:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK)

    async def _watch(self, seconds: float) -> None:
        """Raise `RetryError` as soon as the peer closes within this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._receive()

    async def _receive(self) -> None:
        self._require_open_peer()
        self._feed(await asyncio.get_running_loop().sock_recv(self._connected(), _SLICE))

    def _take_incoming(self) -> None:
        """Take what has come in, without waiting; raises `RetryError` if the peer has closed."""
        try:
            while not self._is_ended:
                self._feed(self._connected().recv(_SLICE))
            self._require_open_peer()
        except BlockingIOError:
            return
        except ssl.SSLError as error:
            self._forget()
            raise tls_failure(self.address, error) from error
        except OSError as error:
            self._forget()
            raise RetryError(f"the connection to {self.address} broke: {reason(error, self.address)}") from error
        except RetryError:
            self._forget()
            raise

    def _feed(self, data: bytes) -> None:
        """Take bytes from the socket; no bytes is its end."""
        if self._tls is None or not data:
            plain, self._is_ended = data, not data
        else:
            plain, self._is_ended = self._tls.read(data)
        self._received += plain
        if len(self._received) > _LONGEST_ANSWER:
            raise RetryError(f"{self.address} talks without end: {_LONGEST_ANSWER:,} bytes that nobody asked for")

    def _require_open_peer(self) -> None:
        if self._is_ended:
            raise RetryError(f"{self.address} has closed the connection")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise RetryError(f"there is no connection to {self.address}")
        return self._socket

    @contextlib.asynccontextmanager
    async def _closing_on_failure(self) -> AsyncIterator[None]:
        try:
            yield
        except ssl.SSLError as error:
            self._give_up()
            raise tls_failure(self.address, error) from error
        except OSError as error:
            self._give_up()
            raise RetryError(f"the connection to {self.address} broke: {reason(error, self.address)}") from error
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Close a connection in an unknown state.

        One that nothing was acknowledged over is reset, so that the kernel does not send on what will be sent again.
        Otherwise the peer's kernel may hold bytes that count as arrived, and that a reset could make it lose.
        """
        if self._socket is not None and not self._is_proven and self._socket.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._forget()

    def _forget(self) -> None:
        if self._socket is not None:
            self.ended_orderly = self._is_ended and _is_closed_in_order(self._socket)
            self._socket.close()
        self._socket = None
        self._tls = None
        self._received.clear()
        self._is_proven = False
        self._is_ended = False


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(connection, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(connection)


def _is_closed_in_order(connection: socket.socket) -> bool:
    """Return whether the peer's kernel has ended the connection, not by a reset; its goodbye over TLS says nothing.

    False also while that is yet to come.
    """
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return False


def _unacknowledged(connection: socket.socket) -> int:
    """Return how many bytes the peer's kernel has not acknowledged (for a unix socket: the peer has not read)."""
    answer = fcntl.ioctl(connection.fileno(), _SEND_QUEUE, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])

"""Datagrams to a destination: UDP, or a unix socket that takes datagrams. They are sent, and nobody says more."""

import asyncio
import errno
import socket
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

from plugin.sinks.base import RejectError, RetryError, UnavailableError
from plugin.sinks.transport.dial import DEFAULT_LIMITS, Address, Limits, look_up, reason

LARGEST_UDP = 65_507
"""Bytes that fit a UDP datagram over IPv4."""

_LENGTH: Final = "I"
_LENGTH_SIZE = array(_LENGTH).itemsize

_LOOK_UP_AFTER = 30.0
_BURST = 64
_BURST_PAUSE = 0.001


def pack(datagrams: Sequence[bytes]) -> bytes:
    """Put datagrams into one payload: their number, their lengths, and then all of them without anything between.

    No datagrams make an empty payload.
    """
    if not datagrams:
        return b""
    lengths = array(_LENGTH, [len(datagrams), *map(len, datagrams)])
    return b"".join((lengths.tobytes(), *datagrams))


def unpack(payload: bytes) -> Iterator[memoryview]:
    """Yield the datagrams of a payload; an empty one has none."""
    if not payload:
        return
    view = memoryview(payload)
    lengths = view[: _joined_from(payload)].cast(_LENGTH)
    start = _joined_from(payload)
    for length in lengths[1:]:
        yield view[start : start + length]
        start += length


def joined(payload: bytes) -> memoryview:
    """Return the datagrams of a payload as one stream."""
    return memoryview(payload)[_joined_from(payload) if payload else 0 :]


def _joined_from(payload: bytes) -> int:
    return _LENGTH_SIZE * (1 + array(_LENGTH, payload[:_LENGTH_SIZE])[0])


class DatagramConnection:
    """A socket that sends datagrams to one address.

    It is opened when needed, and by name again every half minute: nothing else would tell that the name has moved.
    """

    def __init__(self, address: Address, limits: Limits = DEFAULT_LIMITS) -> None:
        self.address = address
        self._limits = limits
        self._socket: socket.socket | None = None
        self._opened = 0.0
        self._refusals = 0

    async def send(self, payload: bytes) -> None:
        """Send the datagrams of a payload (see `pack`), at a pace that a receiver with usual buffers can follow.

        Raises `RejectError` for one that is too long for the socket, and `RetryError` if there is no way to the address
        or the peer's host says that nobody listens there; earlier ones may have arrived then.
        """
        connection = await self.open()
        try:
            for count, datagram in enumerate(unpack(payload), 1):
                try:
                    connection.send(datagram)
                except BlockingIOError:
                    await self._send_when_possible(connection, datagram)
                if count % _BURST == 0:
                    await asyncio.sleep(_BURST_PAUSE)
            if code := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "")  # noqa: TRY301
        except OSError as error:
            self._forget()
            # A datagram of a length that is allowed is too long for a path at most, which the kernel learns by it.
            if error.errno == errno.EMSGSIZE and (self.address.path or len(datagram) > LARGEST_UDP):
                raise RejectError(
                    f"{len(datagram):,} bytes are too long for one datagram to {self.address}"
                    f" (UDP takes {LARGEST_UDP:,} bytes at most; a stream takes any length)"
                ) from error
            self._refusals += isinstance(error, ConnectionRefusedError)
            raise UnavailableError(f"cannot send to {self.address}: {reason(error, self.address)}") from error
        except BaseException:
            self._forget()
            raise

    async def open(self) -> socket.socket:
        """Return the socket, a new one if there is none or if it is time to look the name up again."""
        now = asyncio.get_running_loop().time()
        if self._socket is not None and (self.address.path or now - self._opened < _LOOK_UP_AFTER):
            return self._socket
        self._forget()
        try:
            async with asyncio.timeout(self._limits.connect):
                self._socket = await self._connect()
        except TimeoutError:
            raise UnavailableError(f"cannot look up {self.address} within {self._limits.connect:g} s") from None
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"cannot send to {self.address}: {reason(error, self.address)}") from error
        self._opened = now
        return self._socket

    async def close(self) -> None:
        """Close the socket; nothing happens if there is none."""
        self._forget()

    async def _connect(self) -> socket.socket:
        if self.address.path:
            return _connected(socket.AF_UNIX, self.address.path)
        found = await look_up(self.address, socket.SOCK_DGRAM)
        # Connecting says nothing about who listens: after a refusal it is the turn of the name's next address.
        turn = self._refusals % len(found)
        failure: OSError | None = None
        for family, _, address in (*found[turn:], *found[:turn]):
            try:
                return _connected(family, address)
            except OSError as error:
                failure = error
        raise failure or OSError("the name has no address")

    async def _send_when_possible(self, connection: socket.socket, datagram: memoryview) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.write):
                await loop.sock_sendall(connection, datagram)
        except TimeoutError:
            raise RetryError(f"{self.address} has taken nothing for {self._limits.write:g} s") from None

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _connected(family: int, address: tuple[Any, ...] | str) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection

"""Reaching a destination: looking up its name, and connecting to one address of it after the other."""

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from typing import Any

from plugin.config.files import hint_of_managed

_KEEPALIVE_IDLE = 30
_KEEPALIVE_INTERVAL = 10
_KEEPALIVE_PROBES = 3

Found = tuple[socket.AddressFamily, int, tuple[Any, ...]]
"""What a name stands for: the family, the protocol, and the address as a socket takes it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a destination listens: a host and a port, or the path of a unix socket. Nothing is looked up."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Write it for a message: the path, ``host:port`` or ``[::1]:port``."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time limits of a connection, in seconds.

    ``connect`` covers looking up the name, connecting and the TLS handshake. ``write`` and ``read`` are for a peer that
    does not move at all: each byte that it takes or sends restarts them. For ``trial`` seconds after its first bytes
    a new connection is watched for a peer that accepts and then closes, as proxies without a server behind them do, and
    servers of TLS 1.3 that refuse a certificate.
    """

    connect: float = 10.0
    write: float = 30.0
    read: float = 30.0
    trial: float = 0.5


DEFAULT_LIMITS = Limits()


async def look_up(address: Address, kind: socket.SocketKind) -> list[Found]:
    """Return all that the host of an address stands for. Raises `OSError`, or `UnicodeError` for what is not a name.

    An IP address is not handed to the threads that look names up: a name server that hangs may have taken all of them.
    """
    host, port = address.host, address.port
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    return [(family, protocol, sockaddr) for family, _, protocol, _, sockaddr in found]


async def connect(address: Address, limits: Limits) -> socket.socket:
    """Connect a stream, trying all addresses of the name in turn. Raises as `look_up` does.

    Each address has its share of ``limits.connect``; the whole of it is the caller's to watch.
    """
    if address.path:
        return await _connect_to(socket.AF_UNIX, 0, address.path, limits)
    found = await look_up(address, socket.SOCK_STREAM)
    failure: OSError | None = None
    share = limits.connect / len(found)
    for family, protocol, sockaddr in found:
        try:
            async with asyncio.timeout(share):
                return await _connect_to(family, protocol, sockaddr, limits)
        except TimeoutError:
            failure = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        except OSError as error:
            failure = error
    raise failure or OSError("the name has no address")


async def _connect_to(family: int, protocol: int, address: tuple[Any, ...] | str, limits: Limits) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    try:
        if family != socket.AF_UNIX:
            _set_tcp_options(connection, limits)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def reason(error: OSError | UnicodeError, address: Address) -> str:
    """Describe what went wrong with this address; a name that cannot be encoded counts as one."""
    if not isinstance(error, OSError):
        return str(error)
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    text = os.strerror(error.errno)
    if address.path and isinstance(error, (FileNotFoundError, PermissionError)):
        return f"{text}{hint_of_managed()}"
    return text


def _set_tcp_options(connection: socket.socket, limits: Limits) -> None:
    """Have the kernel notice a peer that is gone, also while nothing is written."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(max(limits.write, 1) * 1000))

"""journald's socket: datagrams, and what is too long for one in a sealed memfd; known as read when it left the queue.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

import asyncio
import errno
import fcntl
import os
import socket
import struct
import termios
from array import array
from collections.abc import Callable
from pathlib import Path

from plugin.config.files import hint_of_managed
from plugin.sinks.base import MisconfiguredError, UnavailableError
from plugin.sinks.transport import datagram

_HINT = (
    " (a managed plugin sees journald's socket once it is mounted: while it is disabled, 'docker plugin set peavey "
    "journald.source=/run/systemd/journal')"
)
_SEND_BUFFER = 8 * 1024 * 1024  # as sd-journal asks for; the kernel gives what net.core.wmem_max allows
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_TOO_LONG = (errno.EMSGSIZE, errno.ENOBUFS)
_LASTING = (errno.EACCES, errno.EPERM, errno.ENOTSOCK, errno.EPROTOTYPE, errno.ENOTDIR)
_LOOK_EVERY = 64  # datagrams
_FIRST_PAUSE = 0.0002
_LAST_PAUSE = 0.02


class JournalSocket:
    """Sends entries, and waits until journald has read them.

    A datagram counts against the sender's queue until its reader has it, so an empty queue means that all is read, or
    that journald has died: hence an empty datagram, which it ignores, must still find it there afterwards.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._payload = b""
        self._sent = 0
        """How many entries of the payload are in the queue, or were."""
        self._left_queue = 0
        """How many had left it when it was last seen empty."""
        self._read = 0
        """How many are known to be read."""

    async def send(self, payload: bytes) -> None:
        """Send the entries of a payload (see `datagram.pack`); return when journald has read all.

        What was sent of a payload that failed is not sent again with it, unless journald died in between. Raises
        `UnavailableError` while journald is not there or does not read, and `MisconfiguredError`.
        """
        if payload != self._payload:
            self._payload = payload
            self._sent = self._left_queue = self._read = 0
        connection = self._open()
        try:
            for number, entry in enumerate(datagram.unpack(payload)):
                if number >= self._sent:
                    await self._put(connection, entry)
                    self._note(connection)
            await self._drain(connection)
            await self._hand_over(connection, lambda: connection.send(b""))
        except OSError as error:
            await self.close()
            raise UnavailableError(f"cannot send to {self._path}: {os.strerror(error.errno or 0)}") from error
        self._payload = b""

    async def close(self) -> None:
        """Close the socket; what journald is not known to have read is sent again over the next."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._sent = self._left_queue = self._read

    def _open(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                kind = MisconfiguredError if error.errno in _LASTING else UnavailableError
                hint = _HINT if isinstance(error, FileNotFoundError) and hint_of_managed() else ""
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise kind(f"cannot reach journald at {self._path}: {reason}{hint}") from error
            self._socket = connection
        return self._socket

    async def _put(self, connection: socket.socket, entry: memoryview) -> None:
        """Put an entry into the queue, as soon as it has room."""
        try:
            await self._hand_over(connection, lambda: connection.send(entry))
        except OSError as error:
            if error.errno not in _TOO_LONG:
                raise
            await self._put_memfd(connection, entry)

    async def _put_memfd(self, connection: socket.socket, entry: memoryview) -> None:
        """Put a file in memory into the queue that nobody can change any more; journald takes no other."""
        descriptor = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            while entry:
                entry = entry[os.write(descriptor, entry) :]
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))]
            await self._hand_over(connection, lambda: connection.sendmsg([], rights))
        finally:
            os.close(descriptor)

    async def _hand_over(self, connection: socket.socket, put: Callable[[], object]) -> None:
        """Call a function that puts a datagram into the queue, as often as there is no room."""
        while True:
            try:
                put()
            except BlockingIOError:
                await self._wait_for_room(connection)
            except OSError as error:
                if error.errno != errno.ETOOMANYREFS:  # so many files are on their way
                    raise
                await self._drain(connection)
            else:
                return

    def _note(self, connection: socket.socket) -> None:
        """Note that one more entry was sent, which shows that journald was still there to read those before it."""
        self._read = self._left_queue
        self._sent += 1
        if self._sent % _LOOK_EVERY == 0 and not _queued(connection):
            self._left_queue = self._sent

    async def _wait_for_room(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        has_room = asyncio.Event()
        loop.add_writer(connection, has_room.set)
        try:
            async with asyncio.timeout(self._timeout):
                await has_room.wait()
        except TimeoutError:
            raise self._stuck() from None
        finally:
            loop.remove_writer(connection)

    async def _drain(self, connection: socket.socket) -> None:
        """Wait until the queue is empty."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        before = 0
        deadline = 0.0
        while queued := _queued(connection):
            if queued != before:
                before, deadline = queued, loop.time() + self._timeout
            elif loop.time() > deadline:
                raise self._stuck()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    def _stuck(self) -> UnavailableError:
        return UnavailableError(f"journald at {self._path} has read nothing for {self._timeout:g} s")


def _queued(connection: socket.socket) -> int:
    """Return how many bytes the reader has not taken yet: SIOCOUTQ, which is TIOCOUTQ by another name."""
    (queued,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))
    return int(queued)

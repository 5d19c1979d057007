"""TLS between a socket and what is said over it: no byte is kept where it cannot be seen."""

import asyncio
import contextlib
import socket
import ssl

from plugin.sinks.base import MisconfiguredError, RetryError, SinkError
from plugin.sinks.transport.dial import Address
from plugin.sinks.transport.tls.context import is_lasting

_SLICE = 65_536


class TlsLayer:
    """TLS over one connected socket; every method raises `ssl.SSLError` or `OSError`."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, server_name: str | None) -> None:
        self._socket = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def shake_hands(self) -> None:
        """Agree with the peer."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                # The peer shall hear why.
                await self._flush()
                raise
            else:
                await self._flush()
                return

    async def write(self, view: memoryview) -> None:
        """Hand all bytes to the kernel."""
        while view:
            try:
                view = view[self._tls.write(view) :]
            except ssl.SSLWantReadError:
                await self._fill()
            await self._flush()

    def read(self, data: bytes) -> tuple[bytes, bool]:
        """Take what has come from the socket; return what it says, and whether the peer has ended it."""
        self._incoming.write(data)
        said = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while plain := self._tls.read(_SLICE):
                said += plain
            return bytes(said), True
        return bytes(said), False

    def end(self) -> None:
        """Notify the peer that nothing follows; its own notice is not waited for, since nothing of it would be used."""
        with contextlib.suppress(ssl.SSLError, OSError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            if self._outgoing.pending:
                self._socket.send(self._outgoing.read())

    async def _fill(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._socket, _SLICE)
        if not data:
            raise OSError("the peer closed the connection during the TLS handshake")
        self._incoming.write(data)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._outgoing.read())


def tls_failure(address: Address, error: ssl.SSLError) -> SinkError:
    """Return the failure that an error of TLS with an address is."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return MisconfiguredError(f"the certificate of {address} is not accepted: {error.verify_message}")
    code = error.reason or ""
    text = f"TLS with {address} failed: {code.replace('_', ' ').lower() or error.strerror or error}"
    return MisconfiguredError(text) if is_lasting(error) else RetryError(text)

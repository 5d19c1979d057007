"""The local syslog server, which listens at one of a few usual sockets."""

from plugin.sinks.base import RetryError, UnavailableError
from plugin.sinks.transport import datagram
from plugin.sinks.transport.datagram import DatagramConnection
from plugin.sinks.transport.dial import Address
from plugin.sinks.transport.stream import StreamConnection

USUAL_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")
"""Where srslog looks, and Go's own ``log/syslog``."""


class LocalSyslog:
    """Whichever of the usual sockets there is, first one that takes datagrams, then one that takes a stream."""

    def __init__(self, paths: tuple[str, ...] = USUAL_SOCKETS) -> None:
        self._paths = paths
        self._route: DatagramConnection | StreamConnection | None = None

    async def send(self, payload: bytes) -> None:
        """Send the datagrams of a payload; over a stream they follow one another. Raises as the connections do."""
        if self._route is None:
            self._route = await self._find()
        try:
            if isinstance(self._route, DatagramConnection):
                await self._route.send(payload)
            else:
                await self._route.send(datagram.joined(payload))
        except RetryError:
            # Another server may have come, with a socket of the other kind.
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection; the socket is looked for again when there is something to send."""
        if self._route is not None:
            await self._route.close()
        self._route = None

    async def _find(self) -> DatagramConnection | StreamConnection:
        for kind in (DatagramConnection, StreamConnection):
            for path in self._paths:
                route = kind(Address(path=path))
                try:
                    await route.open()
                except RetryError:
                    continue
                return route
        raise UnavailableError(
            f"there is no local syslog server: nothing listens at {', '.join(self._paths)}"
            " (a managed plugin does not see the host's sockets: give syslog-address, such as udp://127.0.0.1:514)"
        )

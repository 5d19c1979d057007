"""Syslog: RFC 5424, RFC 3164 or the local form, over UDP, TCP, TLS or a unix socket."""

from collections.abc import Sequence

from plugin.sinks.base import Origin, Record, Sink, Trouble
from plugin.sinks.syslog.encoder import Head, MessageFormat
from plugin.sinks.syslog.local_socket import LocalSyslog
from plugin.sinks.syslog.options import OCTET_COUNTING, SyslogOptions
from plugin.sinks.transport import datagram
from plugin.sinks.transport.datagram import DatagramConnection
from plugin.sinks.transport.resending_stream import UnansweredStream
from plugin.sinks.transport.stream import StreamConnection

_LONGEST_IN_DATAGRAM = 16_384
"""The engine's own limit of a line, at which Docker's driver gets it cut."""


class SyslogSink(Sink[Head]):
    """One syslog server."""

    declaration = SyslogOptions

    def __init__(self, options: SyslogOptions) -> None:
        target = options.address
        self._format = MessageFormat(options.format or "", options.facility)
        self._counts_octets = options.framing == OCTET_COUNTING
        # The local socket may be of either kind: what is packed as datagrams can be sent as a stream too.
        self._is_datagrams = target is None or target.scheme in ("udp", "unixgram")
        self._route: LocalSyslog | DatagramConnection | StreamConnection | UnansweredStream
        if target is None:
            self._route = LocalSyslog()
        elif self._is_datagrams:
            self._route = DatagramConnection(target.address)
        elif target.scheme == "tcp+tls":
            self._counts_octets = self._counts_octets or (self._format.is_rfc5424 and not options.framing)
            # The system's as well, as Docker's go-connections/tlsconfig does.
            tls = options.tls.open(system_roots=True)
            self._route = UnansweredStream(StreamConnection(target.address, tls))
        elif target.scheme == "tcp":
            self._route = UnansweredStream(StreamConnection(target.address))
        else:
            self._route = StreamConnection(target.address)

    @property
    def trouble(self) -> Trouble | None:
        """Return why what the server may not have read cannot be sent again now."""
        return self._route.trouble if isinstance(self._route, UnansweredStream) else None

    def prepare(self, origin: Origin) -> Head:
        """Write all of a container's header but the time."""
        return self._format.head(origin)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Write the messages, each with a newline at its end as Docker's driver does; empty lines are left out.

        Lines have their bytes as they are; a newline within one becomes ``#012``, except where octets are counted.
        Where a newline ends a message, a NUL becomes ``#000``: there are receivers that end a message at it.
        Where messages are datagrams, a line of more than 16 KiB goes in several.
        """
        if self._is_datagrams:
            return datagram.pack(self._format.messages(records, b"#012", b"\0", _LONGEST_IN_DATAGRAM))
        if self._counts_octets:
            messages = self._format.messages(records, b"\n", b"\0")
            return b"".join([b"%d %b" % (len(message), message) for message in messages])
        return b"".join(self._format.messages(records, b"#012", b"#000"))

    async def send(self, payload: bytes) -> None:
        """Send: a stream's bytes are acknowledged by the server's kernel, datagrams are just sent."""
        if payload:
            await self._route.send(payload)

    async def close(self) -> None:
        """Close the connection."""
        await self._route.close()


SINK = SyslogSink

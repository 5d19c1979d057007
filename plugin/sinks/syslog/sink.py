"""Syslog: RFC 5424, RFC 3164 or the local form, over UDP, TCP, TLS or a unix socket."""

from collections.abc import Sequence

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.parsing import hint, parse_int, quote
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.base import Origin, Record, Sink, Trouble
from plugin.sinks.syslog.encoder import Head, MessageFormat
from plugin.sinks.syslog.local_socket import LocalSyslog
from plugin.sinks.transport import datagram
from plugin.sinks.transport.address import Target, parse_target
from plugin.sinks.transport.datagram import DatagramConnection
from plugin.sinks.transport.resending_stream import UnansweredStream
from plugin.sinks.transport.stream import StreamConnection
from plugin.sinks.transport.tls.options import tls_options

_SCHEMES = ("udp", "tcp", "tcp+tls", "unix", "unixgram")
_PORT = 514

_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("", "", "", ""),
    *("local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)

_LONGEST_IN_DATAGRAM = 16_384
"""The engine's own limit of a line, at which Docker's driver gets it cut."""


def _parse_address(text: str) -> Target:
    return parse_target(text, _SCHEMES, _PORT)


def _parse_facility(text: str) -> int:
    if text and text in _FACILITIES:
        return _FACILITIES.index(text)
    try:
        return parse_int(text, 0, len(_FACILITIES) - 1)
    except ValueError:
        names = [name for name in _FACILITIES if name]
        raise ValueError(
            f"{quote(text)} is not a facility (expected: a number from 0 to 23, or one of {', '.join(names)})"
            f"{hint(text, names)}"
        ) from None


ADDRESS: Option[Target | None] = Option(
    name="syslog-address",
    kind=Kind(parse=_parse_address, accepts="udp://, tcp:// or tcp+tls://host:port, unix:// or unixgram:///path"),
    shown_default="the local syslog socket",
    help=(
        "Where the syslog server listens; the port is 514 where none is given. A managed plugin does not see the "
        "host's /dev/log: there the address of a server is needed."
    ),
)
FACILITY = Option(
    name="syslog-facility",
    kind=Kind(parse=_parse_facility, accepts="name such as daemon or local0, or a number from 0 to 23"),
    default="daemon",
    help="The facility of every message. The severity is info for stdout and err for stderr.",
)
FORMAT: Option[str | None] = Option(
    name="syslog-format",
    kind=types.choice("rfc3164", "rfc5424", "rfc5424micro"),
    shown_default="the local form, which has no host name",
    help=(
        "The form of messages. Times are those of the lines, in whole seconds; rfc5424micro has microseconds. Over "
        "tcp+tls, RFC 5424 messages are framed by octet counting; over tcp each ends with a newline."
    ),
)
TLS = tls_options("syslog-tls-", besides=True)


class SyslogSink(Sink[Head]):
    """One syslog server."""

    declaration = SinkOptions(
        name="syslog",
        prefix="syslog-",
        help="Sends to a syslog server, or to the local one.",
        options=(ADDRESS, FACILITY, FORMAT, *TLS),
        check=TLS.faults,
    )

    def __init__(self, choice: SinkChoice) -> None:
        target = choice.get(ADDRESS)
        self._format = MessageFormat(choice.get(FORMAT) or "", choice.get(FACILITY))
        self._counts_octets = False
        # The local socket may be of either kind: what is packed as datagrams can be sent as a stream too.
        self._is_datagrams = target is None or target.scheme in ("udp", "unixgram")
        self._route: LocalSyslog | DatagramConnection | StreamConnection | UnansweredStream
        if target is None:
            self._route = LocalSyslog()
        elif self._is_datagrams:
            self._route = DatagramConnection(target.address)
        elif target.scheme == "tcp+tls":
            self._counts_octets = self._format.is_rfc5424
            # The system's as well, as Docker's go-connections/tlsconfig does.
            tls = TLS.open(choice, system_roots=True)
            self._route = UnansweredStream(StreamConnection(target.address, tls))
        elif target.scheme == "tcp":
            self._route = UnansweredStream(StreamConnection(target.address))
        else:
            self._route = StreamConnection(target.address)

    @property
    def trouble(self) -> Trouble | None:
        """Tell why what the server may not have read cannot be sent again now."""
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

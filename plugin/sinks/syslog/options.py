"""The options of the sink ``syslog``: those of Docker's driver."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.parsing import hint, parse_int, quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.transport.address import Target, parse_target
from plugin.sinks.transport.tls.options import TlsOptions, ca_option

_SCHEMES = ("udp", "tcp", "tcp+tls", "unix", "unixgram")
_PORT = 514
OCTET_COUNTING = "octet-counting"
"""The framing in which each message has its length before it."""
_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("", "", "", ""),
    *("local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)


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


class _BesidesTlsOptions(TlsOptions):
    """TLS that trusts the system's authorities as well, as Docker's driver does."""

    ca = ca_option("ca-cert", besides=True)


class SyslogOptions(SinkOptions):
    """A server, and the form of messages."""

    name = "syslog"
    prefix = "syslog-"
    help = "Sends to a syslog server, or to the local one."
    acknowledged = (
        "Over TCP and TLS the kernel of the server has the bytes; over UDP and the local socket, messages are "
        "just sent."
    )

    address: Option[Target | None] = Option(
        name="syslog-address",
        kind=Kind(parse=_parse_address, accepts="udp://, tcp:// or tcp+tls://host:port, unix:// or unixgram:///path"),
        shown_default="the local syslog socket",
        help=(
            "Where the syslog server listens; the port is 514 where none is given. A managed plugin does not see the "
            "host's /dev/log: there the address of a server is needed."
        ),
    )
    facility = Option(
        name="syslog-facility",
        kind=Kind(parse=_parse_facility, accepts="name such as daemon or local0, or a number from 0 to 23"),
        default="daemon",
        help=(
            "The facility of every message. The severity is that of the record, where it has one, else info for stdout "
            "and err for stderr."
        ),
    )
    format: Option[str | None] = Option(
        name="syslog-format",
        kind=types.choice("rfc3164", "rfc5424", "rfc5424micro"),
        shown_default="the local form, which has no host name",
        help=("The form of messages. Times are those of the lines, in whole seconds; rfc5424micro has microseconds."),
    )
    framing: Option[str | None] = Option(
        name="syslog-framing",
        kind=types.choice(OCTET_COUNTING, "non-transparent"),
        shown_default=f"{OCTET_COUNTING} for RFC 5424 over tcp+tls, else non-transparent, as Docker's driver",
        help=(
            "How messages are told apart in a stream (RFC 6587): each has its length before it, or a newline at its "
            "end. For tcp, tcp+tls and unix only."
        ),
    )
    tls = Nested(_BesidesTlsOptions, "syslog-tls-")

    @property
    def destination(self) -> str:
        """Where it sends to: scheme and address."""
        return str(self.address or "local")

    def check(self) -> Iterator[str]:
        """Yield the framing of what is not a stream."""
        yield from super().check()
        if self.framing and (self.address is None or self.address.scheme in ("udp", "unixgram")):
            given = self.name_of(SyslogOptions.framing)
            yield f"log-opt {quote(given)} needs a syslog-address that is a stream: tcp://, tcp+tls:// or unix://"


OPTIONS = SyslogOptions

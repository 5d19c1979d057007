"""The options of the sink ``fluentd``: those of Docker's driver, and our own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from plugin.config import types
from plugin.config.common_options import LONGEST_RETRY
from plugin.config.parsing import check_host, hint, parse_duration, parse_int, quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.sinks.transport.dial import Address
from plugin.sinks.transport.tls.options import TlsOptions

_DEFAULT_HOST = "127.0.0.1"
_DEFAULT_PORT = 24224
_LAST_PORT = 65_535
_SHORTEST_RETRY = 0.001
_RECONNECT_RANGE = (0.1, 10.0)
_BUFFERED = "the journal is the buffer, bounded by buffer-limit, and never holds a container up"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a Forward server listens, and whether it speaks TLS."""

    address: Address
    tls: bool

    def __str__(self) -> str:
        """Write it as in the option: ``tcp://host:port``."""
        scheme = "unix" if self.address.path else "tls" if self.tls else "tcp"
        return f"{scheme}://{self.address}"


def _parse_address(text: str) -> Server:
    """Read an address as Docker's driver does (``parseAddress`` of its ``fluentd.go``)."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "tcp", text
    if scheme == "unix":
        if not rest.startswith("/") or not rest.strip("/"):
            raise ValueError(f"{quote(text)} names no socket: path is empty (example: unix:///run/fluentd.sock)")
        return Server(Address(path=rest), tls=False)
    if scheme not in ("tcp", "tls"):
        fault = f"unsupported scheme: {quote(scheme)}" if scheme else "missing protocol scheme"
        raise ValueError(
            f"{quote(text)}: {fault} (accepted: tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH)"
            f"{hint('tls' if 'tls' in scheme or 'ssl' in scheme else scheme, ('tls', 'tcp', 'unix')) if scheme else ''}"
        )
    if set(rest) & set("/?#@ "):
        raise ValueError(f"{quote(text)} should not contain a path element, nor anything else but host and port")
    host, port = rest, ""
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        if port and not port.startswith(":"):
            raise ValueError(f"{quote(text)}: invalid port")
        port = port[1:]
    elif ":" in rest:
        host, _, port = rest.rpartition(":")
        if ":" in host:
            raise ValueError(f"{quote(text)}: an IPv6 address is written in brackets, [::1]:24224")
    if port and not (port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise ValueError(f"{quote(text)}: invalid port")
    check_host(host)
    address = Address(host=host or _DEFAULT_HOST, port=int(port or 0) or _DEFAULT_PORT)
    return Server(address, tls=scheme == "tls")


def _parse_reconnect_interval(text: str) -> float:
    seconds = parse_duration(text)
    low, high = _RECONNECT_RANGE
    if seconds and not low <= seconds <= high:
        raise ValueError(f"{quote(text)} is out of range (from 100ms to 10s, or 0)")
    return seconds


def _parse_retry_wait(text: str) -> float:
    return max(_SHORTEST_RETRY, types.duration(maximum=LONGEST_RETRY).parse(text))


class FluentdOptions(SinkOptions):
    """A Forward server, and how it is spoken to."""

    name = "fluentd"
    prefix = "fluentd-"
    help = "Fluentd, Fluent Bit and others that take the Forward protocol."
    acknowledged = (
        "The server has acknowledged each chunk or, with fluentd-request-ack=false, its kernel has taken the bytes."
    )
    defaults: ClassVar[Mapping[str, str]] = {"retry-min": "1s"}

    address = Option(
        name="fluentd-address",
        kind=Kind[Server](parse=_parse_address, accepts="tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH"),
        default="tcp://127.0.0.1:24224",
        help="Where the server listens. Without a scheme it is tcp; host and port have these defaults.",
    )
    request_ack = Option(
        name="fluentd-request-ack",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether the server must acknowledge each chunk (in Docker's driver false). Without, what the server's "
            "kernel has taken counts as delivered, and a server that dies loses what it had not read."
        ),
    )
    sub_second_precision = Option(
        name="fluentd-sub-second-precision",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether times are sent with nanoseconds (EventTime), which every server since Fluentd 0.14 understands "
            "(in Docker's driver false)."
        ),
    )
    compress = Option(
        name="fluentd-compress",
        kind=types.choice("none", "gzip"),
        default="none",
        help="How chunks are compressed: Fluentd since 0.14 and Fluent Bit understand gzip.",
    )
    write_timeout = Option(
        name="fluentd-write-timeout",
        kind=types.duration(maximum=3600),
        default="0s",
        shown_default="30s",
        help="How long the server may take nothing at all before the connection is given up; 0 stands for the default.",
    )
    read_timeout = Option(
        name="fluentd-read-timeout",
        kind=types.duration(maximum=3600),
        default="0s",
        shown_default="30s",
        help="How long to wait for an acknowledgement before the connection is given up; 0 stands for the default.",
    )
    shared_key: Option[Secret | None] = Option(
        name="fluentd-shared-key",
        kind=types.SECRET,
        shown_default="none",
        help="The shared_key of the server's security section (Shared_Key in Fluent Bit), where it has one.",
    )
    username = Option(
        name="fluentd-username",
        kind=types.TEXT,
        default="",
        shown_default="none",
        help="The user, where the server's security section has users beside the shared key.",
    )
    password: Option[Secret | None] = Option(
        name="fluentd-password", kind=types.SECRET, shown_default="none", help="The user's password."
    )
    tls = Nested(TlsOptions, "fluentd-tls-")
    retry_wait: Option[float | None] = Option(
        name="fluentd-retry-wait",
        kind=Kind(parse=_parse_retry_wait, accepts=types.duration().accepts),
        shown_default="1s",
        stands_for="retry-min",
        help="As retry-min.",
    )
    reconnect_interval = Option(
        name="fluentd-async-reconnect-interval",
        kind=Kind[float](parse=_parse_reconnect_interval, accepts="duration from 100ms to 10s, or 0"),
        default="0s",
        shown_default="never",
        help=(
            "After how long a connection is replaced before the next chunk, for a name that stands for several servers."
        ),
    )
    async_: Option[bool | None] = Option(
        name="fluentd-async", kind=types.BOOLEAN, help="Docker's buffer in memory.", superseded=_BUFFERED
    )
    async_connect: Option[bool | None] = Option(
        name="fluentd-async-connect",
        kind=types.BOOLEAN,
        help="The older name of fluentd-async.",
        superseded=_BUFFERED,
    )
    buffer_limit: Option[int | None] = Option(
        name="fluentd-buffer-limit",
        kind=types.size(base=1024),
        help="The size of Docker's buffer in memory.",
        superseded=_BUFFERED,
    )
    max_retries: Option[int | None] = Option(
        name="fluentd-max-retries",
        kind=Kind(parse=lambda text: parse_int(text, 0, 2**32 - 1), accepts="a whole number up to 4294967295"),
        help="After how many attempts Docker's driver drops a line.",
        superseded="what is not acknowledged is sent again for as long as the journal holds it",
    )

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        if not self.address.tls:
            yield from self.tls.check_unused("a fluentd-address that begins with tls://")
        yield from super().check()
        if (self.username or self.password) and not self.shared_key:
            username, password = FluentdOptions.username.name, FluentdOptions.password.name
            yield f"log-opts {quote(username)} and {quote(password)} need {quote(FluentdOptions.shared_key.name)}"

    @property
    def destination(self) -> str:
        """Where it sends to: scheme and address."""
        return str(self.address)


OPTIONS = FluentdOptions

"""The options of the sink ``gelf``: those of Docker's driver."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.transport.address import Target, parse_target


def _parse_address(text: str) -> Target:
    return parse_target(text, ("udp", "tcp"))


class GelfOptions(SinkOptions):
    """A server, and how messages are sent."""

    name = "gelf"
    prefix = "gelf-"
    help = "Sends GELF to Graylog, Logstash or another server that takes it."
    acknowledged = (
        "Over TCP the kernel of the server has the bytes; over UDP nobody acknowledges anything, and a "
        "datagram that is lost is lost."
    )

    address: Option[Target] = Option(
        name="gelf-address",
        kind=Kind(parse=_parse_address, accepts="udp://host:port or tcp://host:port"),
        required=True,
        help="Where the GELF server listens.",
    )
    compression_type: Option[str | None] = Option(
        name="gelf-compression-type",
        kind=types.choice("gzip", "zlib", "none"),
        shown_default="gzip",
        help="How messages are compressed, for UDP only.",
    )
    compression_level: Option[int | None] = Option(
        name="gelf-compression-level",
        kind=types.integer(-1, 9),
        shown_default="1",
        help=(
            "The effort of compression, for UDP only: 1 is the fastest, 9 the best, 0 is none and -1 is zlib's default."
        ),
    )
    tcp_max_reconnect: Option[int | None] = Option(
        name="gelf-tcp-max-reconnect",
        kind=types.integer(0),
        help="How often Docker's driver reconnects before it drops a message, for TCP only.",
        superseded="messages are sent again until they arrive: the journal holds them",
    )
    tcp_reconnect_delay: Option[int | None] = Option(
        name="gelf-tcp-reconnect-delay",
        kind=types.integer(0),
        help="How many seconds Docker's driver waits before it reconnects, for TCP only.",
        superseded="the pause is that of retry-min and retry-max",
    )

    def check(self) -> Iterator[str]:
        """Yield the options that are for the other protocol."""
        of_udp: dict[str, object] = {self.name_of(GelfOptions.compression_type): self.compression_type}
        of_udp[self.name_of(GelfOptions.compression_level)] = self.compression_level
        of_tcp: dict[str, object] = {self.name_of(GelfOptions.tcp_max_reconnect): self.tcp_max_reconnect}
        of_tcp[self.name_of(GelfOptions.tcp_reconnect_delay)] = self.tcp_reconnect_delay
        scheme, others = ("udp", of_udp) if self.address.scheme == "tcp" else ("tcp", of_tcp)
        for name, value in others.items():
            if value is not None:
                yield f"log-opt '{name}' is for {scheme}:// only, and gelf-address is {self.address.scheme}://"

    @property
    def destination(self) -> str:
        """Where it sends to: scheme, host and port."""
        return str(self.address)


OPTIONS = GelfOptions

"""The address on which status and metrics are given besides the plugin's own socket."""

import ipaddress
from dataclasses import dataclass

from plugin.config.parsing import parse_int, quote
from plugin.config.types import Kind

_EXAMPLES = "examples: 127.0.0.1:9464, [::1]:9464"


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An IP address and a TCP port."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this host reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        """Write it as it is given."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _parse(text: str) -> ListenAddress | None:
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"{quote(text)} has no port ({_EXAMPLES})")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise ValueError(f"{quote(host)} is not an IP address ({_EXAMPLES})") from None
    if (address.version == 6) != (bare != host):
        raise ValueError(f"{quote(text)} is not an address (an IPv6 address stands in []; {_EXAMPLES})")
    return ListenAddress(str(address), parse_int(port, 1, 65_535))


LISTEN_ADDRESS: Kind[ListenAddress | None] = Kind(
    parse=_parse, accepts="IP address and port, such as 127.0.0.1:9464; empty = off", keeps_empty=True
)

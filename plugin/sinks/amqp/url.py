"""Where RabbitMQ is: one server, or several of a cluster, and a virtual host, as a URL that may hold a password.

Source: https://www.rabbitmq.com/docs/uri-spec.
"""

from dataclasses import dataclass, field
from typing import final
from urllib.parse import unquote

from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.sinks.transport.address import parse_server
from plugin.sinks.transport.dial import Address

_PORTS = {"amqp": 5672, "amqps": 5671}
_EXAMPLE = "amqp://rabbitmq.example.com:5672"


@final
@dataclass(frozen=True, slots=True)
class AmqpUrl:
    """Servers and how to log in, taken apart so that they can be shown without what is secret.

    ``addresses`` are tried in turn until one answers: several nodes of one cluster.
    """

    addresses: tuple[Address, ...]
    tls: bool = False
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    vhost: str = "/"

    def __repr__(self) -> str:
        """Show the addresses alone."""
        return f"AmqpUrl('{self}')"

    def __str__(self) -> str:
        """Show the addresses alone."""
        return ",".join(map(str, self.addresses))


def parse_amqp_url(text: str) -> AmqpUrl:
    """Read a URL; raises `ValueError`, whose message does not show the text, since it may hold a password."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _PORTS or any(c.isspace() for c in text):
        raise ValueError(f"it is not an amqp:// or amqps:// (TLS) URL (example: {_EXAMPLE})")
    if "?" in rest or "#" in rest:
        raise ValueError("it has a query: heartbeat, timeout and TLS are options of their own, or set by the server")
    login, _, places = rest.rpartition("@")
    hosts, slash, vhost = places.partition("/")
    if "/" in vhost:
        raise ValueError("the / in a virtual host's name must be written %2F (example: amqp://host/%2Flogs)")
    user, _, password = login.partition(":")
    return AmqpUrl(
        tuple(parse_server(host, "amqp", _PORTS[scheme], _EXAMPLE) for host in hosts.split(",")),
        tls=scheme == "amqps",
        user=unquote(user),
        password=Secret(unquote(password)),
        vhost=unquote(vhost) if slash and vhost else "/",
    )


AMQP_URL: Kind[AmqpUrl] = Kind(
    parse=parse_amqp_url,
    accepts="amqp://HOST:PORT/VHOST or amqps://HOST:PORT/VHOST; several HOST:PORT of a cluster with commas",
    # It may hold a password.
    secret=True,
)

"""Where Redis listens: one server, or several of a cluster, as a URL that may hold a password."""

from dataclasses import dataclass, field
from typing import final
from urllib.parse import unquote

from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.sinks.transport.address import parse_server
from plugin.sinks.transport.dial import Address

_DEFAULT_PORT = 6379
_EXAMPLE = "redis://redis.example.com:6379"


@final
@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Servers and how to log in, taken apart so that they can be shown without what is secret.

    ``addresses`` are asked in turn until one answers: several nodes of one cluster.
    """

    addresses: tuple[Address, ...]
    tls: bool = False
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    database: int = 0

    def __repr__(self) -> str:
        """Show the addresses alone."""
        return f"RedisUrl('{self}')"

    def __str__(self) -> str:
        """Show the addresses alone."""
        return ",".join(map(str, self.addresses))


def parse_redis_url(text: str) -> RedisUrl:
    """Read a URL; raises `ValueError`, whose message does not show the text, since it may hold a password."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("redis", "rediss", "unix") or any(c.isspace() for c in text):
        raise ValueError(f"it is not a redis://, rediss:// (TLS) or unix:// URL (example: {_EXAMPLE})")
    if scheme == "unix":
        return _parse_unix(rest)
    login, _, places = rest.rpartition("@")
    hosts, _, path = places.partition("/")
    user, _, password = login.partition(":")
    if path and not (path.isascii() and path.isdigit()):
        raise ValueError(f"what follows the host must be the number of a database (example: {_EXAMPLE}/0)")
    return RedisUrl(
        tuple(parse_server(host, "redis", _DEFAULT_PORT, _EXAMPLE) for host in hosts.split(",")),
        tls=scheme == "rediss",
        user=unquote(user),
        password=Secret(unquote(password)),
        database=int(path or 0),
    )


def _parse_unix(rest: str) -> RedisUrl:
    login, _, path = rest.rpartition("@")
    user, _, password = login.partition(":")
    if not path.startswith("/") or "\0" in path:
        raise ValueError("it does not name a socket (example: unix:///run/redis/redis.sock)")
    return RedisUrl((Address(path=unquote(path)),), user=unquote(user), password=Secret(unquote(password)))


REDIS_URL: Kind[RedisUrl] = Kind(
    parse=parse_redis_url,
    accepts="redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH; several HOST:PORT of a cluster with commas",
    # It may hold a password.
    secret=True,
)

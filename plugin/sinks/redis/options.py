"""The options of the sink ``redis``."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.tag import Tag, compile_tag
from plugin.sinks.redis.url import REDIS_URL, RedisUrl
from plugin.sinks.transport.tls.options import TlsOptions

_DEFAULT_STREAM = "logs:{{.Name}}:{{.ID}}"


class RedisOptions(SinkOptions):
    """A server or a cluster, and the streams there."""

    name = "redis"
    prefix = "redis-"
    help = "Adds entries to streams of Redis, Valkey, or another server with streams and Lua scripts."
    acknowledged = (
        "Redis has added the entries to the stream and, with redis-wait-replicas, that many replicas have them; how "
        "soon it writes to the disk is its own setting (appendfsync)."
    )

    url: Option[RedisUrl] = Option(
        name="redis-url",
        kind=REDIS_URL,
        required=True,
        help=(
            "Where Redis listens, such as rediss://user:password@redis.example.com:6379/0. A cluster is recognized by "
            "its answers: name one node or, with commas, several."
        ),
    )
    stream: Option[Tag] = Option(
        name="redis-stream",
        kind=Kind(parse=compile_tag, accepts="a Go template as tag is"),
        default=_DEFAULT_STREAM,
        help=(
            "The key of the stream, as a template like tag. With {{.ID}} or {{.FullID}} in it each container has a "
            "stream of its own, where no line is repeated; otherwise Redis numbers the entries itself, and a retry "
            "may repeat some."
        ),
    )
    max_length = Option(
        name="redis-max-length",
        kind=types.integer(low=0),
        default="1000000",
        help="How many entries a stream keeps, about (MAXLEN ~): the oldest go, whether read or not. 0 keeps all.",
    )
    metadata = Option(
        name="redis-metadata",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether each entry carries the container's id, name and image, host, tag, Compose and Swarm names, labels "
            "and environment; without, it takes less of Redis's memory."
        ),
    )
    username = Option(
        name="redis-username",
        kind=types.TEXT,
        default="",
        shown_default="the URL's",
        help="The ACL user (Redis 6 and later), where it is not in the URL.",
    )
    password: Option[Secret | None] = Option(
        name="redis-password",
        kind=types.SECRET,
        shown_default="the URL's",
        help="The user's password, or the server's own (requirepass), where it is not in the URL.",
    )
    wait_replicas = Option(
        name="redis-wait-replicas",
        kind=types.integer(low=0),
        default="0",
        help="How many replicas must have the entries before they count as delivered (WAIT).",
    )
    timeout = Option(
        name="redis-timeout",
        kind=types.duration(minimum=0.001, maximum=3600),
        default="30s",
        help="How long the server may take to answer, or to take anything at all, before the connection is given up.",
    )
    tls = Nested(TlsOptions, "redis-tls-")

    @property
    def destination(self) -> str:
        """Where it sends to: the addresses, without user and password."""
        return str(self.url)

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        if not self.url.tls:
            yield from self.tls.check_unused("a redis-url that begins with rediss://")
        yield from super().check()
        if self.username and not (self.password or self.url.password.reveal()):
            yield f"log-opt {quote(RedisOptions.username.name)} needs {quote(RedisOptions.password.name)}"


OPTIONS = RedisOptions

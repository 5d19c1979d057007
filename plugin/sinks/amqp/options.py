"""The options of the sink ``amqp``."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, TagError, compile_tag
from plugin.sinks.amqp.url import AMQP_URL, AmqpUrl
from plugin.sinks.transport.tls.options import TlsOptions

LONGEST_NAME = 255
"""Bytes of the name of an exchange, and of a routing key (AMQP 0-9-1, short strings)."""
_TEMPLATE = Kind(parse=compile_tag, accepts="a Go template as tag is", keeps_empty=True)


class AmqpOptions(SinkOptions):
    """Servers, and where messages go there."""

    name = "amqp"
    prefix = "amqp-"
    help = "Publishes to RabbitMQ, or to another server that speaks AMQP 0-9-1 with publisher confirms."
    acknowledged = (
        "The server has confirmed the message: a quorum queue has it on a majority of its nodes, a durable classic "
        "queue on its node's disk."
    )

    url: Option[AmqpUrl] = Option(
        name="amqp-url",
        kind=AMQP_URL,
        required=True,
        help=(
            "Where the server listens, such as amqps://user:password@rabbitmq.example.com:5671/vhost. Of a cluster "
            "name several nodes: one that does not answer is passed by."
        ),
    )
    exchange: Option[Tag] = Option(
        name="amqp-exchange",
        kind=_TEMPLATE,
        default="",
        shown_default="the default exchange, where the routing key is the name of a queue",
        help="The exchange to publish to, which must be there, as a template like tag.",
    )
    routing_key: Option[Tag] = Option(
        name="amqp-routing-key",
        kind=_TEMPLATE,
        default="logs",
        help="The routing key, as a template like tag: logs.{{.Name}}. A message that no queue takes is not let go.",
    )
    lines_per_message = Option(
        name="amqp-lines-per-message",
        kind=types.integer(low=1, high=100_000),
        default="1",
        help=(
            "How many lines a message holds at most, each an object of JSON on a line of its own (NDJSON); it also "
            "ends at 256 KiB. 500 are up to forty times as fast as 1."
        ),
    )
    metadata = Option(
        name="amqp-metadata",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether each line carries the container's id, name and image, host, tag, Compose and Swarm names, labels "
            "and environment."
        ),
    )
    username = Option(
        name="amqp-username",
        kind=types.TEXT,
        default="",
        shown_default="the URL's, else guest",
        help="The user, where it is not in the URL.",
    )
    password: Option[Secret | None] = Option(
        name="amqp-password",
        kind=types.SECRET,
        shown_default="the URL's, else guest",
        help="The user's password, where it is not in the URL.",
    )
    timeout = Option(
        name="amqp-timeout",
        kind=types.duration(minimum=0.001, maximum=3600),
        default="30s",
        help="How long to wait for a connection, and for the next confirm, before the connection is given up.",
    )
    tls = Nested(TlsOptions, "amqp-tls-")

    @property
    def destination(self) -> str:
        """Where it sends to: the addresses, without user and password."""
        return str(self.url)

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        if not self.url.tls:
            yield from self.tls.check_unused("an amqp-url that begins with amqps://")
        yield from super().check()
        if self.username and not (self.password or self.url.password.reveal()):
            yield f"log-opt {quote(AmqpOptions.username.name)} needs {quote(AmqpOptions.password.name)}"

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why a container has no exchange or routing key."""
        yield from super().check_start(info)
        for option, template in ((AmqpOptions.exchange, self.exchange), (AmqpOptions.routing_key, self.routing_key)):
            try:
                short_text(template.render(info))
            except (TagError, ValueError) as error:
                yield f"log-opt {quote(option.name)}: {error}"


def short_text(text: str) -> str:
    """Return a text that AMQP takes as a name; raises `ValueError` for one that is too long."""
    if len(text.encode(errors="replace")) > LONGEST_NAME:
        raise ValueError(f"{quote(text[:40] + '…')} is longer than {LONGEST_NAME} bytes")
    return text.encode(errors="replace").decode()


OPTIONS = AmqpOptions

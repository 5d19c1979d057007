"""``amqp``: RabbitMQ, and other servers with AMQP 0-9-1 and publisher confirms.

Protocol: https://www.rabbitmq.com/docs/confirms.
"""

from collections.abc import Sequence
from itertools import islice

from plugin.config.secrets import Secret
from plugin.docker.tag import TagError
from plugin.sinks.amqp.connection import AmqpConnection
from plugin.sinks.amqp.encoder import Route, encode_messages, make_route, messages
from plugin.sinks.amqp.options import AmqpOptions, short_text
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.container_members import members_of_container

_GUEST = "guest"
_ATTRIBUTES = Bounds(size=256 * 1024, value=64 * 1024)


class AmqpSink(Sink[Route]):
    """Publishes persistent, mandatory messages; acknowledged by the confirm of each."""

    declaration = AmqpOptions

    def __init__(self, options: AmqpOptions) -> None:
        """Take the options; see `Sink`."""
        url = options.url
        self._label = f"amqp@{options.destination}"
        self._exchange = options.exchange
        self._routing_key = options.routing_key
        self._most_lines = options.lines_per_message
        self._metadata = options.metadata
        login = (options.username or url.user or _GUEST, options.password or url.password or Secret(""))
        if not login[1].reveal():
            login = (login[0], Secret(_GUEST))
        tls = options.tls.open() if url.tls else None
        self._connection = AmqpConnection(url.addresses, url.vhost, login, tls, options.timeout)
        self._failed: tuple[bytes, int] = (b"", 0)

    def prepare(self, origin: Origin) -> Route:
        """Make exchange and routing key, and the fields that all lines of a container share."""
        origin = bounded(origin, self._label, _ATTRIBUTES)
        info = origin.info
        try:
            exchange = short_text(self._exchange.render(info))
            routing_key = short_text(self._routing_key.render(info))
        except (TagError, ValueError) as error:
            raise MisconfiguredError(
                f"amqp-exchange or amqp-routing-key cannot be used for this container: {error}"
            ) from error
        fields = members_of_container(origin) if self._metadata else {}
        return make_route(exchange, routing_key, f"{info.id}-{origin.birth:x}-", fields)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode messages."""
        return encode_messages(records, self._most_lines)

    async def send(self, payload: bytes) -> None:
        """Publish the messages; return when all are confirmed.

        Those at the beginning of a payload that failed are not published again with it, if they were confirmed.
        """
        failed, done = self._failed
        if failed != payload:
            done = 0

        def note(count: int) -> None:
            self._failed = payload, done + count

        note(0)
        await self._connection.publish(list(islice(messages(payload), done, None)), note)
        self._failed = b"", 0

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


SINK = AmqpSink

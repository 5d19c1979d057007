"""``kafka``: records in topics of Kafka, and of servers that speak as it does."""

import re
from collections.abc import Sequence

from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.container_members import members_of_container
from plugin.sinks.kafka.connection import KafkaConnection, Login, Producing
from plugin.sinks.kafka.encoder import Container, Shape, encode_runs, make_container
from plugin.sinks.kafka.options import KafkaOptions
from plugin.sinks.kafka.publisher import Publisher

# Topics take 1 MB where nobody has set more, and a line alone must fit.
_ATTRIBUTES = Bounds(size=256 * 1024, value=256 * 1024)
_NOT_IN_TOPICS = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_TOPIC = 249
_MOST_BYTES = 256 * 1024


class KafkaSink(Sink[Container]):
    """Produces a message for each line or some lines; acknowledged when all replicas in sync have it."""

    declaration = KafkaOptions

    def __init__(self, options: KafkaOptions) -> None:
        """Take the options; see `Sink`."""
        tls = options.tls.open() if options.use_tls else None
        login = Login(options.username, options.password, options.sasl_mechanism.upper())
        compression = None if options.compression == "none" else options.compression
        producing = Producing(compression=compression, most_bytes=options.max_batch_bytes, limit=options.timeout)
        self._topic = options.topic
        self._key = options.key
        self._shape = Shape(
            as_json=options.format == "json",
            most=options.lines_per_message,
            room=min(_MOST_BYTES, options.max_batch_bytes),
        )
        self._metadata = options.metadata
        self._label = f"kafka@{options.destination}"
        connection = KafkaConnection(options.brokers.addresses, login, tls, producing)
        self._publisher = Publisher(connection, options.timeout)

    def prepare(self, origin: Origin) -> Container:
        """Make the topic, the key, the headers, and the fields that all lines of a container share."""
        origin = bounded(origin, self._label, _ATTRIBUTES)
        info = origin.info
        fields = members_of_container(origin) if self._metadata else {}
        topic = topic_of(self._topic.render(info))
        if not topic:
            raise MisconfiguredError("kafka-topic gives no topic for this container: it renders to nothing")
        headers = {"container_id": info.container_id}
        if not self._shape.as_json:
            headers |= {"container_name": info.name}
        return make_container(
            topic,
            self._key.render(info).encode(errors="replace"),
            f"{info.container_id}-{origin.birth:x}",
            headers,
            fields,
            as_json=self._shape.as_json,
        )

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode the records, container by container as they come."""
        return encode_runs(records, self._shape)

    async def send(self, payload: bytes) -> None:
        """Produce the records; return when all are acknowledged."""
        await self._publisher.send(payload)

    async def close(self) -> None:
        """Close the producer."""
        await self._publisher.close()


def topic_of(rendered: str) -> str:
    """Make a text a topic: what no topic's name may contain becomes ``_``, and ``.`` and ``..`` are none."""
    topic = _NOT_IN_TOPICS.sub("_", rendered)[:_LONGEST_TOPIC]
    return "" if topic in (".", "..") else topic


SINK = KafkaSink

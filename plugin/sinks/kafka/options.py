"""The options of the sink ``kafka``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plugin.config import types
from plugin.config.parsing import parse_int, quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.tag import Tag, compile_tag
from plugin.sinks.transport.address import split_host
from plugin.sinks.transport.dial import Address
from plugin.sinks.transport.tls.options import TlsOptions

_DEFAULT_PORT = 9092
_LAST_PORT = 65_535
_EXAMPLE = "kafka1.example.com:9092,kafka2.example.com:9092"
_NOT_IN_TOPICS = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Brokers:
    """Brokers of one cluster; it is enough that one of them answers."""

    addresses: tuple[Address, ...]

    def __str__(self) -> str:
        """Write the addresses with commas."""
        return ",".join(map(str, self.addresses))


def parse_brokers(text: str) -> Brokers:
    """Read ``host:port``, several with commas; raises `ValueError` for what is none."""
    return Brokers(tuple(_parse_broker(part.strip()) for part in text.split(",")))


def _parse_broker(text: str) -> Address:
    if "://" in text or "@" in text or "/" in text or any(c.isspace() for c in text):
        raise ValueError(
            f"a broker is named by host and port alone (example: {_EXAMPLE}); TLS and login have options of their own"
        )
    host, port = split_host(text, f"[::1]:{_DEFAULT_PORT}")
    if not host or (port is not None and not port.isdigit()):
        raise ValueError(f"{quote(text)} does not name host and port of a broker (example: {_EXAMPLE})")
    return Address(host, _DEFAULT_PORT if port is None else parse_int(port, 1, _LAST_PORT))


def _parse_topic(text: str) -> Tag:
    literal = re.sub(r"\{\{.*?\}\}", "", text, flags=re.DOTALL)
    if wrong := _NOT_IN_TOPICS.search(literal):
        raise ValueError(
            f"{quote(text)} is not a topic: it may hold letters, digits, '.', '_' and '-', not {quote(wrong.group())}"
        )
    return compile_tag(text)


class KafkaOptions(SinkOptions):
    """Brokers, and the topics there."""

    name = "kafka"
    prefix = "kafka-"
    help = "Produces to topics of Kafka, Redpanda, or another server that speaks Kafka's protocol."
    acknowledged = "All replicas that are in sync have the record (acks=all)."

    brokers: Option[Brokers] = Option(
        name="kafka-brokers",
        kind=Kind(parse=parse_brokers, accepts="HOST:PORT, several with commas"),
        required=True,
        help=f"Some brokers of the cluster, such as {_EXAMPLE}; they name the others.",
    )
    topic: Option[Tag] = Option(
        name="kafka-topic",
        kind=Kind(parse=_parse_topic, accepts="a topic, a Go template as tag is"),
        default="logs",
        help=(
            "The topic of a container's lines, as a template like tag; what no topic's name may contain becomes _. "
            "The topic must exist, unless the brokers create topics by themselves."
        ),
    )
    key: Option[Tag] = Option(
        name="kafka-key",
        kind=Kind(parse=compile_tag, accepts="a Go template as tag is"),
        default="{{.FullID}}",
        help=(
            "The key of each record, as a template like tag. Records of one key are in one partition, in order; by "
            "default the container's id."
        ),
    )
    format = Option(
        name="kafka-format",
        kind=types.choice("json", "text"),
        default="json",
        help="json: an object for each line. text: the line alone, byte for byte; headers then name what it is of.",
    )
    lines_per_message = Option(
        name="kafka-lines-per-message",
        kind=types.integer(low=1, high=100_000),
        default="1",
        help=(
            "How many lines a record holds at most, each an object of JSON on a line of its own (NDJSON); it also ends "
            "at 256 KiB or kafka-max-batch-bytes. 500 costs a fraction, for consumers that can take them apart."
        ),
    )
    metadata = Option(
        name="kafka-metadata",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether each object carries the container's id, name and image, host, tag, Compose and Swarm names, "
            "labels and environment; the headers name the container in any case."
        ),
    )
    compression = Option(
        name="kafka-compression",
        kind=types.choice("none", "gzip", "snappy", "lz4", "zstd"),
        default="lz4",
        help="How batches of records are compressed; zstd needs brokers and consumers of version 2.1 or later.",
    )
    max_batch_bytes = Option(
        name="kafka-max-batch-bytes",
        kind=types.size(minimum=1_000, maximum=100_000_000),
        default="900k",
        help=(
            "How large the records that a partition is sent at once may be before compression: no more than the "
            "topic's max.message.bytes (1 MB where nobody has set it)."
        ),
    )
    username = Option(name="kafka-username", kind=types.TEXT, default="", shown_default="none", help="The user.")
    password: Option[Secret | None] = Option(
        name="kafka-password", kind=types.SECRET, shown_default="none", help="The user's password."
    )
    sasl_mechanism = Option(
        name="kafka-sasl-mechanism",
        kind=types.choice("plain", "scram-sha-256", "scram-sha-512", any_case=True),
        default="plain",
        help="How to log in where there is a kafka-username. plain sends the password itself: use it with kafka-tls.",
    )
    timeout = Option(
        name="kafka-timeout",
        kind=types.duration(minimum=0.1, maximum=3600),
        default="30s",
        help="How long to wait for a connection, and for the acknowledgement of a batch.",
    )
    use_tls = Option(
        name="kafka-tls", kind=types.BOOLEAN, default="false", help="Whether the brokers are spoken to by TLS."
    )
    tls = Nested(TlsOptions, "kafka-tls-")

    @property
    def destination(self) -> str:
        """Where it sends to: the brokers that were named."""
        return str(self.brokers)

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        declared = KafkaOptions
        if not self.use_tls:
            yield from self.tls.check_unused(f"{declared.use_tls.name}=true")
        yield from super().check()
        if self.lines_per_message > 1 and self.format != "json":
            yield f"log-opt {quote(declared.lines_per_message.name)} needs {quote(declared.format.name)} json"
        if bool(self.username) != (self.password is not None):
            given, missing = declared.username.name, declared.password.name
            if not self.username:
                given, missing = missing, given
            yield f"log-opt {quote(given)} needs {quote(missing)}"


OPTIONS = KafkaOptions

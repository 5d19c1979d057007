"""A Kafka cluster of three brokers: librdkafka's mock, which is not ours, read back by confluent-kafka's consumer.

The sink reaches it through proxies, which can go down, freeze, break connections, speak TLS and ask for a login; what
brokers say of where they listen is changed to lead there. The consumer goes to the brokers themselves.
"""

import contextlib
import ctypes
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds
from tests.testbed.tcp_proxy import Greet, TcpProxy

PARTITIONS = 4
UNKNOWN_TOPIC, TOO_LARGE, NOT_LEADER, UNAUTHORIZED_TOPIC, OUT_OF_ORDER = 3, 10, 6, 29, 45
PRODUCE = 0
_HOST = b"127.0.0.1"


def _library() -> ctypes.CDLL:
    (path,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*")
    library = ctypes.CDLL(str(path))
    pointers = ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new")
    for name in pointers:
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


@dataclass(frozen=True)
class Message:
    """A record as a consumer gets it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    time: int
    """Milliseconds since 1970 UTC."""


class KafkaCluster:
    """Three brokers with the topic ``logs``; ``greet`` is what a client must get through first."""

    def __init__(self, greet: Greet | None = None) -> None:
        self._library = _library()
        error = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._library.rd_kafka_conf_set(conf, b"log_level", b"0", error, len(error))
        self._handle = ctypes.c_void_p(self._library.rd_kafka_new(0, conf, error, len(error)))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._handle, 3))
        self.brokers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        ports = [int(broker.rpartition(":")[2]) for broker in self.brokers.split(",")]
        self._ports = {_HOST + struct.pack(">i", port): b"" for port in ports}
        self.proxies = [TcpProxy(port, greet, self._lead_here) for port in ports]
        for known, proxy in zip(self._ports, self.proxies, strict=True):
            self._ports[known] = _HOST + struct.pack(">i", proxy.port)
        self.add_topic("logs")
        self._readers: list[_Reader] = [_Reader(self.brokers, "logs")]
        self.start()

    @property
    def address(self) -> str:
        """Where the sink finds it: all brokers."""
        return ",".join(proxy.address for proxy in self.proxies)

    def add_topic(self, name: str, partitions: int = PARTITIONS) -> None:
        """Make a topic."""
        assert not self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 3)

    def break_topic(self, name: str, error: int) -> None:
        """Have brokers answer with an error when they are asked where a topic is."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), error)

    def refuse(self, *answers: int) -> None:
        """Answer the next batches with these errors, 0 for none."""
        self._library.rd_kafka_mock_push_request_errors(
            self._cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(len(answers)), *map(ctypes.c_int, answers)
        )

    def lead(self, partition: int, broker: int) -> None:
        """Have another broker lead a partition of ``logs``."""
        self._library.rd_kafka_mock_partition_set_leader(self._cluster, b"logs", partition, broker)

    def start(self) -> None:
        """Be there."""
        for proxy in self.proxies:
            proxy.start()

    def stop(self) -> None:
        """Go down; what was stored stays."""
        for proxy in self.proxies:
            proxy.stop()

    def freeze(self) -> None:
        """Answer nothing."""
        for proxy in self.proxies:
            proxy.freeze()

    def thaw(self) -> None:
        """Go on."""
        for proxy in self.proxies:
            proxy.thaw()

    def close(self) -> None:
        """End it."""
        for proxy in self.proxies:
            proxy.close()
        for reader in self._readers:
            reader.close()
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def reader(self, topic: str) -> "_Reader":
        """Read another topic, too."""
        self._readers.append(_Reader(self.brokers, topic))
        return self._readers[-1]

    @property
    def messages(self) -> list[Message]:
        """What consumers of ``logs`` have got until now, partition by partition in order."""
        return list(self._readers[0].messages)

    @property
    def received(self) -> list[Received]:
        """All lines that have arrived until now."""
        return [line for message in self.messages for line in _received(message)]

    def _lead_here(self, piece: bytes) -> bytes:
        for known, ours in self._ports.items():
            piece = piece.replace(known, ours)
        return piece


class _Reader:
    """A consumer that reads a topic from its beginning, until it is closed."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.messages: list[Message] = []
        self._consumer = Consumer(
            {"bootstrap.servers": brokers, "group.id": "tests", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        )
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._ends.is_set():
            for message in self._consumer.consume(1_000, timeout=0.02):
                if message.error() is None:
                    self.messages.append(_message(message))


def _message(message: Any) -> Message:
    return Message(
        message.topic(),
        message.partition(),
        message.key(),
        message.value(),
        dict(message.headers() or ()),
        message.timestamp()[1],
    )


def _received(message: Message) -> list[Received]:
    if "source" in message.headers:
        name, source = message.headers["container_name"].decode(), message.headers["source"].decode()
        return [Received(name, source, message.value, message.time * 1_000_000)]
    objects = [json.loads(line) for line in message.value.split(b"\n")]
    return [Received(o["container_name"], o["source"], o["log"].encode(), nanoseconds(o["timestamp"])) for o in objects]


@contextlib.contextmanager
def kafka_cluster(greet: Greet | None = None) -> Iterator[KafkaCluster]:
    """Run a cluster of the test's own."""
    cluster = KafkaCluster(greet)
    try:
        yield cluster
    finally:
        cluster.close()

"""kafka in the conformance suite: three brokers of librdkafka's, read by its consumer."""

from tests.sinks.conformance import SECRET, Entry, as_text
from tests.sinks.kafka.receiver import kafka_cluster

ENTRIES = (
    Entry(
        "kafka",
        lambda at: {"kafka-brokers": at.address},
        lambda _: kafka_cluster(),
        as_text,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="kafka-timeout",
        secret_options=lambda _: {"kafka-username": "user", "kafka-password": SECRET},
    ),
    Entry(
        "kafka batched",
        lambda at: {"kafka-brokers": at.address, "kafka-lines-per-message": "7"},
        lambda _: kafka_cluster(),
        as_text,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="kafka-timeout",
    ),
    Entry(
        "kafka text",
        lambda at: {"kafka-brokers": at.address, "kafka-format": "text", "kafka-compression": "zstd"},
        lambda _: kafka_cluster(),
        lambda line: line,
        resolution=1_000_000,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="kafka-timeout",
    ),
)

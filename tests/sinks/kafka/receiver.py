"""The receiver of the sink kafka is librdkafka's mock cluster."""

from tests.sinks.kafka.cluster import kafka_cluster

__all__ = ["kafka_cluster"]

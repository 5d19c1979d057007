"""The receiver of the sink amqp is RabbitMQ itself, as Debian ships it."""

from tests.sinks.amqp.server import rabbitmq

__all__ = ["rabbitmq"]

"""amqp in the conformance suite: against the real server."""

from tests.sinks.amqp.receiver import rabbitmq
from tests.sinks.conformance import SECRET, Entry, as_text

ENTRIES = (
    Entry(
        "amqp",
        lambda at: {"amqp-url": f"amqp://{at.address}", "amqp-routing-key": at.name, "amqp-lines-per-message": "500"},
        rabbitmq,
        as_text,
        faults=frozenset({"down", "frozen", "silent"}),
        patience="amqp-timeout",
        secret_options=lambda at: {"amqp-url": f"amqp://user:{SECRET}@{at.address}", "amqp-password": SECRET},
    ),
)

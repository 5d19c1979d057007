"""redis in the conformance suite: against the real server."""

from tests.sinks.conformance import SECRET, Entry
from tests.sinks.redis.receiver import redis_server

ENTRIES = (
    Entry(
        "redis",
        lambda at: {"redis-url": f"redis://{at.address}"},
        redis_server,
        lambda line: line,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="redis-timeout",
        secret_options=lambda at: {"redis-url": f"redis://user:{SECRET}@{at.address}", "redis-password": SECRET},
        exactly_once=True,
    ),
    Entry(
        "redis shared stream",
        lambda at: {"redis-url": f"redis://{at.address}", "redis-stream": "logs", "redis-wait-replicas": "0"},
        redis_server,
        lambda line: line,
        faults=frozenset({"down", "frozen", "silent", "cuts"}),
        patience="redis-timeout",
    ),
)

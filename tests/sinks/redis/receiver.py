"""The receiver of the sink redis is Redis itself, as Debian ships it."""

from tests.sinks.redis.server import redis_server

__all__ = ["redis_server"]

"""The receiver of the sink nats is nats-server itself, as Debian ships it."""

from tests.sinks.nats.server import nats_server

__all__ = ["nats_server"]

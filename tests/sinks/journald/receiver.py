"""The receiver of the sink journald is journald itself, as Debian ships it."""

from tests.sinks.journald.server import journald

__all__ = ["journald"]

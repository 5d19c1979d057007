"""Replacing a sink when a file that its options name for a secret holds another one."""

import logging
from collections.abc import Callable
from typing import Any

from plugin.config.options import SinkChoice
from plugin.delivery.descriptors import Connections
from plugin.errors import PeaveyError
from plugin.sinks.base import MisconfiguredError, Sink
from plugin.sinks.registry import make_sink

logger = logging.getLogger(__name__)


class Renewal:
    """Remembers the secrets of a sink that was made of ``choice``, one of the sinks that log-opts choose.

    ``read_again`` reads the log-opts that choose them once more, and returns all of these sinks.
    """

    def __init__(self, choice: SinkChoice, read_again: Callable[[], tuple[SinkChoice, ...]]) -> None:
        self._instance = choice.instance
        self._read_again = read_again
        self._secrets = choice.secrets_from_files

    def renewed(self) -> Sink[Any] | None:
        """Return a new sink if a secret has changed, None if not.

        Raises ``MisconfiguredError`` if a file cannot be used now.
        """
        if not self._secrets:
            return None
        choice = next(choice for choice in self._read_again() if choice.instance == self._instance)
        if choice.faults:
            raise MisconfiguredError("; ".join(choice.faults))
        secrets = choice.secrets_from_files
        if secrets == self._secrets:
            return None
        sink = make_sink(choice)
        self._secrets = secrets
        return sink


class CurrentSink:
    """The sink of the destination that the log calls ``name``, replaced once ``renewed`` returns another.

    ``connections`` are those of all destinations, whose number is bounded.
    """

    def __init__(
        self,
        name: str,
        sink: Sink[Any],
        renewed: Callable[[], Sink[Any] | None],
        connections: Connections | None = None,
    ) -> None:
        self.current = sink
        self._connections = connections
        self._name = name
        self._renewed = renewed

    async def send(self, payload: bytes) -> None:
        """Send an encoded batch, once it may be connected; see `Sink`."""
        if self._connections is None:
            await self.current.send(payload)
            return
        await self._connections.begin(self)
        try:
            await self.current.send(payload)
        finally:
            self._connections.end(self)

    async def close(self) -> None:
        """Close its connections."""
        await self.current.close()

    async def end(self) -> None:
        """Close its connections for good."""
        if self._connections is not None:
            self._connections.forget(self)
        await self.close()

    async def renew(self) -> bool:
        """Replace the sink if a secret of it has changed; return whether it was."""
        try:
            sink = self._renewed()
        except PeaveyError as error:
            logger.warning("destination %s: cannot reload its secrets: %s", self._name, error)
            return False
        if sink is None:
            return False
        logger.info("destination %s: a secret has changed; the new one is in use", self._name)
        before, self.current = self.current, sink
        await before.close()
        return True

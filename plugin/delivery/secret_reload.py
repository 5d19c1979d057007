"""Making a sink anew when a file that its options name for a secret holds another one."""

from collections.abc import Mapping
from typing import Any

from plugin.config.options import SinkChoice, validate_leniently
from plugin.sinks.base import MisconfiguredError, Sink
from plugin.sinks.registry import make_sink, schema


class Renewal:
    """Remembers the secrets of a sink that was made of ``choice``, one of the sinks that log-opts choose.

    ``options`` and ``defaults`` are the container's own log-opts and the plugin-wide ones.
    """

    def __init__(self, choice: SinkChoice, options: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._instance = choice.instance
        self._options = options
        self._defaults = defaults
        self._secrets = choice.secrets_from_files

    def renewed(self) -> Sink[Any] | None:
        """Return the sink anew if a secret has changed, None if not.

        Raises ``MisconfiguredError`` if a file cannot be used now.
        """
        if not self._secrets:
            return None
        sinks = validate_leniently(self._options, self._defaults, schema())[0].sinks
        choice = next(choice for choice in sinks if choice.instance == self._instance)
        if choice.faults:
            raise MisconfiguredError("; ".join(choice.faults))
        secrets = choice.secrets_from_files
        if secrets == self._secrets:
            return None
        sink = make_sink(choice)
        self._secrets = secrets
        return sink

"""What makes a destination: containers whose choices have the same key share it."""

from dataclasses import dataclass
from typing import Any

from plugin.config.options import SinkChoice
from plugin.config.secrets import Secret

Key = tuple[Any, ...]
"""The sink, its options as they were written, and how to batch. It holds secrets."""


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How to batch and retry; seconds and bytes of journal."""

    batch_wait: float
    batch_size: int
    retry_min: float
    retry_max: float

    @classmethod
    def of(cls, choice: SinkChoice) -> "DeliverySettings":
        """Take them from the log-opts of a container's sink."""
        return cls(
            batch_wait=choice.delivery.batch_wait,
            batch_size=choice.delivery.batch_size,
            retry_min=choice.delivery.retry_min,
            retry_max=choice.delivery.retry_max,
        )


def destination_key(choice: SinkChoice) -> Key:
    """Return the key of the destination of a container's sink.

    A secret that is named by its file counts by the file's name: what the file holds may change.
    """
    written = {name: text.reveal() if isinstance(text, Secret) else text for name, text in choice.raw.items()}
    return choice.sink, tuple(sorted(written.items())), DeliverySettings.of(choice)

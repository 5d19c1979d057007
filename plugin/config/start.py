"""Where sinks begin in a journal that is there already, as people write it."""

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.profiles import BEGINNING

_DURATION = types.duration()


def parse_start(text: str) -> float:
    """Read ``now``, ``beginning`` or a duration: how far back, in seconds, or `BEGINNING`. Raises `ValueError`."""
    if text == "now":
        return 0.0
    if text == "beginning":
        return BEGINNING
    try:
        return _DURATION.parse(text)
    except ValueError:
        raise ValueError(f"{quote(text)} is not now, beginning or a duration such as 1h") from None

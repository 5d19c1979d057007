"""The plugin-wide defaults of log-opts: a JSON object of texts, as ``PEAVEY_LOG_OPTS`` holds it."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from plugin.config.parsing import quote

_EXAMPLE = '{"max-size": "50m", "labels": "team,app"}'


def parse_defaults(text: str) -> Mapping[str, str]:
    """Read a JSON object of texts; numbers and booleans stand for their own text.

    Raises `ValueError`, without showing a value: they may hold secrets.
    """
    try:
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=tuple)
    except json.JSONDecodeError as error:
        # Not as the cause, which holds the whole text.
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1} (expected: {_EXAMPLE})") from None
    except RecursionError:
        raise ValueError(f"JSON that is nested too deep (expected: {_EXAMPLE})") from None
    if not isinstance(found, tuple):
        raise ValueError(f"JSON, but not an object (expected: {_EXAMPLE})")  # noqa: TRY004 — the text is at fault
    # Objects were read as tuples of their members, so that two of the same name show.
    defaults: dict[str, str] = {}
    for name, value in found:
        if name in defaults:
            raise ValueError(f"{quote(name)} is there twice")
        defaults[name] = _text(name, value)
    return MappingProxyType(defaults)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    raise ValueError(f"the value of {quote(name)} is not a text, a number, true or false")

"""The plugin-wide defaults of log-opts: a JSON object of texts, as ``PEAVEY_LOG_OPTS`` holds it."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from plugin.config.parsing import quote

_LARGEST = 1024 * 1024
_EXAMPLE = '{"max-size": "50m", "labels": "team,app"}'


def parse_defaults(text: str) -> Mapping[str, str]:
    """Read a JSON object of texts, or a file of one if it is ``@FILE``; numbers and booleans stand for their own text.

    Raises `ValueError`, without showing a value: they may hold secrets.
    """
    if text.startswith("@"):
        text = _content(Path(text[1:]))
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


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {quote(str(path))}: {getattr(error, 'strerror', 'not UTF-8 text')}") from None
    if len(content) > _LARGEST:
        raise ValueError(f"{quote(str(path))} has more than {_LARGEST:,} characters")
    return content


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    raise ValueError(f"the value of {quote(name)} is not a text, a number, true or false")

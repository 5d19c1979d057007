"""Bounds of what goes along with every line of a container, so that no choice of it makes a destination refuse all.

Patterns such as ``env-regex=.`` choose hundreds of variables, and one may hold a hundred kilobytes.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from plugin.config.parsing import quote
from plugin.sinks.base import Origin

logger = logging.getLogger(__name__)

_LONGEST_TAG = 4096
_NAMED = 10
_MOST_TOLD = 10_000
_told: OrderedDict[tuple[str, str, tuple[str, ...]], None] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What fits: bytes of all names and values together, bytes of one value, and how many there may be."""

    size: int
    value: int
    count: int = 1_000


def fitting(values: Mapping[str, str], bounds: Bounds) -> dict[str, str]:
    """Return those values, in order, that fit the bounds; one that does not fit leaves room for those behind it."""
    chosen: dict[str, str] = {}
    size = 0
    for name, value in values.items():
        length = len(value.encode(errors="replace"))
        if len(chosen) < bounds.count and length <= bounds.value:
            total = size + len(name.encode(errors="replace")) + length
            if total <= bounds.size:
                chosen[name] = value
                size = total
    return chosen


def bounded(origin: Origin, destination: str, bounds: Bounds) -> Origin:
    """Return an origin whose attributes fit the bounds, and whose tag is at most 4 KiB long; all of it can be encoded.

    The log names once what is left out for a ``destination``, such as ``gelf@logs:12201``.
    """
    attributes = fitting(origin.attributes, bounds)
    tell_left_out(origin, destination, origin.attributes.keys() - attributes.keys())
    attributes = {_encodable(name): _encodable(value) for name, value in attributes.items()}
    tag = cut(_encodable(origin.tag), _LONGEST_TAG)
    if attributes == origin.attributes and tag == origin.tag:
        return origin
    return replace(origin, attributes=attributes, tag=tag)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no encoding takes."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def cut(text: str, longest: int) -> str:
    """Return a text, or as much of its beginning as ``longest`` bytes of UTF-8 hold."""
    if len(text) * 4 <= longest or len(encoded := text.encode(errors="replace")) <= longest:
        return text
    return encoded[:longest].decode(errors="ignore")


def tell_left_out(origin: Origin, destination: str, names: Iterable[str]) -> None:
    """Log the names of labels and variables that are not sent with a container's lines, once."""
    left_out = tuple(sorted(names))
    key = (origin.info.container_id, destination, left_out)
    if not left_out or key in _told:
        return
    _told[key] = None
    if len(_told) > _MOST_TOLD:
        _told.popitem(last=False)
    shown = ", ".join(quote(name) for name in left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    logger.warning(
        "container %s (%s), destination %s: labels or variables are left out, it takes no more: %s%s",
        origin.info.name,
        origin.info.id,
        destination,
        shown,
        more,
    )

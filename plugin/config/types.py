"""Kinds of values: a parser together with the words that say what it accepts.

An option or a setting is declared with a kind, so that its validation and its line in the reference cannot disagree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from plugin.config import parsing
from plugin.config.files import check_readable
from plugin.config.parsing import quote
from plugin.config.secrets import Secret

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Kind(Generic[T_co]):
    """What the value of an option or a setting may be."""

    parse: Callable[[str], T_co]
    """Takes the text; raises `ValueError` with a message for the person who wrote it."""
    accepts: str
    """What the parser accepts, for the reference: ``size such as 512k, 20m, 1g``."""
    allowed: tuple[str, ...] = ()
    """The only texts that are accepted, where they can be listed."""
    keeps_empty: bool = False
    """Whether an empty text is a value; otherwise it stands for the default."""
    secret: bool = False
    """Whether the text must never be shown; the parser then gives a `Secret`."""
    permit: Callable[[Any], None] | None = None
    """Takes a value that was parsed; raises `ValueError` if the settings of this process forbid to use it."""


TEXT: Kind[str] = Kind(parse=str, accepts="text", keeps_empty=True)

SECRET: Kind[Secret] = Kind(parse=Secret, accepts="text", secret=True)

BOOLEAN: Kind[bool] = Kind(parse=parsing.parse_bool, accepts="true or false", allowed=("true", "false"))


LARGEST_SIZE = 10**15
"""Bytes: more than any disk that a journal is on."""
LONGEST_DURATION = 10 * 365 * 24 * 3600.0
"""Seconds; beyond it, reckoning with times leaves the calendar."""
LARGEST_INTEGER = 2**31 - 1


def size(base: int = 1000, minimum: int = 0, maximum: int = LARGEST_SIZE) -> Kind[int]:
    """Sizes in bytes from ``minimum`` to ``maximum``, their units to the base 1000 or 1024."""

    def parse(text: str) -> int:
        number = parsing.parse_size(text, base)
        if number < minimum:
            raise ValueError(f"{quote(text)} is too small (at least {minimum:,} {'byte' if minimum == 1 else 'bytes'})")
        if number > maximum:
            raise ValueError(f"{quote(text)} is too large (at most {maximum:,} bytes)")
        return number

    return Kind(parse=parse, accepts=f"size such as 512k, 20m, 1g (k = {base})")


def duration(minimum: float = 0.0, maximum: float = LONGEST_DURATION) -> Kind[float]:
    """Durations in seconds from ``minimum`` to ``maximum`` seconds."""

    def parse(text: str) -> float:
        seconds = parsing.parse_duration(text)
        if seconds < minimum:
            least = f"at least {minimum:g}s" if minimum else "must not be negative"
            raise ValueError(f"{quote(text)} is too short ({least})")
        if seconds > maximum:
            raise ValueError(f"{quote(text)} is too long (at most {maximum / 3600:g}h)")
        return seconds

    return Kind(parse=parse, accepts="duration such as 500ms, 10s, 1m30s, 168h")


def integer(low: int | None = None, high: int | None = None) -> Kind[int]:
    """Whole numbers from ``low`` to ``high``, both included, and never beyond 31 bits where there is no ``high``."""

    def parse(text: str) -> int:
        number = parsing.parse_int(text, low, high)
        if high is None and abs(number) > LARGEST_INTEGER:
            raise ValueError(f"{quote(text)} is out of range (at most {LARGEST_INTEGER})")
        return number

    return Kind(parse=parse, accepts=parsing.whole_number(low, high))


def choice(*allowed: str, any_case: bool = False) -> Kind[str]:
    """One of a few words, given in lower case where ``any_case`` lets it be written otherwise."""

    def parse(text: str) -> str:
        return parsing.parse_choice(text.lower() if any_case else text, allowed)

    return Kind(parse=parse, accepts=" or ".join(allowed), allowed=allowed)


def _parse_path(text: str) -> Path:
    if "\0" in text:
        raise ValueError(f"{quote(text)} is not a path (it holds a NUL)")
    return Path(text).absolute()


PATH: Kind[Path] = Kind(parse=_parse_path, accepts="path")

FILE: Kind[Path] = Kind(parse=_parse_path, accepts="path", permit=check_readable)
"""A file that is read; `plugin.config.files` says how."""

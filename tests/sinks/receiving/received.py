"""What arrived at a receiver, joined and compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Received:
    """A line, or a part of one, as a destination has it; ``time`` in nanoseconds since 1970 UTC.

    ``connection`` counts the receiver's connections, also over its restarts.
    """

    container: str
    source: str
    line: bytes
    time: int
    is_part: bool = False
    connection: int = 0


def joined(records: Sequence[Received]) -> list[Received]:
    """Join the parts of lines, container by container and source by source."""
    held: dict[tuple[str, str], Received] = {}
    whole = []
    for record in records:
        key = record.container, record.source
        before = held.pop(key, None)
        line = record if before is None else replace(before, line=before.line + record.line)
        if record.is_part:
            held[key] = line
        else:
            whole.append(replace(line, is_part=False))
    return whole


@dataclass(frozen=True)
class Once:
    """Lines without repetitions, and how often a sender went back to lines that it had sent before."""

    lines: list[bytes]
    returns: int


def without_repeats(lines: Iterable[bytes]) -> Once:
    """Leave out what was sent again, in order; lines must differ, and none may be sent before all in front of it."""
    places: dict[bytes, int] = {}
    before = -1
    returns = 0
    for line in lines:
        place = places.setdefault(line, len(places))
        assert place <= before + 1, f"{line!r} does not follow the line before it"
        returns += place <= before
        before = place
    return Once(list(places), returns)

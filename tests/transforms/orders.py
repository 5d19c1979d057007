"""A program that prints orders over several lines and a health check for each, and an account of where they went.

Its lines are of one length and all different, so that bytes that are said to be missing are a number of lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from plugin.status.client import ask_status, read_status
from tests.sinks.receiving.process import ReceiverProcess
from tests.testbed.server import Server
from tests.testbed.standin import Container
from tests.testbed.wire import LogEntry, encode
from tests.transforms.lines import record, shaped

CHAIN = {
    "multiline-pattern": r"^(\{|GET )",
    "multiline-wait": "1h",  # for an event that a time-out closed may be cut elsewhere after a kill
    "parse": "json",
    "exclude": "^GET /health",
    "redact": "email",
    "redact-with": "#",
    "rate-limit": "100/s",
    "rate-limit-burst": "300",
}
"""Log-opts that join, parse, drop, redact and limit."""

EXCLUDED = ("filter", "exclude")
LIMITED = ("rate limit", "rate-limit")
LINES_OF_AN_ORDER = 3

_LENGTH = 120
_FRAME = len(encode(LogEntry("stdout", 1_770_000_000_000_000_000, b"x" * _LENGTH)))
_ORDER = re.compile(rb"order (\d+) of #")
_LIMIT = re.compile(rb"peavey: (\d+) records dropped here")
_GAP = re.compile(rb"peavey: (\d+) bytes")


def orders(first: int, count: int) -> list[bytes]:
    """Return the lines that the program prints for so many orders, newlines included."""
    return [line for number in range(first, first + count) for line in _order(number)]


def _order(number: int) -> Iterator[bytes]:
    for line in (
        f"GET /health {number:08d}",
        f'{{"order": 1{number:08d},',
        f'  "msg": "order {number:08d} of bob@example.com",',
        f'  "number": 1{number:08d} }}',
    ):
        yield line.ljust(_LENGTH).encode() + b"\n"


@dataclass(frozen=True)
class Account:
    """Where the lines of a container are: each has arrived, was dropped on purpose, or is said to be missing.

    ``limited_told`` is the sum of what records in place of dropped ones say; ``filtered`` and ``gap_bytes`` are the
    status's.
    """

    orders: list[bytes]
    fragments: list[bytes]
    limited_told: int
    gaps: int
    lines_missing: int
    filtered: dict[tuple[str, str], int]
    gap_bytes: int

    def balances(self, printed: int) -> bool:
        """Return whether it is complete for so many lines.

        What is told is what the status counts, and each line is in one place. Where a gap cuts an order in two, what is
        left of it may be dropped as one record that has fewer lines.
        """
        limited = self.filtered.get(LIMITED, 0)
        arrived = len(self.orders) * LINES_OF_AN_ORDER + sum(text.count(b"\n") + 1 for text in self.fragments)
        rest = printed - arrived - self.filtered.get(EXCLUDED, 0) - self.lines_missing
        shorter = 2 * self.gaps * (LINES_OF_AN_ORDER - 1)
        return (
            self.limited_told == limited
            and self.gap_bytes == self.lines_missing * _FRAME
            and LINES_OF_AN_ORDER * limited - shorter <= rest <= LINES_OF_AN_ORDER * limited
        )


def account_of(server: Server, receiver: ReceiverProcess, container: Container) -> Account:
    """Read what a receiver has of a container, and what the status says."""
    status = read_status(ask_status(server.socket))
    (sink,) = next(each.sinks for each in status.containers if each.id == container.id)
    arrived = receiver.lines(container.name)
    told = [int(found[1]) for line in receiver.lines(container.name, "stderr") if (found := _GAP.match(line))]
    assert all(count % _FRAME == 0 for count in told)
    return Account(
        orders=[line for line in arrived if _ORDER.match(line)],
        fragments=[line for line in arrived if not _ORDER.match(line) and not _LIMIT.match(line)],
        limited_told=sum(int(found[1]) for line in arrived if (found := _LIMIT.match(line))),
        gaps=len(told),
        lines_missing=sum(told) // _FRAME,
        filtered={(each.stage, each.reason): each.records for each in sink.filtered},
        gap_bytes=sink.gap_bytes,
    )


def expected_of(entries: Sequence[LogEntry]) -> list[bytes]:
    """Return what the chain makes of a journal's entries."""
    fed = [record(entry.line, number, entry.source, entry.time_nano) for number, entry in enumerate(entries)]
    return [each.line for each in shaped(CHAIN, fed)]


def without_notices(lines: Iterable[bytes]) -> list[bytes]:
    """Leave out the records that stand in place of dropped ones: two may say the same."""
    return [line for line in lines if not _LIMIT.match(line)]


def notices(lines: Iterable[bytes]) -> set[bytes]:
    """Return what the records in place of dropped ones say."""
    return {line for line in lines if _LIMIT.match(line)}

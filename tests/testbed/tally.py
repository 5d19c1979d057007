"""Counting lines: a container prints the numbers from 1 on, one a line; did each come back, once, in order?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """What became of the lines 1 to `printed`; all figures are numbers of lines."""

    printed: int
    read: int
    lost: int
    repeated: int
    out_of_order: int
    foreign: int  # lines that were never printed, such as torn ones

    @property
    def is_clean(self) -> bool:
        """Whether every line came back once and in order, and nothing else."""
        return not (self.lost or self.repeated or self.out_of_order or self.foreign)


def numbered(last: int, first: int = 1) -> bytes:
    """Return the output of `seq first last`."""
    return b"".join(b"%d\n" % number for number in range(first, last + 1))


def tally(output: bytes, printed: int) -> Tally:
    """Count what is left of the output of `seq printed`; a line out of order is one that follows a larger number."""
    expected = {b"%d" % number for number in range(1, printed + 1)}
    lines = output.splitlines()
    numbers = [int(line) for line in lines if line in expected]
    found = set(numbers)
    largest = out_of_order = 0
    for number in numbers:
        out_of_order += number < largest
        largest = max(largest, number)
    return Tally(
        printed=printed,
        read=len(lines),
        lost=printed - len(found),
        repeated=len(numbers) - len(found),
        out_of_order=out_of_order,
        foreign=len(lines) - len(numbers),
    )

"""What encoders need to write times in nanoseconds since 1970 UTC, most of which share their second with the last."""

from typing import Final

THREE_DIGITS: Final = [b"%03d" % number for number in range(1000)]
"""The digits of each number below 1000: the nine of a fraction are put together of three, faster than formatted."""

NO_SECOND: Final = -(2**62)
"""No second that 64 bits of nanoseconds reach: where there was no time before the first."""


def before_1970(time_nano: int) -> tuple[bytes, int]:
    """Return what stands before the fraction of a time that is negative, and the fraction's nanoseconds."""
    return b"-%d." % (-time_nano // 1_000_000_000), -time_nano % 1_000_000_000

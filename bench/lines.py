"""The lines that are delivered: as in an access log, all different, and each can be recognised in any protocol."""

from bench.receiver import MARKER

LINE_SIZE = 100
"""Bytes of a line, without its newline."""


def numbered_line(number: int, size: int = LINE_SIZE) -> bytes:
    """Make a line of ``size`` bytes which no other number has; `MARKER` is in it once."""
    mixed = number * 2_654_435_761 & 0xFFFF_FFFF
    line = b'%b %08d 10.0.%d.%d "GET /items/%08x HTTP/1.1" 200 %d "Mozilla/5.0 (X11; Linux x86_64) Gecko"' % (
        MARKER,
        number,
        mixed >> 8 & 0xFF,
        mixed & 0xFF,
        mixed,
        mixed % 90_000,
    )
    return line[:size].ljust(size, b".")

"""Characters of UTF-8 that are cut in two."""

LONGEST_BEGINNING = 3
"""Bytes of a character that lacks its last, at most."""

_FOLLOWING, _FIRST, _FIRST_OF_THREE, _FIRST_OF_FOUR = 0x80, 0xC0, 0xE0, 0xF0


def unfinished(text: bytes) -> int:
    """Count the bytes at the end of a text that begin a character and do not end it: 0 to `LONGEST_BEGINNING`."""
    for count, byte in enumerate(reversed(text[-LONGEST_BEGINNING:]), 1):
        if byte < _FOLLOWING:
            return 0
        if byte >= _FIRST:
            size = 2 + (byte >= _FIRST_OF_THREE) + (byte >= _FIRST_OF_FOUR)
            return count if count < size else 0
    return 0

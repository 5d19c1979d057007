"""Go's strings seen as characters: bytes that are not UTF-8 count as one bad character each."""

_FIRST_ESCAPED = 0xDC80
_LAST_ESCAPED = 0xDCFF
BAD = "\ufffd"
"""What Go makes of a byte that is not UTF-8."""


def decode(data: bytes) -> str:
    """Return the characters of a Go string; ``bad_byte`` tells which of them stand for a byte that is not UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the Go string with these characters: what ``decode`` undoes."""
    return text.encode("utf-8", "surrogateescape")


def bad_byte(character: str) -> int | None:
    """Return the byte that a decoded character stands for when that byte is not UTF-8, else None."""
    code = ord(character)
    return code - 0xDC00 if _FIRST_ESCAPED <= code <= _LAST_ESCAPED else None


def count(data: bytes) -> int:
    """Count characters as Go's ``utf8.RuneCount`` does."""
    return len(decode(data))


def replaced(data: bytes) -> str:
    """Return the characters of a Go string, those that are not UTF-8 replaced as Go's ``strings.Map`` replaces them."""
    return "".join(BAD if bad_byte(character) is not None else character for character in decode(data))


def from_code(code: int) -> str:
    """Return the character with a number as Go's conversion does: the bad one for what is not a character."""
    return chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else BAD


def upper(data: bytes) -> bytes:
    """Go's ``strings.ToUpper``: character by character, so that ``ß`` stays as it is."""
    return "".join(map(_upper, replaced(data))).encode()


def lower(data: bytes) -> bytes:
    """Go's ``strings.ToLower``, character by character."""
    return "".join(character.lower()[0] for character in replaced(data)).encode()


def title(data: bytes) -> bytes:
    """Go's ``strings.Title``: the first character of each word in title case, the others as they are."""
    result = []
    previous = " "
    for character in replaced(data):
        result.append(_title(character) if _separates(previous) else character)
        previous = character
    return "".join(result).encode()


def _upper(character: str) -> str:
    mapped = character.upper()
    return mapped if len(mapped) == 1 else _title(character)


def _title(character: str) -> str:
    mapped = character.title()
    return mapped if len(mapped) == 1 else character


def _separates(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character == "_")
    if character.isalpha() or character.isdecimal():
        return False
    return character.isspace()

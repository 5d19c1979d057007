"""What is searched for: an RE2 pattern, and the literal that each of its matches contains."""

from collections.abc import Callable

import re2

from plugin.errors import PeaveyError

Find = Callable[[bytes, int], int]
"""Returns where a match may begin in a buffer at or behind a position, −1 if there is none."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.never_capture = True
_ANYWHERE = re2._re2.RE2.Anchor.UNANCHORED

_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


class SearchPattern:
    """A pattern in RE2 syntax, searched in lines as bytes.

    ``candidates``
        finds where lines that match may lie in the raw bytes of a journal, without missing any; None where only
        looking at each line can tell. A line of several parts is to be joined before.
    """

    def __init__(self, text: str) -> None:
        """Compile it. Raises ``PeaveyError`` if the pattern is wrong."""
        try:
            match = re2.compile(text.encode(), _OPTIONS)._regexp.Match
        except UnicodeError:
            raise PeaveyError("the pattern has characters that are not valid Unicode") from None
        except re2.error as error:
            detail = error.args[0] if error.args else error
            shown = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
            raise PeaveyError(f"'{text}' is not a regular expression (RE2 syntax): {shown}") from None
        self.text = text
        literal = required_literal(text)
        self._whole = literal if literal and not _SPECIAL & set(text) else b""
        self._match = match
        self.candidates = self._candidates(literal)

    def matches(self, line: bytes) -> bool:
        """Return whether the pattern is found anywhere in a line."""
        if self._whole:
            return self._whole in line
        return bool(self._match(_ANYWHERE, line, 0, len(line))[0][0] >= 0)

    def _candidates(self, literal: bytes) -> Find | None:
        if literal:
            match = re2.compile(re2.escape(literal), _OPTIONS)._regexp.Match  # several times as fast as bytes.find
        elif not self.text or any(sign in self.text for sign in ("^", "$", "\\")):
            return None  # what stands before and behind a line in the journal would count
        else:
            match = self._match
        return lambda buffer, position: int(match(_ANYWHERE, buffer, position, len(buffer))[0][0])


def required_literal(pattern: str) -> bytes:
    """Return the longest text that each match of a pattern contains for sure, as bytes; empty if none is known.

    It reads what stands at the pattern's top level, and gives up where that is in doubt: at alternatives and flags.
    """
    runs: list[str] = [""]
    position, depth = 0, 0
    while position < len(pattern):
        sign = pattern[position]
        position += 1
        if sign == "\\":
            if position == len(pattern):
                return b""
            sign = pattern[position]
            position += 1
            if sign in "QEpPx01234567":
                return b""
            if sign.isalnum():
                runs.append("")
            elif depth == 0:
                runs[-1] += sign
        elif sign == "[":
            position = _class_end(pattern, position)
            runs.append("")
        elif sign == "(":
            if pattern.startswith("?", position) and not pattern.startswith("?:", position):
                return b""
            depth += 1
            runs.append("")
        elif sign == ")":
            depth -= 1
            runs.append("")
        elif sign == "|":
            if depth == 0:
                return b""
        elif sign in "*?{":
            runs[-1] = runs[-1][:-1]
            runs.append("")
            if sign == "{":
                position = max(position, pattern.find("}", position) + 1)
        elif sign in "+.^$":
            runs.append("")
        elif depth == 0:
            runs[-1] += sign
    return max(runs, key=len).encode()


def _class_end(pattern: str, position: int) -> int:
    """Return the position behind a character class, whose bracket is before ``position``."""
    if pattern.startswith("^", position):
        position += 1
    if pattern.startswith("]", position):
        position += 1
    while position < len(pattern) and pattern[position] != "]":
        if pattern.startswith("[:", position):
            position = max(position, pattern.find(":]", position) + 1)
        elif pattern[position] == "\\":
            position += 1
        position += 1
    return position + 1

"""Patterns searched in many lines at once: what one search costs is mostly the call.

Also runs compiled (see ``line_search.pxd``).
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from plugin.transforms.patterns import ANYWHERE, RawMatch, alternation, finder, match_in_lines

_NEWLINE = b"\n"
_FEWEST = 3
_TRIED = 16

_OF_WHOLE_TEXTS = re.compile(r"\\[AzC]|\(\?[A-Za-z]*-")
"""In a pattern, what may tell a text from a line: beginning and end, any byte, flags that are taken back."""


class LineSearch:
    """Finds which lines have one of some patterns in them.

    They are searched as one text, in which no match goes beyond a line: a line costs what its bytes do, and only one
    in which something is found costs a call. Where most lines are such, each is searched by itself instead.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        text = alternation(texts) if len(texts) != 1 else texts[0]
        self._finds = finder(text)
        self._match = None if _OF_WHOLE_TEXTS.search(text) else match_in_lines(text)

    def is_in(self, line: bytes) -> bool:
        """Return whether a pattern is found in a line."""
        return self._finds(line)

    def found(self, lines: list[bytes]) -> list[int]:
        """Return the numbers of the lines in which a pattern is found, in order."""
        count = len(lines)
        match = self._match
        if match is None or count < _FEWEST:
            return self._found_singly(lines, 0)
        text = _NEWLINE.join(lines)
        if text.count(_NEWLINE) == count - 1:
            return self._found_in(match, text, lines)
        several = {number: line for number, line in enumerate(lines) if _NEWLINE in line}
        single = [line for line in lines if _NEWLINE not in line]
        places = [number for number in range(count) if number not in several]
        within = self._found_in(match, _NEWLINE.join(single), single) if single else []
        found = [places[number] for number in within]
        return sorted(found + [number for number, line in several.items() if self._finds(line)])

    def found_in_any(self, texts: list[bytes | None]) -> list[int]:
        """Return the numbers of texts of several lines that may have a line in which a pattern is found.

        Where there is None instead of a text, there may be such a line, and where lines cannot be searched together.
        """
        known = [b"" if text is None else text for text in texts]
        match = self._match
        if match is None:
            return list(range(len(texts)))
        joined = _NEWLINE.join(known)
        found = self._found_in(match, joined, known, False)
        if None in texts:
            return sorted({*found, *[number for number, text in enumerate(texts) if text is None]})
        return found

    def _found_in(self, match: RawMatch, text: bytes, lines: list[bytes], tries: bool = True) -> list[int]:
        """Return the numbers of the lines, joined in ``text``, in which a pattern is found within a line of theirs.

        Unless it ``tries`` so, lines are not searched singly where that is quicker.
        """
        anywhere = ANYWHERE
        size = len(text)
        start = match(anywhere, text, 0, size)[0][0]
        found: list[int] = []
        if start < 0:
            return found
        ends = list(accumulate([len(line) + 1 for line in lines]))
        number = 0
        while start >= 0:
            number = bisect_right(ends, start, number)
            found.append(number)
            number += 1
            if number == len(lines):
                break
            if tries and len(found) == _TRIED and number < 2 * _TRIED:
                return found + self._found_singly(lines, number)
            start = match(anywhere, text, ends[number - 1], size)[0][0]
        return found

    def _found_singly(self, lines: list[bytes], first: int) -> list[int]:
        finds = self._finds
        return [number for number in range(first, len(lines)) if finds(lines[number])]

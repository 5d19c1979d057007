"""The bounds on what one template may do, so that no log-opt can hang the plugin or eat its memory."""

from plugin.gotemplate.errors import ActionError

TEXT_LIMIT = 64 * 1024
"""Characters in the text of a template."""

OUTPUT_LIMIT = 64 * 1024
"""Bytes in what a template, or any function in it, returns."""

NESTING_LIMIT = 50
"""Blocks and parentheses inside one another; far from the interpreter's own limit on recursion."""

WORK_LIMIT = 1024 * 1024
"""Units of work for one rendering; a unit is about the handling of one byte."""

STEP_COST = 16
"""Units of work for one step of evaluation, whatever it handles."""


class Work:
    """The work that one rendering has done so far."""

    def __init__(self) -> None:
        self._left = WORK_LIMIT

    def spend(self, units: int) -> None:
        """Count work before it is done.

        Raises ``ActionError`` when there has been too much.
        """
        self._left -= STEP_COST + units
        if self._left < 0:
            raise ActionError("too much work (loops that go on for too long, or values that are too large)")


class Output:
    """Bytes that are gathered, up to ``OUTPUT_LIMIT``."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> None:
        """Add bytes; raises ``ActionError`` when that is too many."""
        self._length += check_length(len(data), already=self._length)
        self._parts.append(data)

    def fill(self, byte: bytes, count: int) -> None:
        """Add a byte several times, none for a negative count; raises ``ActionError`` when that is too many."""
        if count > 0:
            self.write(byte * check_length(count, already=self._length))

    def getvalue(self) -> bytes:
        """Return all that was written."""
        return b"".join(self._parts)


def check_length(length: int, already: int = 0) -> int:
    """Pass a length in bytes on, or raise ``ActionError`` when text of that length, after ``already``, is too long."""
    if already + length > OUTPUT_LIMIT:
        raise ActionError(f"the result is longer than {OUTPUT_LIMIT // 1024} KiB")
    return length

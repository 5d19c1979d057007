"""Secret values of options: held so that they do not show by accident, and read from the files that hold them."""

import os
import stat
from pathlib import Path
from typing import final

from plugin.config.parsing import WHICH_FILES_ARE_SEEN, quote

_LARGEST_FILE = 65_536


@final
class Secret:
    """A text that `repr`, `str`, formatting and `dataclasses.asdict` do not show.

    Two are equal if their texts are.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        """Stand for the text without showing it."""
        return "Secret('***')"

    def __str__(self) -> str:
        """Stand for the text without showing it."""
        return "***"

    def __eq__(self, other: object) -> bool:
        """Compare the texts."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((Secret, self._text))


def read_secret(name: str) -> str:
    """Return what the file holds, without one newline at its end.

    ``name`` is an absolute path as this process sees it. Raises `ValueError`, with a message that says why and what to
    do, if there is no such regular file, if it is empty or larger than 64 KiB, or if it is not UTF-8 text.
    """
    if not Path(name).is_absolute() or "\0" in name:
        raise ValueError("it must name a file by its absolute path")
    try:
        # Non-blocking, since opening a FIFO that nobody writes to would otherwise never return.
        with open(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{quote(name)} is not a regular file")
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"cannot read {quote(name)}: {error.strerror} ({WHICH_FILES_ARE_SEEN})") from error
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"{quote(name)} is larger than {_LARGEST_FILE} bytes: too large for a secret")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # The cause would show the bytes.
        raise ValueError(f"{quote(name)} does not hold UTF-8 text") from None
    if not text:
        raise ValueError(f"{quote(name)} is empty")
    return text

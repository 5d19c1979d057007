"""Secret values of options: held so that they do not show by accident, and read from the files that hold them."""

from pathlib import Path
from typing import final

from plugin.config.files import read_file
from plugin.config.parsing import quote

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
    do, if `read_file` does, if it is empty or larger than 64 KiB, or if it is not UTF-8 text.
    """
    if not Path(name).is_absolute() or "\0" in name:
        raise ValueError("it must name a file by its absolute path")
    content = read_file(name, _LARGEST_FILE)
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # The cause would show the bytes.
        raise ValueError(f"{quote(name)} does not hold UTF-8 text") from None
    if not text:
        raise ValueError(f"{quote(name)} is empty")
    return text

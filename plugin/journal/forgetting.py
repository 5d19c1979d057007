"""``forget`` beside a journal: it is to be removed once its container is seen to have stopped."""

import os
from pathlib import Path

from plugin.journal.regular_files import open_regular

_NAME = "forget"


def ask_to_forget(folder: Path) -> None:
    """Ask for a journal to be removed. Raises ``OSError``."""
    os.close(open_regular(folder / _NAME, os.O_WRONLY | os.O_CREAT))


def is_to_be_forgotten(folder: Path) -> bool:
    """Return whether somebody has asked for it."""
    return (folder / _NAME).exists()


def keep_after_all(folder: Path) -> None:
    """Take it back. Raises ``OSError``."""
    (folder / _NAME).unlink(missing_ok=True)

"""Redirects: ``redirect.json`` beside a journal, log-opts that hold for its container instead of its own.

Beside it ``DATA/asked`` is touched whenever a command leaves something for delivery to see to.
"""

import os
from pathlib import Path

import msgspec

from plugin.config.profiles import Redirect
from plugin.errors import JournalError
from plugin.journal.layout import DataFolder, write_atomically
from plugin.journal.regular_files import open_regular, read_regular

_NAME = "redirect.json"
_ASKED = "asked"


def read_redirect(folder: Path) -> Redirect | None:
    """Read the redirect of a journal's container, None if it has none. Raises ``JournalError`` if it is damaged."""
    path = folder / _NAME
    try:
        return msgspec.json.decode(read_regular(path), type=Redirect)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"cannot use {path}: {error}") from error


def write_redirect(folder: Path, redirect: Redirect) -> None:
    """Write a redirect, instead of one that is there. Raises ``OSError``."""
    write_atomically(folder / _NAME, msgspec.json.encode(redirect))


def remove_redirect(folder: Path) -> bool:
    """Remove a redirect; false if there is none. Raises ``OSError``."""
    try:
        (folder / _NAME).unlink()
    except FileNotFoundError:
        return False
    return True


def time_of_redirect(folder: Path) -> int:
    """Return when a redirect was written, nanoseconds since 1970 UTC; 0 if there is none."""
    try:
        return os.stat(folder / _NAME).st_mtime_ns
    except OSError:
        return 0


def ask(data: DataFolder) -> None:
    """Have delivery look at all containers soon. Raises ``OSError``."""
    descriptor = open_regular(data.path / _ASKED, os.O_WRONLY | os.O_CREAT)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def time_asked(data: DataFolder) -> int:
    """Return when ``ask`` was called last, nanoseconds since 1970 UTC; 0 for never."""
    try:
        return os.stat(data.path / _ASKED).st_mtime_ns
    except OSError:
        return 0

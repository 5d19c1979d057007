"""``DATA/profiles.json``: the profiles in force, as they were accepted last.

The main process alone decides which file is accepted, and every process goes by what lies here; so a file that is
faulty changes nothing, over restarts either.
"""

import os
from collections.abc import Mapping

import msgspec

from plugin.config.profiles import Profiles
from plugin.errors import JournalError
from plugin.journal.layout import DataFolder, write_atomically
from plugin.journal.regular_files import read_regular

_NAME = "profiles.json"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force; ``log_opts`` are the plugin-wide ones, for commands that do not get the plugin's settings."""

    profiles: Profiles = Profiles()
    log_opts: dict[str, str] = {}


def read_accepted(data: DataFolder) -> Accepted:
    """Read it, empty if there is none yet. Raises ``JournalError`` if it is damaged."""
    path = data.path / _NAME
    try:
        return msgspec.json.decode(read_regular(path), type=Accepted)
    except FileNotFoundError:
        return Accepted()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"cannot use {path}: {error}") from error


def write_accepted(data: DataFolder, profiles: Profiles, log_opts: Mapping[str, str]) -> None:
    """Bring it into force for all processes. Raises ``OSError``."""
    accepted = Accepted(profiles=profiles, log_opts=dict(log_opts))
    write_atomically(data.path / _NAME, msgspec.json.encode(accepted))


def time_accepted(data: DataFolder) -> tuple[int, int]:
    """Return what changes whenever it is written: its inode, and when that was; zeros if there is none."""
    try:
        status = os.stat(data.path / _NAME)
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns

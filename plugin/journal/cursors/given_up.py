"""What a sink is not to be sent any more: ``cursors/<instance>.given-up`` says up to which offset.

Whoever reads a cursor takes it for having come so far (``plugin.journal.cursors.store``), so that it holds at once,
while delivery is down as well; delivery moves the cursor there, and removes the note.
"""

from pathlib import Path

import msgspec

from plugin.journal.layout import write_atomically
from plugin.journal.regular_files import read_regular

_SUFFIX = ".given-up"


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """All before ``upto`` of the journal that was born at ``birth``."""

    birth: int
    upto: int


def give_up(folder: Path, instance: str, birth: int, upto: int) -> None:
    """Send a sink nothing before an offset of the journal that was born at ``birth``. Raises ``OSError``."""
    path = _path(folder, instance)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(path, msgspec.json.encode(_Note(birth=birth, upto=upto)))


def given_up_before(folder: Path, instance: str, birth: int) -> int:
    """Return the offset before which a sink is sent nothing, 0 where all that there is is sent."""
    try:
        note = msgspec.json.decode(read_regular(_path(folder, instance)), type=_Note)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return note.upto if note.birth == birth else 0


def has_given_up(folder: Path, instance: str) -> bool:
    """Return whether there is such a note."""
    return _path(folder, instance).exists()


def remove_given_up(folder: Path, instance: str) -> None:
    """Remove the note, once the cursor is where it says. Raises ``OSError``."""
    _path(folder, instance).unlink(missing_ok=True)


def _path(folder: Path, instance: str) -> Path:
    return folder / "cursors" / f"{instance}{_SUFFIX}"

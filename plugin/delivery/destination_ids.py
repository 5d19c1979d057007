"""Ids of destinations that stay the same over restarts and reveal nothing of their options."""

import contextlib
import hashlib
import logging
import os
import secrets
from pathlib import Path

from plugin.journal.layout import DataFolder
from plugin.journal.regular_files import read_regular

logger = logging.getLogger(__name__)

_KEY_SIZE = 32


class DestinationNames:
    """Destinations named by a keyed hash, whose key is made once per data folder and never leaves it.

    Options hold passwords: a hash without a key would let them be guessed by whoever may read metrics.
    """

    def __init__(self, data: DataFolder) -> None:
        self._key = _take_key(data.path / "delivery" / "key")

    def name(self, options: object, size: int = 4) -> str:
        """Return hexadecimal digits, two for each byte of ``size``, for what makes a destination, by its ``repr``."""
        return hashlib.blake2b(repr(options).encode(), key=self._key, digest_size=size).hexdigest()


def _take_key(path: Path) -> bytes:
    """Read the key, or make it; all processes that begin at once get the same one."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_KEY_SIZE))
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        key = read_regular(path)
    except OSError as error:
        logger.warning("cannot use %s; destinations get other ids at the next start: %s", path, error)
        key = b""
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return key if len(key) == _KEY_SIZE else secrets.token_bytes(_KEY_SIZE)

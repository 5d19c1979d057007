"""Keys of objects: folders by a template over the container and the time, and a name that is that of one batch.

A template is compiled with ``NUL Y`` in place of ``%Y`` and so on, so that a ``%`` in a container's labels stays one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from plugin.config.parsing import quote
from plugin.docker.info import Info
from plugin.docker.tag import Tag, compile_tag

HOUR = 3600 * 1_000_000_000
"""Nanoseconds."""
_ACTION = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_MARK = re.compile(r"\0([YmdH]?)")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 700  # bytes; a key has 1,024, of which the name takes some 120


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """The folders of keys: a template like tag, with %Y, %m, %d and %H of the line's time in UTC."""

    text: str
    tag: Tag

    def render(self, info: Info) -> str:
        """Return what is the same for all objects of a container, for `folder_at`; raises ``TagError``."""
        return self.tag.render(info)


def parse_key(text: str) -> KeyTemplate:
    """Read a template for keys; raises `ValueError` or `TagError`."""
    if "\0" in text:
        raise ValueError(f"{quote(text)} holds a NUL")
    parts = _ACTION.split(text)
    parts[::2] = [_DIRECTIVE.sub(_marked, literal) for literal in parts[::2]]
    return KeyTemplate(text, compile_tag("".join(parts)))


def folder_at(rendered: str, hour: int) -> str:
    """Return the folders of an object whose lines are of one hour, counted from 1970 UTC: no empty ones."""
    time = datetime.fromtimestamp(max(hour, 0) * 3600, UTC)
    path = _MARK.sub(lambda found: time.strftime(f"%{found[1]}") if found[1] else "", rendered)
    folders = [_UNFIT.sub("_", folder) for folder in path.split("/") if folder not in ("", ".", "..")]
    encoded = "/".join(folders).encode("utf-8", "replace")[:_LONGEST]
    return encoded.decode("utf-8", "ignore").rstrip("/")


def name_of(identity: str, time_nano: int, offset: int, end: int, digest: str) -> str:
    """Return the name of an object in its folder.

    It begins with the time of its first line, for listings by time; names container and journal; says where in the
    journal its lines begin and end; and has the digest of its content, so that no other has the same name.
    """
    time = datetime.fromtimestamp(max(time_nano, 0) // 1_000_000_000, UTC)
    return f"{time:%Y%m%dT%H%M%SZ}-{identity}-{offset:016}-{end:016}-{digest}.ndjson"


def _marked(found: re.Match[str]) -> str:
    if found[1] == "%":
        return "%"
    if found[1] not in ("Y", "m", "d", "H"):
        raise ValueError(f"{quote(found[0])} is not a part of a time (expected: %Y, %m, %d or %H; %% for %)")
    return f"\0{found[1]}"

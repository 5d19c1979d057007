"""The time zone in which local times are written: what ``TZ`` may say (tzset(3))."""

import os
import re

_FOLDERS = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo")
_RULE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,3}(?::\d\d){0,2}(?:[A-Za-z]{3,}.*|<.*)?", re.ASCII)
_NO_FILE_NEEDED = ("UTC", "UTC0", "GMT", "GMT0")


def is_known_zone(text: str) -> bool:
    """Return whether the C library understands a value of ``TZ``: it takes any other for UTC, without a word."""
    name = text.removeprefix(":")
    if name in _NO_FILE_NEEDED or _RULE.fullmatch(name):
        return True
    folders = (os.environ.get("TZDIR"), *_FOLDERS)
    return any(folder and os.path.isfile(os.path.join(folder, name)) for folder in folders)

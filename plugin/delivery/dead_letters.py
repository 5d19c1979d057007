"""Dead letters: records that a destination refuses for good, kept with the reason. ``dead/<instance>.ndjson``.

One JSON object a line. The file is bounded: when it is full, its older half goes.
"""

import base64
import os
from pathlib import Path
from typing import Any

import orjson

from plugin.transforms.record import Record

_BOUND = 10_000_000


def dead_letters_path(folder: Path, instance: str) -> Path:
    """Name the dead letters of a sink instance in a journal's folder."""
    return folder / "dead" / f"{instance}.ndjson"


def bury(folder: Path, instance: str, record: Record, reason: str, now: int) -> None:
    """Keep a refused record; ``now`` is in nanoseconds since 1970 UTC. Raises ``OSError``."""
    path = dead_letters_path(folder, instance)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    letter: dict[str, Any] = {
        "refused": now,
        "reason": reason,
        "source": record.source,
        "time": record.time_nano,
        "offset": record.offset,
    }
    try:
        letter["line"] = record.line.decode()
    except UnicodeDecodeError:
        letter["line_base64"] = base64.b64encode(record.line).decode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        if os.fstat(descriptor).st_size > _BOUND:
            content = os.pread(descriptor, _BOUND, os.fstat(descriptor).st_size - _BOUND // 2)
            file.truncate(0)
            file.write(content[content.find(b"\n") + 1 :])
        file.write(orjson.dumps(letter) + b"\n")

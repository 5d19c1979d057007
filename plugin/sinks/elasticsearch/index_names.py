"""Names of indices and data streams.

Source: "Create index API", path parameters, and "Data stream naming scheme" in Elasticsearch's reference.
"""

import re
from typing import NamedTuple

_LONGEST = 255  # bytes
_FORBIDDEN = re.compile(r'[\\/*?"<>|\s,#:\x00-\x1f\x7f]')
_FORBIDDEN_FIRST = "-_+"
_UNNAMED = "unnamed"


class DataStream(NamedTuple):
    """The parts of a data stream's name, ``logs-docker-default``: what it is, of what, and in which environment."""

    type: str
    dataset: str
    namespace: str


def index_name(text: str) -> str:
    """Return the closest name that an index may have: whatever a container is called, its lines have one."""
    name = _FORBIDDEN.sub("_", text.lower()).lstrip(_FORBIDDEN_FIRST)
    name = name.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    return _UNNAMED if not name.strip(".") else name


def data_stream(name: str) -> DataStream | None:
    """Take the name of a data stream for logs apart, None for another name."""
    parts = name.split("-")
    return DataStream(*parts) if len(parts) == 3 and parts[0] == "logs" and all(parts) else None

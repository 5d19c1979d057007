"""What json-file's lines are read back as."""

import json

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import nanoseconds


def decode_json_file(content: bytes, container: str) -> list[Received]:
    """Read a file of Docker's json-file lines."""
    records = []
    for line in content.splitlines():
        entry = json.loads(line)
        log = entry.get("log", "").encode()
        moment = nanoseconds(entry["time"])
        records.append(
            Received(container, entry["stream"], log.removesuffix(b"\n"), moment, is_part=not log.endswith(b"\n"))
        )
    return records

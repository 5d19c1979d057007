"""Records as JSON objects, for the sink ``http``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from plugin.sinks.base import Origin, Record
from plugin.sinks.text import text

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OF_COMPOSE_AND_SWARM = {
    "compose_project": "com.docker.compose.project",
    "compose_service": "com.docker.compose.service",
    "swarm_stack": "com.docker.stack.namespace",
    "swarm_service": "com.docker.swarm.service.name",
}


@dataclass(frozen=True, slots=True)
class PreparedObjects:
    """What is the same for all records of a container: all that follows the line, by source, up to the offset."""

    after_line: dict[str, bytes]


def prepare_objects(origin: Origin) -> PreparedObjects:
    """Make what is the same for all records of a container; what it does not have is left out."""
    info = origin.info
    fields = {
        "container_id": info.container_id,
        "container_name": info.name,
        "container_created": info.container_created,
        "image": info.container_image_name,
        "image_id": info.container_image_id,
        "command": info.command,
        "tag": origin.tag,
        "host": origin.host,
        **{name: origin.labels.get(label) for name, label in _OF_COMPOSE_AND_SWARM.items()},
        "attributes": dict(origin.attributes),
    }
    constant = {name: value for name, value in fields.items() if value}
    id_field = f',"id":"{info.id}-{origin.birth:x}-'.encode()
    return PreparedObjects(
        after_line={
            source: b"," + orjson.dumps({"source": source, **constant})[1:-1] + id_field
            for source in ("stdout", "stderr")
        }
    )


def encode_objects(records: Sequence[Record], separator: bytes) -> bytes:
    """Write records as JSON objects with ``separator`` between them, in UTF-8.

    ``timestamp`` is RFC 3339 in UTC with nine digits after the point. ``id`` is the same whenever the record is sent
    and that of no other: the container's short id, the birth of its journal and the offset there.
    """
    parts: list[bytes] = []
    dumps = orjson.dumps
    second = -1
    begin = b""
    for record in records:
        seconds, nanos = divmod(record.time_nano, _SECOND)
        if seconds != second:
            second = seconds
            begin = f'{{"timestamp":"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.'.encode()
        parts += (
            separator,
            begin,
            b'%09dZ","log":' % nanos,
            dumps(text(record.line)),
            record.prepared.after_line[record.source],
            b'%d"}' % record.offset,
        )
    return b"".join(parts)[len(separator) :]

"""Records as JSON objects, for the sink ``http``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from plugin.sinks.base import Origin, Record
from plugin.sinks.json_strings import strings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OF_COMPOSE_AND_SWARM = {
    "compose_project": "com.docker.compose.project",
    "compose_service": "com.docker.compose.service",
    "swarm_stack": "com.docker.stack.namespace",
    "swarm_service": "com.docker.swarm.service.name",
}


@dataclass(frozen=True, slots=True)
class PreparedObjects:
    """What is the same for all records of a container: from the line's closing quote up to the offset, by source."""

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
            source: b'",' + orjson.dumps({"source": source, **constant})[1:-1] + id_field
            for source in ("stdout", "stderr")
        }
    )


def encode_objects(records: Sequence[Record], opening: bytes, separator: bytes, closing: bytes) -> bytes:
    """Write records as JSON objects in UTF-8, with ``separator`` between them.

    ``timestamp`` is RFC 3339 in UTC with nine digits after the point. ``id`` is the same whenever the record is sent
    and that of no other: the container's short id, the birth of its journal and the offset there.
    """
    parts: list[bytes] = []
    second = b""
    begin = b""
    lead = opening
    lines = strings([record.line for record in records])
    for record, line in zip(records, lines, strict=True):
        time_nano = record.time_nano
        moment = b"%010d" % time_nano if time_nano >= 0 else b"%d%09d" % divmod(time_nano, 1_000_000_000)
        if moment[:-9] != second:
            second = moment[:-9]
            begin = f'{{"timestamp":"{_EPOCH + timedelta(seconds=int(second)):%Y-%m-%dT%H:%M:%S}.'.encode()
        parts += (
            lead,
            begin,
            moment[-9:],
            b'Z","log":"',
            line,
            record.prepared.after_line[record.source],
            b'%d"}' % record.offset,
        )
        lead = separator
    parts.append(closing)
    return b"".join(parts)

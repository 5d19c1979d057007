"""Batches of objects, each of lines of one container and one partition of time, as JSON objects a line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from plugin.sinks.base import Origin, Record
from plugin.sinks.encoding.container_members import members_of_container
from plugin.sinks.encoding.json_objects import fields_after_line, join_objects
from plugin.sinks.s3.keys import HOUR, folder_at, name_of

_DIGEST_SIZE = 4


class StoredObject(msgspec.Struct, frozen=True, array_like=True):
    """An object: its key and its content, compressed."""

    key: str
    content: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PreparedObjects:
    """What is the same for all objects of a container.

    ``folder``
        of its objects, but for the time
    ``identity``
        names it and its journal for good
    ``after_line``
        by source, what follows the line in each JSON object
    """

    folder: str
    identity: str
    after_line: Mapping[str, bytes]


def prepare_objects(origin: Origin, folder: str) -> PreparedObjects:
    """Make what is the same for all objects of a container; what it does not have is left out."""
    identity = f"{origin.info.id}-{origin.birth:x}"
    return PreparedObjects(folder, identity, fields_after_line(origin, members_of_container(origin)))


def encode_batch(records: Sequence[Record], compress: Callable[[bytes], bytes], suffix: str) -> bytes:
    """Write records as objects: one for each container and partition of time, in the order in which they begin."""
    groups: dict[tuple[str, str], list[Record]] = {}
    group: list[Record] = []
    prepared: PreparedObjects | None = None
    hour = 0
    for record in records:
        if record.prepared is not prepared or record.time_nano // HOUR != hour:
            prepared, hour = record.prepared, record.time_nano // HOUR
            group = groups.setdefault((folder_at(prepared.folder, hour), prepared.identity), [])
        group.append(record)
    objects = [
        _stored(folder, identity, group, compress(join_objects(group, b"", b"\n", b"\n")), suffix)
        for (folder, identity), group in groups.items()
    ]
    return msgspec.msgpack.encode(objects)


def decode_batch(payload: bytes) -> list[StoredObject]:
    """Read what ``encode_batch`` has written."""
    return msgspec.msgpack.decode(payload, type=list[StoredObject])


def _stored(folder: str, identity: str, records: Sequence[Record], content: bytes, suffix: str) -> StoredObject:
    digest = blake2b(content, digest_size=_DIGEST_SIZE).hexdigest()
    name = name_of(identity, records[0].time_nano, records[0].offset, records[-1].end, digest) + suffix
    return StoredObject(f"{folder}/{name}" if folder else name, content)

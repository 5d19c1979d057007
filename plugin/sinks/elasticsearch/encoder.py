"""Records as bulk requests: an action and a document for each, both a line. Also runs compiled (see ``encoder.pxd``).

Sources: "Bulk API" in Elasticsearch's reference, and the field reference of the Elastic Common Schema (ECS).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from plugin.docker.times import format_second
from plugin.records.record import Record
from plugin.sinks.base import Origin
from plugin.sinks.elasticsearch.container_fields import container_fields
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.severity import severity_name
from plugin.sinks.encoding.timestamps import NO_SECOND, THREE_DIGITS

_LAST_DIGITS = [digits + b'Z","message":"' for digits in THREE_DIGITS]
_AFTER_LINE = b'","event":{"sequence":'
_END = b"}\n"


class PreparedDocuments:
    """What is the same for all documents of a container.

    ``before``
        the action, up to the offset in its id
    ``after``
        by source, what follows the offset in the document, up to the end
    ``unfinished``
        the same without the closing brace, for records that have more
    """

    __slots__ = ("after", "before", "unfinished")

    def __init__(self, before: bytes, unfinished: dict[str, bytes]) -> None:
        self.before = before
        self.unfinished = unfinished
        self.after = {source: content + _END for source, content in unfinished.items()}


def prepare_documents(origin: Origin, index: str) -> PreparedDocuments:
    """Make what is the same for all documents of a container."""
    info = origin.info
    constant = orjson.dumps(container_fields(origin, index))[1:-1]
    action = orjson.dumps({"create": {"_index": index, "_id": f"{info.id}-{origin.birth:x}-"}})
    return PreparedDocuments(
        before=action.removesuffix(b'"}}'),
        unfinished={source: b'},"stream":"%b",%b' % (source.encode(), constant) for source in ("stdout", "stderr")},
    )


def encode_bulk(records: Sequence[Record]) -> bytes:
    """Write the actions and documents of records, each of which ``prepare_documents`` has prepared.

    ``_id`` is the same whenever the record is sent and that of no other: the container's short id, the birth of its
    journal and the offset there, which is also ``event.sequence``: it orders lines of the same millisecond.
    """
    parts: list[bytes] = []
    lines = strings([record.line for record in records])
    digits, last_digits = THREE_DIGITS, _LAST_DIGITS
    after_line = _AFTER_LINE
    prepared: PreparedDocuments | None = None
    source = ""
    second = NO_SECOND
    before = begin = after = b""
    for number, record in enumerate(records):
        if record.prepared is not prepared or record.source != source:
            prepared, source = record.prepared, record.source
            before = record.prepared.before
            after = record.prepared.after[source]
        time_nano = record.time_nano
        nanos = time_nano % 1_000_000_000
        if time_nano // 1_000_000_000 != second:
            second = time_nano // 1_000_000_000
            begin = f'"}}}}\n{{"@timestamp":"{format_second(second)}.'.encode()
        offset = b"%d" % record.offset
        parts.extend(
            (
                before,
                offset,
                begin,
                digits[nanos // 1_000_000],
                digits[nanos // 1_000 % 1_000],
                last_digits[nanos % 1_000],
                lines[number],
                after_line,
                offset,
                after if record.fields is None and record.severity == 0 else _with_more(record),
            )
        )
    return b"".join(parts)


def _with_more(record: Record) -> bytes:
    """Write the end of a document that has a level or fields."""
    parts = [record.prepared.unfinished[record.source]]
    if level := severity_name(record.severity):
        parts.append(b',"log":{"level":"%b"}' % level.lower().encode())
    if record.fields:
        parts.append(b',"fields":' + _json(_named(record.fields)))
    parts.append(_END)
    return b"".join(parts)


def _json(fields: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields, default=str)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return json.dumps(fields, default=str).encode()


def _named(value: Any) -> Any:
    """Return fields with names that Elasticsearch takes: none is blank, or has an empty part between its dots."""
    if isinstance(value, dict):
        return {_name(str(name)): _named(inner) for name, inner in value.items()}
    return [_named(inner) for inner in value] if isinstance(value, list) else value


def _name(name: str) -> str:
    return name if all(map(str.strip, name.split("."))) else name.replace(".", "_").strip() or "_"

"""Rows of ClickHouse, as JSON objects a line: ``JSONEachRow``."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import orjson

from plugin.docker.times import format_second
from plugin.sinks.base import Origin, Record
from plugin.sinks.encoding.json_strings import strings
from plugin.sinks.encoding.record_fields import json_of, texts_of
from plugin.sinks.encoding.severity import severity_name
from plugin.sinks.encoding.timestamps import NO_SECOND

_TIME, _LINE, _OFFSET, _MORE = range(4)

_TOKEN_SIZE = 16

Piece = tuple[bytes, int, Callable[[Record], bytes] | None]
"""What stands before a value, which kind of value it is, and for one of no other kind what writes it."""


class PreparedRows:
    """What is the same for all rows of a container.

    ``identity``
        of the container and its journal: with a record's offset it names the record for good
    ``pieces``
        by source, how a row is put together
    """

    __slots__ = ("identity", "pieces")

    def __init__(self, identity: bytes, pieces: Mapping[str, list[Piece]]) -> None:
        self.identity = identity
        self.pieces = pieces


def prepare_rows(origin: Origin, columns: Mapping[str, str], resource: Mapping[str, object]) -> PreparedRows:
    """Make what is the same for all rows of a container; ``resource`` is it as OpenTelemetry has it."""
    id_ = f"{origin.info.id}-{origin.birth:x}-"
    constant = _constants(origin, resource)
    pieces = {source: _pieces(columns, constant, id_, source) for source in ("stdout", "stderr")}
    return PreparedRows(f"{origin.info.container_id}-{origin.birth:x}".encode(), pieces)


def _constants(origin: Origin, resource: Mapping[str, object]) -> dict[str, object]:
    return {
        "service": resource.get("service.name", ""),
        "container_id": origin.info.container_id,
        "container_name": origin.info.name,
        "image": origin.info.container_image_name,
        "host": origin.host,
        "tag": origin.tag,
        "resource": {
            name: value if isinstance(value, str) else json_of(value).decode() for name, value in resource.items()
        },
    }


def _pieces(columns: Mapping[str, str], constant: Mapping[str, object], id_: str, source: str) -> list[Piece]:
    """Return the pieces of a row; the last one has nothing behind it but the end of the row."""
    pieces: list[Piece] = []
    before = b"{"
    for column, field in columns.items():
        before += (b"" if before == b"{" else b",") + orjson.dumps(column) + b":"
        match field:
            case "timestamp":
                pieces.append((before + b'"', _TIME, None))
                before = b'Z"'
            case "line":
                pieces.append((before + b'"', _LINE, None))
                before = b'"'
            case "offset":
                pieces.append((before, _OFFSET, None))
                before = b""
            case "id":
                pieces.append((before + orjson.dumps(id_)[:-1], _OFFSET, None))
                before = b'"'
            case "source":
                before += orjson.dumps(source)
            case "severity":
                pieces.append((before, _MORE, _severity))
                before = b""
            case "severity_text":
                pieces.append((before, _MORE, _severity_text))
                before = b""
            case "fields":
                pieces.append((before, _MORE, _fields))
                before = b""
            case "attributes":
                known = orjson.dumps({"log.iostream": source, "log.record.uid": id_})[:-2]
                pieces.append((before + known, _OFFSET, None))
                pieces.append((b'"', _MORE, _further_attributes))
                before = b"}"
            case _:
                before += orjson.dumps(constant[field])
    pieces.append((before + b"}\n", _MORE, _nothing))
    return pieces


def encode_rows(records: Sequence[Record]) -> bytes:
    """Write records as rows, each of which ``prepare_rows`` has prepared."""
    parts: list[bytes] = []
    lines = strings([record.line for record in records])
    second = NO_SECOND
    begin = ""
    for number, record in enumerate(records):
        for before, kind, write in record.prepared.pieces[record.source]:
            parts.append(before)
            if kind == _LINE:
                parts.append(lines[number])
            elif kind == _TIME:
                time_nano = record.time_nano
                if time_nano // 1_000_000_000 != second:
                    second = time_nano // 1_000_000_000
                    begin = format_second(second)
                parts.append(b"%b.%09d" % (begin.encode(), time_nano % 1_000_000_000))
            elif kind == _OFFSET:
                parts.append(b"%d" % record.offset)
            elif write is not None:
                parts.append(write(record))
    return b"".join(parts)


def token_of(records: Sequence[Record]) -> str:
    """Return a text that names these records, and no other batch, for good: 32 hexadecimal digits."""
    digest = blake2b(digest_size=_TOKEN_SIZE)
    prepared: PreparedRows | None = None
    for record in records:
        if record.prepared is not prepared:
            prepared = record.prepared
            digest.update(prepared.identity)
        digest.update(b"%d," % record.offset)
    return digest.hexdigest()


def _nothing(_: Record) -> bytes:
    return b""


def _severity(record: Record) -> bytes:
    return b"%d" % record.severity


def _severity_text(record: Record) -> bytes:
    return b'"%b"' % severity_name(record.severity).encode()


def _fields(record: Record) -> bytes:
    return orjson.dumps(json_of(record.fields).decode() if record.fields else "")


def _further_attributes(record: Record) -> bytes:
    """Write parsed fields as further members of a map of texts."""
    if not record.fields:
        return b""
    texts = {name: text for name, text in texts_of(record).items() if name not in ("log.iostream", "log.record.uid")}
    if "level" not in record.fields:
        texts.pop("level", None)  # the severity has columns of its own
    return b"," + json_of(texts)[1:-1] if texts else b""

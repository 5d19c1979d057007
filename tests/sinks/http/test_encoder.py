"""Records as JSON, byte for byte."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record, Sink
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.strategies import SECOND, batches


def http(**options: str) -> Sink[Any]:
    return sink_of(http_url="http://h/in", **options)


def test_a_record_byte_for_byte() -> None:
    sink = http()
    birth = f"{TIME:x}".encode()
    assert sink.encode(records_of(sink, [b'say "hi"\x1b'], origin_of(tag="web/1", attributes={"team": "core"}))) == (
        b'{"timestamp":"2023-11-14T22:13:20.123456789Z","log":"say \\"hi\\"\\u001b","source":"stdout"'
        b',"container_id":"' + b"8c1f" * 16 + b'","container_name":"web"'
        b',"container_created":"2023-11-14T22:00:00.5Z","image":"nginx:1.27","image_id":"sha256:' + b"5e" * 32 + b'"'
        b',"command":"nginx -g daemon off;","tag":"web/1","host":"node1","attributes":{"team":"core"}'
        b',"id":"8c1f8c1f8c1f-' + birth + b'-0"}\n'
    )


def test_names_in_compose_and_swarm() -> None:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "front",
        "com.docker.swarm.service.name": "shop_front",
        "com.docker.stack.namespace": "stack",
    }
    sink = http()
    origin = origin_of(msgspec.structs.replace(INFO, container_labels=labels))
    record = json.loads(sink.encode(records_of(sink, [b"x"], origin)))
    names = ("compose_project", "compose_service", "swarm_service", "swarm_stack")
    assert [record[name] for name in names] == ["shop", "front", "shop_front", "stack"]


def test_each_record_has_an_id_of_its_own() -> None:
    sink = http()
    records = [json.loads(line) for line in sink.encode(records_of(sink, [b"x"] * 3)).splitlines()]
    assert len({record["id"] for record in records}) == 3


@given(st.lists(st.binary(max_size=200), min_size=1), st.integers(min_value=-(2**62), max_value=2**62))
def test_any_bytes_at_any_time(lines: list[bytes], time: int) -> None:
    """Both formats hold the same, and what is not UTF-8 is replaced."""
    ndjson, array = http(), http(http_format="json")
    written = ndjson.encode(records_of(ndjson, lines, time=time))
    records = [json.loads(line) for line in written.split(b"\n")[:-1]]
    assert json.loads(array.encode(records_of(array, lines, time=time))) == records
    assert [record["log"] for record in records] == [line.decode("utf-8", "replace") for line in lines]
    assert records[0]["timestamp"].endswith(f".{time % 10**9:09}Z")


def plainly(record: Record) -> bytes:
    """Write one record without regard to any other."""
    seconds, nanos = divmod(record.time_nano, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    line = json.dumps(record.line.decode("utf-8", "replace"), ensure_ascii=False)
    begin = f'{{"timestamp":"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z","log":{line}'
    rest: bytes = record.prepared.after_line[record.source].removeprefix(b'"')
    return begin.encode() + rest + f'{record.offset}"}}'.encode()


@given(batches([http().prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
def test_any_batch_is_its_records_one_by_one(records: list[Record]) -> None:
    written = [plainly(record) for record in records]
    assert http().encode(records) == b"\n".join(written) + b"\n"
    if records:
        assert http(http_format="json").encode(records) == b"[" + b",\n".join(written) + b"]\n"

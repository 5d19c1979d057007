"""Bulk requests of the sink ``elasticsearch``, byte for byte and against Elasticsearch's own rules."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.elasticsearch.index_names import index_name
from tests.sinks.elasticsearch.receiver import _INDEX as INDEX_NAME
from tests.sinks.elasticsearch.receiver import Store
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.receiving.http import Request
from tests.sinks.receiving.receiver import Receiver
from tests.sinks.strategies import SECOND, batches

HEADERS = {"Content-Type": "application/x-ndjson"}


def elasticsearch(**options: str) -> Sink[Any]:
    return sink_of(elasticsearch_url="http://h", **options)


def documents(sink: Sink[Any], *lines: bytes, origin: Origin | None = None) -> list[dict[str, Any]]:
    return [document for _, document in pairs(sink.encode(records_of(sink, lines, origin)))]


def pairs(request: bytes) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    lines = [json.loads(line) for line in request.split(b"\n")[:-1]]
    return list(zip(lines[::2], lines[1::2], strict=True))


def refusals(request: bytes) -> list[dict[str, Any]]:
    """Return the items that a server refuses, by Elasticsearch's rules."""
    store = Store()
    reply = store.answer(Receiver(lambda *_: None, 1), Request("POST", "/_bulk", HEADERS, request))  # type: ignore[arg-type]
    assert reply.status == 200, reply.body
    return [item for item in json.loads(reply.body)["items"] if item["create"]["status"] != 201]


def test_a_record_byte_for_byte() -> None:
    sink = elasticsearch()
    birth = f"{TIME:x}".encode()
    origin = origin_of(tag="web/1", attributes={"team": "core"})
    assert sink.encode(records_of(sink, [b'say "hi"\x1b'], origin)) == (
        b'{"create":{"_index":"logs-docker-default","_id":"8c1f8c1f8c1f-' + birth + b'-0"}}\n'
        b'{"@timestamp":"2023-11-14T22:13:20.123456789Z","message":"say \\"hi\\"\\u001b","event":{"sequence":0}'
        b',"stream":"stdout","ecs":{"version":"8.11.0"}'
        b',"data_stream":{"type":"logs","dataset":"docker","namespace":"default"},"host":{"name":"node1"}'
        b',"container":{"id":"' + b"8c1f" * 16 + b'","name":"web","runtime":"docker"'
        b',"image":{"name":"nginx","tag":["1.27"]}},"tags":["web/1"],"labels":{"team":"core"}}\n'
    )


def test_what_a_container_does_not_have_is_left_out() -> None:
    bare = msgspec.structs.replace(INFO, container_name="", container_image_name="")
    (document,) = documents(elasticsearch(elasticsearch_index="docker"), b"x", origin=origin_of(bare, tag=""))
    assert document["container"] == {"id": INFO.container_id, "runtime": "docker"}
    assert not document.keys() & {"tags", "labels", "service", "data_stream", "log", "fields"}


def test_the_default_tag_is_no_news() -> None:
    assert "tags" not in documents(elasticsearch(), b"x", origin=origin_of(tag=INFO.id))[0]


def test_names_in_compose_and_swarm() -> None:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "front",
        "com.docker.swarm.service.name": "shop_front",
        "com.docker.stack.namespace": "stack",
    }
    origin = origin_of(msgspec.structs.replace(INFO, container_labels=labels))
    (document,) = documents(elasticsearch(), b"x", origin=origin)
    assert document["service"] == {"name": "front"}
    assert document["labels"] == {
        "compose_project": "shop",
        "compose_service": "front",
        "swarm_service": "shop_front",
        "swarm_stack": "stack",
    }
    swarm = msgspec.structs.replace(INFO, container_labels={"com.docker.swarm.service.name": "shop_front"})
    assert documents(elasticsearch(), b"x", origin=origin_of(swarm))[0]["service"] == {"name": "shop_front"}


def test_the_id_is_that_of_the_record_and_orders_its_lines() -> None:
    sink = elasticsearch()
    ids = [action["create"]["_id"] for action, _ in pairs(sink.encode(records_of(sink, [b"x"] * 3)))]
    assert ids == [f"{INFO.id}-{TIME:x}-{offset}" for offset in (0, 100, 200)]
    assert [d["event"]["sequence"] for d in documents(sink, b"x", b"x", b"x")] == [0, 100, 200]


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("logs-{{.Name}}-default", "logs-web-default"),
        ("docker-{{.ImageName}}", "docker-nginx_1.27"),
        ("{{.Name}}/{{.ID}}", "web_8c1f8c1f8c1f"),
        ("_{{.Name}}", "web"),
        ("{{if false}}x{{end}}", "unnamed"),
        ("DOCKER-{{.Name}}", "docker-web"),
    ],
)
def test_the_index_by_template(template: str, name: str) -> None:
    sink = elasticsearch(elasticsearch_index=template)
    ((action, _),) = pairs(sink.encode(records_of(sink, [b"x"])))
    assert action["create"]["_index"] == name


@given(st.text(max_size=300))
def test_any_text_becomes_the_name_of_an_index(text: str) -> None:
    name = index_name(text)
    assert INDEX_NAME.fullmatch(name)
    assert len(name.encode()) <= 255
    assert name not in (".", "..")
    assert index_name(name) == name


@pytest.mark.parametrize(
    ("severity", "level"),
    [(1, "trace"), (5, "debug"), (9, "info"), (12, "info"), (13, "warn"), (17, "error"), (24, "fatal")],
)
def test_severity(severity: int, level: str) -> None:
    sink = elasticsearch()
    (record,) = records_of(sink, [b"x"])
    record.severity = severity
    ((_, document),) = pairs(sink.encode([record]))
    assert document["log"] == {"level": level}
    assert document["container"]["name"] == "web"


def test_a_severity_that_there_is_not_is_left_out() -> None:
    sink = elasticsearch()
    (record,) = records_of(sink, [b"x"])
    record.severity = 25
    assert "log" not in pairs(sink.encode([record]))[0][1]


def test_fields() -> None:
    sink = elasticsearch()
    (record,) = records_of(sink, [b"x"])
    record.fields = {"user": {"id": 7}, "list": [1, "a", None], "big": 2**70, "": 1, "a..b": {" ": 2}}
    ((_, document),) = pairs(sink.encode([record]))
    assert document["fields"] == {
        "user": {"id": 7},
        "list": [1, "a", None],
        "big": 2**70,
        "_": 1,
        "a__b": {"_": 2},
    }
    assert refusals(sink.encode([record])) == []


def test_names_of_labels_that_an_index_would_refuse_or_take_for_objects() -> None:
    attributes = {"": "x", " ": "z", "dot.ted": "x", "dot": "y", "..": "u", "n" * 1_000: "long", "lone": "\ud800"}
    sink = elasticsearch()
    request = sink.encode(records_of(sink, [b"x"], origin_of(attributes=attributes)))
    assert refusals(request) == []
    ((_, document),) = pairs(request)
    assert document["labels"] == {"dot_ted": "x", "dot": "y", "__": "u", "n" * 256: "long", "lone": "?"}


@given(st.lists(st.binary(max_size=200), min_size=1), st.integers(min_value=-(2**62), max_value=2**62))
def test_any_bytes_at_any_time(lines: list[bytes], time: int) -> None:
    sink = elasticsearch()
    request = sink.encode(records_of(sink, lines, time=time))
    assert [document["message"] for _, document in pairs(request)] == [
        line.decode("utf-8", "replace") for line in lines
    ]
    assert refusals(request) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _JSON, max_size=4), st.integers(0, 24), st.binary(max_size=20))
def test_any_fields_are_json(fields: dict[str, Any], severity: int, line: bytes) -> None:
    sink = elasticsearch()
    records = records_of(sink, [line, b"plain"])
    records[0].fields, records[0].severity = fields, severity
    (_, document), (_, plain) = pairs(sink.encode(records))
    assert document["message"] == line.decode("utf-8", "replace")
    assert ("fields" in document) == bool(fields)
    assert plain["message"] == "plain"
    assert not plain.keys() & {"fields", "log"}


def plainly(record: Record) -> bytes:
    """Write one record without regard to any other."""
    seconds, nanos = divmod(record.time_nano, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    line = json.dumps(record.line.decode("utf-8", "replace"), ensure_ascii=False)
    begin = f'{record.offset}"}}}}\n{{"@timestamp":"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z","message":{line}'
    middle = f',"event":{{"sequence":{record.offset}'
    rest: bytes = record.prepared.after[record.source]
    before: bytes = record.prepared.before
    return before + begin.encode() + middle.encode() + rest


@given(batches([elasticsearch().prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
def test_any_batch_is_its_records_one_by_one(records: list[Record]) -> None:
    assert elasticsearch().encode(records) == b"".join(map(plainly, records))

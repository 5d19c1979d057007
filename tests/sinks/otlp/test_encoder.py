"""OTLP's requests, against OpenTelemetry's own classes."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink, TooLargeError
from plugin.sinks.encoding.severity import severity_name
from plugin.sinks.otlp.attributes import any_value
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.strategies import batches

DEEPEST = 20


def otlp(**options: str) -> Sink[Any]:
    return sink_of(sink="otlp", **options)


def request(sink: Sink[Any], records: list[Record]) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(sink.encode(records))


def resource(origin: Origin | None = None, **options: str) -> dict[str, Any]:
    """Return the attributes of a container's resource."""
    sink = otlp(**options)
    (logs,) = request(sink, records_of(sink, [b"x"], origin)).resource_logs
    return attributes(logs.resource.attributes)


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(inner) for inner in value.array_value.values]
        case "kvlist_value":
            return attributes(value.kvlist_value.values)
        case str(kind):
            return getattr(value, kind)


def official(value: Any) -> AnyValue:
    """Make a value with the official class."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int() if -(2**63) <= value < 2**63:
            return AnyValue(int_value=value)
        case int():
            return AnyValue(string_value=str(value))
        case float():
            return AnyValue(double_value=value)
        case list():
            made = AnyValue()
            made.array_value.values.extend([official(inner) for inner in value])
            made.array_value.SetInParent()
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend([pair(name, inner) for name, inner in value.items()])
            made.kvlist_value.SetInParent()
            return made
    raise AssertionError(value)


def pair(name: str, value: Any) -> KeyValue:
    return KeyValue(key=name or "_", value=official(value))


def expected_record(record: Record) -> LogRecord:
    """Make a record with the official class."""
    time = max(record.time_nano, 0)
    uid = f"{INFO.id}-{TIME:x}-{record.offset}"
    made = LogRecord(
        time_unix_nano=time,
        observed_time_unix_nano=time,
        severity_number=record.severity,  # type: ignore[arg-type]
        severity_text=severity_name(record.severity),
        body=AnyValue(string_value=record.line.decode("utf-8", "replace")),
    )
    made.attributes.extend([pair("log.record.uid", uid), pair("log.iostream", record.source)])
    made.attributes.extend([pair(name, value) for name, value in (record.fields or {}).items()])
    return made


def expected_request(records: list[Record], tags: dict[int, str]) -> ExportLogsServiceRequest:
    """Make the request of a batch with the official classes; tags by the id of what is prepared."""
    made = ExportLogsServiceRequest()
    logs: dict[int, ResourceLogs] = {}
    for record in records:
        key = id(record.prepared)
        if key not in logs:
            logs[key] = made.resource_logs.add(resource=expected_resource(tags[key]))
            logs[key].scope_logs.add().scope.name = "peavey"
        logs[key].scope_logs[0].log_records.append(expected_record(record))
    return made


def expected_resource(tag: str) -> Resource:
    values = {
        "service.name": "web",
        "container.id": INFO.container_id,
        "container.name": "web",
        "container.runtime": "docker",
        "container.image.id": INFO.container_image_id,
        "container.image.name": "nginx",
        "container.image.tags": ["1.27"],
        "host.name": "node1",
        "tag": tag,
    }
    return Resource(attributes=[pair(name, value) for name, value in values.items()])


def test_a_request_byte_for_byte() -> None:
    """Ours is what the official classes serialize."""
    sink = otlp()
    records = records_of(sink, [b'say "hi"\x1b', b"", b"y" * 20_000, b"\xff"], origin_of(tag="t"))
    records[1].severity, records[1].fields = 17, {"user": "x", "n": [1, {"a": None}]}
    expected = expected_request(records, {id(records[0].prepared): "t"})
    assert sink.encode(records) == expected.SerializeToString(deterministic=True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_PREPARED = {tag: otlp().prepare(origin_of(tag=tag)) for tag in ("web", "db")}


@given(batches(list(_PREPARED.values())), st.data())
def test_any_batch_is_what_the_official_classes_make_of_it(records: list[Record], data: st.DataObject) -> None:
    for record in records:
        record.severity = data.draw(st.integers(0, 24))
        record.fields = data.draw(st.none() | st.dictionaries(st.text(), _JSON, max_size=3))
    tags = {id(prepared): tag for tag, prepared in _PREPARED.items()}
    assert request(otlp(), records) == expected_request(records, tags)


@given(batches(list(_PREPARED.values())))
def test_any_batch_of_plain_lines(records: list[Record]) -> None:
    tags = {id(prepared): tag for tag, prepared in _PREPARED.items()}
    assert request(otlp(), records) == expected_request(records, tags)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_000, 16_150, *range(16_180, 16_400), 20_000, 1 << 20])
def test_lines_of_any_size(size: int) -> None:
    """Where a size needs another byte, and where the tables end."""
    sink = otlp()
    records = records_of(sink, [b"x" * size], origin_of(tag="t"))
    assert request(sink, records) == expected_request(records, {id(records[0].prepared): "t"})


@pytest.mark.parametrize("offset", [0, 9, 10, 2**53, 2**62, 2**63 - 1])
def test_the_id_is_that_of_the_record(offset: int) -> None:
    sink = otlp()
    (record,) = records_of(sink, [b"x"])
    record.offset = offset
    (logs,) = request(sink, [record]).resource_logs
    assert attributes(logs.scope_logs[0].log_records[0].attributes)["log.record.uid"] == (
        f"{INFO.id}-{TIME:x}-{offset}"
    )


def test_severity() -> None:
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    assert [severity_name(number) for number in range(1, 25)] == [name for name in names for _ in range(4)]
    for number in range(1, 25):
        name = SeverityNumber.Name(number).removeprefix("SEVERITY_NUMBER_")  # type: ignore[arg-type]
        assert severity_name(number) == name.rstrip("1234")
    sink = otlp()
    (record,) = records_of(sink, [b"x"])
    for number in (-1, 0, 25):
        record.severity = number
        assert request(sink, [record]).resource_logs[0].scope_logs[0].log_records[0].severity_text == ""


def test_what_is_nested_very_deeply_becomes_text_that_decoders_take() -> None:
    value: Any = "x"
    for _ in range(900):
        value = [value]
    read = plain(AnyValue.FromString(any_value(value)))
    depth = 0
    while isinstance(read, list):
        (read,) = read
        depth += 1
    assert depth == DEEPEST
    assert read.startswith("[[[")


@pytest.mark.parametrize(
    ("value", "expected"), [((1, 2), [1, 2]), (b"\xff", b"\xff"), (2**63, str(2**63)), (..., "Ellipsis")]
)
def test_values_that_json_does_not_have(value: Any, expected: Any) -> None:
    assert plain(AnyValue.FromString(any_value(value))) == expected


def test_numbers_that_json_does_not_have() -> None:
    assert math.isnan(plain(AnyValue.FromString(any_value(math.nan))))


def test_what_a_container_does_not_have_is_left_out() -> None:
    bare = msgspec.structs.replace(INFO, container_name="", container_image_name="", container_image_id="")
    assert resource(origin_of(bare, tag=INFO.id)) == {
        "service.name": INFO.id,
        "container.id": INFO.container_id,
        "container.runtime": "docker",
        "host.name": "node1",
    }


COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "front"}
SWARM = {"com.docker.stack.namespace": "stack", "com.docker.swarm.service.name": "stack_front"}


@pytest.mark.parametrize(
    ("labels", "options", "service", "namespace"),
    [
        ({}, {}, "web", None),
        (COMPOSE, {}, "front", "shop"),
        (SWARM, {}, "stack_front", "stack"),
        (COMPOSE, {"otlp_service_name": "{{.ImageName}}"}, "nginx:1.27", "shop"),
        (COMPOSE, {"otlp_service_name": "{{if false}}x{{end}}"}, "front", "shop"),
        (COMPOSE, {"otlp_resource_attributes": "service.name=a%20b, deployment.environment.name=prod"}, "a b", "shop"),
    ],
)
def test_the_service(labels: dict[str, str], options: dict[str, str], service: str, namespace: str | None) -> None:
    found = resource(origin_of(msgspec.structs.replace(INFO, container_labels=labels)), **options)
    assert found["service.name"] == service
    assert found.get("service.namespace") == namespace
    assert {name: found[f"container.label.{name}"] for name in labels} == labels
    assert ("deployment.environment.name" in found) == ("otlp_resource_attributes" in options)


def test_labels_and_variables() -> None:
    info = msgspec.structs.replace(INFO, container_labels={"team": "core", "MODE": "label"})
    found = resource(origin_of(info, attributes={"team": "core", "MODE": "variable", "": "x"}))
    assert found["container.label.team"] == "core"
    assert found["MODE"] == "variable"
    assert "" not in found


def test_a_service_that_cannot_be_named() -> None:
    sink = otlp(otlp_service_name="{{index .ContainerArgs 7}}")
    with pytest.raises(MisconfiguredError, match="log-opt 'otlp-service-name'"):
        sink.prepare(origin_of())


def test_a_request_has_a_bound() -> None:
    sink = otlp(otlp_max_request_size="64k")
    with pytest.raises(TooLargeError, match="otlp-max-request-size"):
        sink.encode(records_of(sink, [b"x" * 40_000] * 2))
    assert request(sink, records_of(sink, [b"x" * 70_000]))
    assert len(otlp().encode(records_of(otlp(), [b"x" * 500_000] * 8))) < 4 << 20

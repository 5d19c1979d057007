"""No choice of labels and variables makes a destination refuse all lines of a container."""

import json
import re
from collections.abc import Callable

import msgspec
import pytest

from plugin.sinks.base import Origin
from plugin.sinks.encoding.bounds import Bounds, bounded, cut, fitting
from plugin.sinks.gcplogs.encoder import OPENING
from plugin.sinks.registry import schema
from plugin.sinks.transport.datagram import LARGEST_UDP, unpack
from tests.sinks.factories import INFO, NOISE, origin_of, records_of, sink_of
from tests.sinks.gcplogs.schema import check_entry, check_request
from tests.sinks.gelf.decoder import Reassembly, decode_stream
from tests.sinks.journald.test_encoder import fields_of
from tests.sinks.loki.payloads import decode_payload
from tests.sinks.otlp.receiver import decode_logs

KIB = 1024
LINE = b"a line"
MANY = {f"VARIABLE_{number:03}": f"value {number}" for number in range(200)}
LARGE = {"LARGE": NOISE[:34_000]}  # 100 kB in UTF-8
ODD = {"N" * 1_100: "long name", "": "no name", "lone": "\ud800", "a b/c:d": "x"}
ALL_KINDS = {**MANY, **LARGE, **ODD}


def loki(payload: bytes) -> None:
    """Loki's limits_config: max_label_names_per_series and so on, and structured metadata of 128 names and 64 KB."""
    (entry,) = decode_payload(payload)
    labels = dict(re.findall(r'(\w+)="([^"]*)"', entry.labels))
    assert len(labels) <= 15
    assert max(map(len, labels)) <= 1024
    assert max(len(value.encode()) for value in labels.values()) <= 2048
    assert len(entry.metadata) <= 120
    assert sum(len(name.encode()) + len(value.encode()) for name, value in entry.metadata.items()) <= 64 * KIB
    assert all(entry.metadata)
    assert entry.metadata["container_id"] == INFO.container_id


def gelf_tcp(payload: bytes) -> None:
    (message,) = decode_stream(payload)
    assert max(len(str(value).encode()) for value in message.values()) <= 32_766, "what Graylog's index takes"
    assert message["_VARIABLE_199"] == "value 199"
    assert len(payload) <= 2 * KIB * KIB, "what Graylog's inputs take"


def gelf_udp(payload: bytes) -> None:
    server = Reassembly()
    for datagram in unpack(payload):
        server.take(bytes(datagram))
    assert len(server.messages) == 1


def syslog_udp(payload: bytes) -> None:
    assert all(len(datagram) <= LARGEST_UDP for datagram in unpack(payload))


def elasticsearch(payload: bytes) -> None:
    """What an index takes: a thousand fields of all containers, 32,766 bytes of a keyword, names that are not blank."""
    action, document = payload.splitlines()
    assert action.startswith(b'{"create":')
    fields = json.loads(document)
    labels = fields["labels"]
    assert len(labels) <= 128
    assert max(len(value.encode()) for value in (*labels.values(), *fields.get("tags", ()))) <= 32_766
    assert all(name.strip() and "." not in name for name in labels)
    assert len(payload) <= 128 * KIB


def otlp(payload: bytes) -> None:
    (record,) = decode_logs(payload)
    assert record.line == LINE
    assert len(payload) <= 512 * KIB


def journald(payload: bytes) -> None:
    """What journald takes: 1,024 fields in an entry, of names with at most 64 characters."""
    (entry,) = unpack(payload)
    fields = fields_of(bytes(entry))
    assert dict(fields)["MESSAGE"] == LINE
    assert len(fields) <= 900


def gcplogs(payload: bytes) -> None:
    entry = json.loads(OPENING + payload)
    check_request({"logName": "projects/p/logs/x", "resource": {"type": "global"}, "entries": [entry]})
    check_entry(entry)


def body(payload: bytes) -> None:
    assert len(payload) <= 512 * KIB


SINKS: list[tuple[dict[str, str], Callable[[bytes], None]]] = [
    ({"loki_url": "http://h"}, loki),
    ({"gelf_address": "tcp://h:1"}, gelf_tcp),
    ({"gelf_address": "udp://h:1", "gelf_compression_type": "none"}, gelf_udp),
    ({"http_url": "http://h"}, body),
    ({"elasticsearch_url": "http://h"}, elasticsearch),
    ({"otlp_endpoint": "http://h"}, otlp),
    ({"splunk_url": "http://h", "splunk_token": "t"}, body),
    ({"splunk_url": "http://h", "splunk_token": "t", "splunk_format": "raw"}, body),
    ({"fluentd_address": "h"}, body),
    ({"sink": "journald"}, journald),
    ({"sink": "gcplogs", "gcp_log_cmd": "true"}, gcplogs),
    ({"amqp_url": "amqp://h"}, body),
    ({"awslogs_group": "g", "awslogs_stream": "web"}, body),
    ({"s3_bucket": "logs", "s3_compression": "none"}, body),
    ({"kafka_brokers": "h"}, body),
    ({"kafka_brokers": "h", "kafka_format": "text"}, body),
    ({"nats_url": "nats://h"}, body),
    ({"redis_url": "redis://h"}, body),
    ({"clickhouse_url": "http://h", "clickhouse_compression": "none"}, body),
    ({"syslog_address": "udp://h"}, syslog_udp),
    ({"syslog_address": "udp://h", "syslog_format": "rfc5424"}, syslog_udp),
]


@pytest.mark.parametrize(
    ("options", "check"),
    SINKS,
    ids=[" ".join(options.values()) + f" {number}" for number, (options, _) in enumerate(SINKS)],
)
@pytest.mark.parametrize(
    "origin",
    [
        origin_of(attributes=ALL_KINDS),
        origin_of(attributes={f"V{number}": NOISE[:10_000] for number in range(50)} | MANY),
        origin_of(attributes=MANY, tag="t" * 1_000_000),
        origin_of(msgspec.structs.replace(INFO, container_args=[NOISE] * 5), attributes=MANY),
    ],
    ids=["all kinds", "many large", "large tag", "large command"],
)
def test_one_line_is_within_what_the_destination_takes(
    options: dict[str, str], check: Callable[[bytes], None], origin: Origin
) -> None:
    sink = sink_of(**options)
    check(sink.encode(records_of(sink, [LINE], origin)))


def test_every_sink_with_a_receiver_is_asked() -> None:
    asked = {sink_of(**options).declaration.name for options, _ in SINKS}
    assert asked == {sink.name for sink in schema().sinks} - {"json-file"}, "that writes everything, as Docker's does"


def test_what_is_left_out_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    info = msgspec.structs.replace(INFO, container_id="5a1d" * 16)
    for _ in range(2):
        sink = sink_of(loki_url="http://logs:3100/secret-path")
        sink.prepare(origin_of(info, attributes=ALL_KINDS))
    (record,) = caplog.records
    text = record.getMessage()
    assert "container web (5a1d5a1d5a1d), destination loki@http://logs:3100: labels or variables are left out" in text
    assert "'LARGE', 'NNN" in text
    assert "'VARIABLE_136'" in text
    assert text.endswith(" more")
    assert "secret" not in text


def test_what_loki_gets_no_metadata_for_is_said(caplog: pytest.LogCaptureFixture) -> None:
    info = msgspec.structs.replace(INFO, container_id="5a1e" * 16)
    sink = sink_of(loki_url="http://h", loki_structured_metadata="false")
    sink.prepare(origin_of(info, attributes={"a" * 20: "x", "b": "y" * 3000}))
    assert "left out, it takes no more: 'b'" in caplog.text


def test_values_that_fit_are_chosen_in_order() -> None:
    values = {"a": "12345", "b": "1", "ü": "1", "c": "123", "d": ""}
    assert fitting(values, Bounds(size=100, value=4)) == {"b": "1", "ü": "1", "c": "123", "d": ""}
    assert fitting(values, Bounds(size=6, value=9)) == {"a": "12345"}
    assert fitting(values, Bounds(size=5, value=9)) == {"b": "1", "ü": "1"}
    assert fitting(values, Bounds(size=100, value=9, count=2)) == {"a": "12345", "b": "1"}


def test_an_origin_that_fits_stays_as_it_is() -> None:
    origin = origin_of(attributes={"a": "1"})
    assert bounded(origin, "x", Bounds(size=2, value=1)) is origin


@pytest.mark.parametrize(("text", "longest", "expected"), [("abc", 3, "abc"), ("abc", 2, "ab"), ("aüb", 2, "a")])
def test_texts_are_cut_between_characters(text: str, longest: int, expected: str) -> None:
    assert cut(text, longest) == expected

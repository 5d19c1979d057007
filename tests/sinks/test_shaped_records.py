"""Fields and severity of a record, as transforms have made them, in each sink's own way; others are as they were."""

import json
from typing import Any

import msgpack
import pytest

from plugin.sinks.base import Record, Sink
from plugin.sinks.encoding.record_fields import syslog_level
from plugin.sinks.loki.encoder import ContainerStream, encode_streams, labels_field, metadata_fields
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.sinks.fluentd.decoder import decode
from tests.sinks.gelf.decoder import decode_stream
from tests.sinks.loki.push_decoder import decode_push

FIELDS = {"order": 7, "who": "bob", "deep": {"a": [1, None]}, "ok": True, "no-thing": None}


def shaped(sink: Sink[Any], **changes: Any) -> list[Record]:
    """Make three records, of which that in the middle has fields and a severity."""
    records = records_of(sink, [b"before", b"shaped", b"after"], origin_of())
    records[1].fields = dict(FIELDS)
    records[1].severity = 17
    for name, value in changes.items():
        setattr(records[1], name, value)
    return records


def objects(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.decode().splitlines()]


def test_http() -> None:
    sink = sink_of(http_url="http://h/in")
    before, made, after = objects(sink.encode(shaped(sink)))

    assert (made["log"], made["level"], made["fields"]) == ("shaped", "error", FIELDS)
    assert before.keys() == after.keys() == made.keys() - {"level", "fields"}


def test_gelf() -> None:
    sink = sink_of(gelf_address="tcp://127.0.0.1:12201")
    before, made, after = decode_stream(sink.encode(shaped(sink, fields={**FIELDS, "tag": "x", "id": "y"})))

    assert [message["level"] for message in (before, made, after)] == [6, 3, 6]
    own = {"_order": 7, "_who": "bob", "_deep": '{"a":[1,null]}', "_ok": "true", "__id": "y"}
    assert {name: value for name, value in made.items() if name not in before} == own
    assert made["_tag"] == before["_tag"]
    assert before.keys() == after.keys()


@pytest.mark.parametrize("severity", range(25))
def test_syslog(severity: int) -> None:
    sink = sink_of(syslog_address="tcp://127.0.0.1", syslog_format="rfc5424")
    lines = sink.encode(shaped(sink, severity=severity)).splitlines()

    expected = b"<%d>1 " % (3 << 3 | (syslog_level(severity) if severity else 6))
    assert [line[: len(expected)] for line in lines] == [b"<30>1 ", expected, b"<30>1 "]


def test_the_levels_of_syslog_grow_with_severity_and_are_never_emergencies() -> None:
    levels = [syslog_level(severity) for severity in (1, 5, 9, 10, 13, 17, 18, 19, 21, 24)]

    assert levels == [7, 7, 6, 5, 4, 3, 2, 1, 2, 2]


@pytest.mark.parametrize("form", ["inline", "json"])
def test_splunk(form: str) -> None:
    sink = sink_of(splunk_url="http://h:8088", splunk_token="0", splunk_format=form)  # noqa: S106
    decoder = json.JSONDecoder()
    content = sink.encode(shaped(sink)).decode()
    events = []
    while content:
        event, end = decoder.raw_decode(content)
        events.append(event["event"])
        content = content[end:]
    before, made, after = events

    assert (made["line"], made["level"], made["fields"]) == ("shaped", "error", FIELDS)
    assert before.keys() == after.keys() == made.keys() - {"level", "fields"}


def test_splunk_raw_is_the_line_alone() -> None:
    sink = sink_of(splunk_url="http://h:8088", splunk_token="0", splunk_format="raw")  # noqa: S106

    assert b"bob" not in sink.encode(shaped(sink))


def test_fluentd() -> None:
    sink = sink_of(fluentd_address="127.0.0.1")
    records = shaped(sink, fields={**FIELDS, "source": "x", "log": "y"})
    ((_, entries, _),) = decode(sink.encode(records))
    before, made, after = (fields for _, fields in entries)

    own = {name: value for name, value in made.items() if name not in before}
    assert own == {**FIELDS, "level": "error"}
    assert (made["log"], made["source"]) == ("shaped", "stdout")
    assert list(made)[-1] == "log"
    assert before.keys() == after.keys()


def test_json_file() -> None:
    sink = sink_of(json_file_path="/var/log/{{.Name}}.log")
    _, content = msgpack.unpackb(sink.encode(shaped(sink)))
    before, made, after = objects(content)

    assert (made["log"], made["level"], made["fields"]) == ("shaped\n", "error", FIELDS)
    assert before.keys() == after.keys() == made.keys() - {"level", "fields"}
    assert list(made)[-1] == "time"


@pytest.mark.parametrize("options", [{"http_url": "http://h/in"}, {"json_file_path": "/{{.Name}}.log"}])
def test_no_fields_at_all_leave_json_as_it_is(options: dict[str, str]) -> None:
    sink = sink_of(**options)

    assert sink.encode(shaped(sink, fields={}, severity=0)) == sink.encode(shaped(sink, fields=None, severity=0))


class TestLoki:
    def push(self, metadata: bytes, fields: dict[str, Any] | None) -> list[dict[str, str]]:
        prepared = {"stdout": ContainerStream(labels_field({"app": "web"}), metadata)}
        records = [Record(prepared, "stdout", TIME + number, b"line", 0) for number in range(3)]
        records[1].fields, records[1].severity = fields, 17
        content = b"".join(stream.field() for stream in encode_streams(records, 1_000))
        return [dict(entry.metadata) for entry in decode_push(content)]

    def test_has_structured_metadata(self) -> None:
        before, made, after = self.push(metadata_fields({"id": "x"}), {**FIELDS, "1 a.b": "c"})

        own = {"order": "7", "who": "bob", "deep": '{"a":[1,null]}', "ok": "true", "no_thing": "null", "_1_a_b": "c"}
        assert made == {"id": "x", "level": "error", **own}
        assert before == after == {"id": "x"}

    def test_a_level_of_its_own_stays(self) -> None:
        assert self.push(metadata_fields({"id": "x"}), {"level": "ERR"})[1]["level"] == "ERR"

    def test_not_where_it_is_not_wanted(self) -> None:
        assert self.push(b"", FIELDS) == [{}, {}, {}]

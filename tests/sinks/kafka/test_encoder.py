"""What records become, for json and for text."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plugin.records.record import Record
from plugin.sinks.base import Sink
from plugin.sinks.kafka.encoder import Run, runs
from plugin.sinks.kafka.sink import topic_of
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of


def make(**options: str) -> Sink[Any]:
    return sink_of(**{"kafka_brokers": "127.0.0.1:1"} | options)


def encoded(sink: Sink[Any], records: list[Record]) -> list[Run]:
    return list(runs(sink.encode(records)))


def test_an_object_for_each_line() -> None:
    sink = make(kafka_topic="logs.{{.Name}}")
    prepared = sink.prepare(origin_of(attributes={"env": "prod"}))
    records = [
        Record(prepared, "stderr", TIME, b'say "hi"', 70, fields={"user": {"id": 7}}, severity=17),
        Record(prepared, "stderr", TIME + 1_000_000, b"there", 95),
    ]
    (run,) = encoded(sink, records)
    assert (run.topic, run.key, run.container) == (
        "logs.web",
        INFO.container_id.encode(),
        f"{INFO.container_id}-{TIME:x}",
    )
    assert run.headers == (("container_id", INFO.container_id.encode()),)
    assert list(run.times) == [TIME // 1_000_000, TIME // 1_000_000 + 1]
    assert list(run.offsets) == [70, 95]
    constant = {
        "source": "stderr",
        "container_id": INFO.container_id,
        "container_name": "web",
        "image": "nginx:1.27",
        "host": "node1",
        "tag": "8c1f8c1f8c1f",
        "attributes": {"env": "prod"},
    }
    assert [json.loads(value) for value in run.values] == [
        {"timestamp": "2023-11-14T22:13:20.123456789Z", "log": 'say "hi"', "offset": 70, **constant}
        | {"severity": 17, "fields": {"user": {"id": 7}}},
        {"timestamp": "2023-11-14T22:13:20.124456789Z", "log": "there", "offset": 95, **constant},
    ]


def test_without_metadata_a_line_has_what_is_its_own() -> None:
    sink = make(kafka_metadata="false")
    (run,) = encoded(sink, records_of(sink, [b"a"]))
    assert json.loads(run.values[0]).keys() == {"timestamp", "log", "source", "offset"}


def test_text_is_the_line_alone() -> None:
    sink = make(kafka_format="text")
    (run,) = encoded(sink, records_of(sink, [b"\xff\n", b""], source="stderr"))
    assert run.values == (b"\xff\n", b"")
    assert dict(run.headers) == {
        "container_id": INFO.container_id.encode(),
        "container_name": b"web",
        "source": b"stderr",
    }


def test_a_run_is_of_one_container_and_source() -> None:
    sink = make()
    web = sink.prepare(origin_of())
    other = sink.prepare(origin_of())
    sources = [(web, "stdout"), (web, "stdout"), (web, "stderr"), (other, "stderr"), (web, "stderr")]
    records = [Record(prepared, source, TIME, b"x", number) for number, (prepared, source) in enumerate(sources)]
    assert [list(run.offsets) for run in encoded(sink, records)] == [[0, 1], [2], [3], [4]]


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["json", "text"]))
def test_any_bytes(lines: list[bytes], form: str) -> None:
    sink = make(kafka_format=form)
    found = [value for run in encoded(sink, records_of(sink, lines)) for value in run.values]
    if form == "json":
        assert [json.loads(value)["log"] for value in found] == [line.decode("utf-8", "replace") for line in lines]
    else:
        assert found == lines


@given(st.text(max_size=300))
def test_any_text_becomes_a_topic(text: str) -> None:
    topic = topic_of(text)
    assert len(topic) <= 249
    assert topic not in (".", "..")
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in topic)
    assert len(topic) == min(249, len(text)) or text in (".", "..")

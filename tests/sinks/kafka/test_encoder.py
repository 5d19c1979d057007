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
        | {"level": "error", "fields": {"user": {"id": 7}}},
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


def runs_of_sources(sink: Sink[Any]) -> list[list[int]]:
    """Encode records of two containers and both sources, and list the offsets of each run."""
    web = sink.prepare(origin_of())
    other = sink.prepare(origin_of())
    sources = [(web, "stdout"), (web, "stdout"), (web, "stderr"), (other, "stderr"), (web, "stderr")]
    records = [Record(prepared, source, TIME, b"x", number) for number, (prepared, source) in enumerate(sources)]
    return [list(run.offsets) for run in encoded(sink, records)]


def test_a_run_is_of_one_container_and_as_text_of_one_source() -> None:
    assert runs_of_sources(make()) == [[0, 1, 2], [3], [4]]
    assert runs_of_sources(make(kafka_format="text")) == [[0, 1], [2], [3], [4]]


def test_several_lines_to_a_message() -> None:
    sink = make(kafka_lines_per_message="2", kafka_max_batch_bytes="1k")
    prepared = sink.prepare(origin_of())
    lines = [b"a", b"b", b"c", b"x" * 1_000, b"d", b"e"]
    records = [Record(prepared, "stdout", TIME + 10**6 * n, line, 100 * n) for n, line in enumerate(lines)]
    (run,) = encoded(sink, records)
    texts = [[json.loads(line)["log"].encode() for line in value.split(b"\n")] for value in run.values]
    assert texts == [[b"a", b"b"], [b"c", b"x" * 1_000], [b"d", b"e"]]
    assert list(run.counts) == [2, 2, 2]
    assert list(run.times) == [TIME // 10**6 + n for n in (0, 2, 4)]
    assert list(run.offsets) == [0, 100, 200, 300, 400, 500]


@given(
    st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=50), st.sampled_from(["stdout", "stderr"]))),
    st.integers(1, 5),
    st.sampled_from(["json", "text"]),
)
def test_any_records_come_once_in_order(drawn: list[tuple[int, bytes, str]], most: int, form: str) -> None:
    sink = make(kafka_format=form, kafka_lines_per_message=str(most if form == "json" else 1))
    containers = [sink.prepare(origin_of()) for _ in range(2)]
    records = [Record(containers[which], source, TIME, line, n) for n, (which, line, source) in enumerate(drawn)]
    found = encoded(sink, records)
    assert [offset for run in found for offset in run.offsets] == list(range(len(records)))
    values = [value for run in found for value in run.values]
    if form == "text":
        assert values == [line for _, line, _ in drawn]
        return
    lines = [value.split(b"\n") for value in values]
    assert [len(each) for each in lines] == [count for run in found for count in run.counts]
    assert max(map(len, lines), default=0) <= most
    texts = [json.loads(line)["log"] for each in lines for line in each]
    assert texts == [line.decode("utf-8", "replace") for _, line, _ in drawn]


@given(st.text(max_size=300))
def test_any_text_becomes_a_topic(text: str) -> None:
    topic = topic_of(text)
    assert len(topic) <= 249
    assert topic not in (".", "..")
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in topic)
    assert len(topic) == min(249, len(text)) or text in (".", "..")

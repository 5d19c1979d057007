"""What pipeline stages make of records reaches Loki: labels, structured metadata, tenants; also from dead letters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from plugin.config.options import SinkChoice, check_start, validate
from plugin.delivery.dead_letters import Letter
from plugin.errors import OptionError
from plugin.sinks.base import Record, Sink
from plugin.sinks.loki.container_streams import ContainerStreams
from plugin.sinks.registry import make_sink, schema
from plugin.transforms.chain import make_stages
from tests.sinks.factories import INFO, TIME, origin_of, records_of
from tests.sinks.http_servers import answer, http_server, requests_of
from tests.sinks.loki.payloads import decode_payload
from tests.sinks.loki.push_decoder import decode_body
from tests.sinks.loki.test_partial_refusals import send

LEVELS = """
- json:
    expressions: {level: , trace: , customer: , msg: }
- labels:
    level:
- structured_metadata:
    trace:
- tenant:
    source: customer
- output:
    source: msg
"""
OWN = 'container_name="web", host="node1"'


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server)
        yield server


def choice_of(stages: str = LEVELS, url: str = "http://h", **options: str) -> SinkChoice:
    given = {name.replace("_", "-"): text for name, text in options.items()}
    (choice,) = validate({"loki-url": url, "loki-pipeline-stages": stages, **given}, None, schema()).sinks
    return choice


def shaped(choice: SinkChoice, sink: Sink[Any], *lines: bytes) -> list[Record]:
    made = records_of(sink, lines)
    for stage in make_stages(choice.transforms, INFO, choice.options.read_stages()):
        made = [each for record in made for each in stage.feed(record)]
    return made


def test_labels_and_structured_metadata() -> None:
    choice = choice_of()
    sink = make_sink(choice)
    lines = [b'{"level":"warn","trace":"7","msg":"a"}', b"plain", b'{"level":"info","msg":"b"}', b'{"level":"warn"}']
    entries = decode_payload(sink.encode(shaped(choice, sink, *lines)))

    assert [(entry.labels, entry.line) for entry in entries] == [
        (f'{{{OWN}, level="warn", source="stdout"}}', "a"),
        (f'{{{OWN}, level="warn", source="stdout"}}', '{"level":"warn"}'),
        (f'{{{OWN}, source="stdout"}}', "plain"),
        (f'{{{OWN}, level="info", source="stdout"}}', "b"),
    ]
    container = {"container_id": INFO.container_id, "image": "nginx:1.27"}
    assert [entry.metadata for entry in entries] == [container | {"trace": "7"}, container, container, container]


def test_labels_that_loki_would_refuse_go_along_as_metadata() -> None:
    stages = "[{static_labels: {" + ", ".join(f"l{number:02}: v" for number in range(20)) + "}}]"
    choice = choice_of(stages)
    sink = make_sink(choice)
    (entry,) = decode_payload(sink.encode(shaped(choice, sink, b"x")))

    assert entry.labels.count("=") == 15
    assert f"{OWN}," in entry.labels
    assert sum(name.startswith("l") for name in entry.metadata) == 8

    choice = choice_of("[{regex: {expression: '(?P<all>.*)'}}, {labels: {all: }}]")
    (entry,) = decode_payload(make_sink(choice).encode(shaped(choice, make_sink(choice), b"x" * 2_049)))
    assert "all" not in entry.labels
    assert entry.metadata["all"] == "x" * 2_049


def test_tenants_are_pushed_apart(server: HTTPServer) -> None:
    choice = choice_of(url=f"http://127.0.0.1:{server.port}", loki_tenant_id="ours")
    sink = make_sink(choice)
    lines = [
        b'{"customer":"a","msg":"1"}',
        b'{"msg":"2"}',
        b'{"customer":"b","msg":"3"}',
        b'{"customer":"a","msg":"4"}',
    ]
    batch = shaped(choice, sink, *lines)
    send(sink, batch, shaped(choice, sink, *lines))

    pushed: dict[str, list[str]] = {}
    for request in requests_of(server):
        entries = decode_body(request.get_data())
        pushed.setdefault(request.headers["X-Scope-OrgID"], []).extend(entry.line for entry in entries)
        assert "__tenant_id__" not in request.get_data().decode("latin-1")
    assert pushed == {"a": ["1", "4"] * 2, "ours": ["2"] * 2, "b": ["3"] * 2}


def test_the_same_labels_of_two_tenants_are_two_streams() -> None:
    choice = choice_of()
    sink = make_sink(choice)
    batch = shaped(choice, sink, b'{"customer":"a"}', b'{"customer":"b"}')
    assert len({record.prepared.get("stdout").key for record in batch}) == 2
    assert len({record.prepared.get("stdout").labels for record in batch}) == 1


def test_a_dead_letter_keeps_labels_and_tenant() -> None:
    choice = choice_of()
    sink = make_sink(choice)
    (record,) = shaped(choice, sink, b'{"customer":"a","level":"warn","trace":"7","msg":"x"}')
    letter = Letter.of(record, "refused", TIME)
    again = letter.record(sink.prepare(origin_of()))

    assert sink.encode([again]) == sink.encode([record])
    assert again.prepared.change == record.prepared.change == ({**record.prepared.labels_of("stdout")}, "a")


def test_what_was_made_is_remembered_up_to_a_bound() -> None:
    streams = ContainerStreams({"stdout": {"a": "b"}}, b"", 15)
    first = streams.relabelled("stdout", {"a": "c"}, "")
    assert streams.relabelled("stdout", {"a": "c"}, "") is first
    for number in range(1_000):
        streams.relabelled("stdout", {"a": str(number)}, "")
    assert streams.relabelled("stdout", {"a": "c"}, "") is not first


def test_a_container_that_a_rule_drops_stays_so() -> None:
    choice = choice_of(loki_relabel_config="[{action: drop, source_labels: [container_name], regex: web}]")
    sink = make_sink(choice)
    assert sink.encode(shaped(choice, sink, b'{"level":"warn","customer":"a"}')) == b""


def test_both_options_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "stages.yaml"
    path.write_text("pipeline_stages: [{docker: }]")
    with pytest.raises(OptionError, match="loki-pipeline-stage-file exclude each other"):
        choice_of(loki_pipeline_stage_file=str(path))


def test_metadata_that_is_not_sent_is_told() -> None:
    with pytest.raises(OptionError, match="loki-structured-metadata=false"):
        choice_of(
            "[{match: {selector: '{}', stages: [{structured_metadata: {a: }}]}}]", loki_structured_metadata="false"
        )


def test_a_file_is_looked_at_when_the_container_starts(tmp_path: Path) -> None:
    path = tmp_path / "stages.yaml"
    given = {"loki-url": "http://h", "loki-pipeline-stage-file": str(path)}
    options = validate(given, None, schema())
    with pytest.raises(OptionError, match="loki-pipeline-stage-file: cannot read"):
        check_start(options, INFO)
    path.write_text("pipeline_stages: [{metrics: }]")
    with pytest.raises(OptionError, match="loki-pipeline-stage-file: stage 1 \\(metrics\\): it is not supported"):
        check_start(options, INFO)
    path.write_text("pipeline_stages: [{static_labels: {a: b}}]")
    check_start(options, INFO)
    assert len(options.sinks[0].options.read_stages()) == 1

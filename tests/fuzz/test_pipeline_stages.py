"""Pipeline stages: whatever is written is read or refused with a message, and what is read takes any line."""

import contextlib
import json
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from plugin.config.pipeline_stages import parse_stages
from plugin.config.pipeline_stages.parser import _FIELDS
from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.pipeline import Pipeline
from plugin.transforms.pipeline_stages.compiler import make_pipeline
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import JSON, TEXTS, changed_json
from tests.transforms.pipeline_stages.running import LARGEST, records

NAMES = st.sampled_from(["a", "b", "level", "stream", "flags", "time", "__tenant_id__"])
FIELDS = sorted({field for fields in _FIELDS.values() for field in fields})
VALUES = st.sampled_from(
    [
        "a",
        "a.b[0] || c",
        "(?P<a>.*)(?P<b>b)?",
        "()*",
        "{{ .Value | ToUpper }}{{ .a }}",
        '{{ Replace .Entry "" "x" -1 }}',
        '{{ regexReplaceAll .a .b "$1" }}',
        "{{ substr 3 1 .a }}{{ add .a .b }}",
        '{a="b"} |~ "c"',
        "{}",
        "drop",
        "keep",
        "RFC3339",
        "Unix",
        "Jan _2 15:04:05.000 MST -07:00",
        "Europe/Berlin",
        "1s",
        "2",
        "8kb",
        "true",
    ]
)


def _stage(name: str, nested: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.dictionaries(NAMES, NAMES | st.none() | TEXTS, max_size=3)
    values = VALUES | NAMES | TEXTS | names | st.lists(NAMES, max_size=2)
    fields = st.dictionaries(st.sampled_from(_FIELDS[name] or ("x",)), values, max_size=5)
    if name == "match":
        selector = st.sampled_from(["{}", '{a=~"b.*"}', '{level!=""} |= "a"'])
        fields = st.fixed_dictionaries({"selector": selector, "stages": st.lists(nested, max_size=2)})
    config = names if name in ("labels", "structured_metadata", "static_labels") else fields
    return config.map(lambda given_: {name: given_})


FLAT = st.sampled_from(sorted(_FIELDS.keys() - {"match"})).flatmap(lambda name: _stage(name, st.nothing()))
STAGES = st.lists(FLAT | _stage("match", FLAT), max_size=6)
LINES = st.lists(
    TEXTS.map(lambda text: text.encode(errors="surrogatepass"))
    | st.binary(max_size=40)
    | changed_json({"a": 1.5, "b": {"c": ["x"]}, "level": "warn", "time": "2006-01-02T15:04:05Z"})
    | st.sampled_from([b"2006-01-02T15:04:05Z stdout P x", b"2006-01-02T15:04:05Z stdout F y", b"a=1 level=warn"]),
    max_size=5,
)


@fuzzed()
@given(STAGES, LINES)
def test_stages_that_are_read_take_any_line(document: list[Any], lines: list[bytes]) -> None:
    try:
        stages = parse_stages(json.dumps(document)).stages
    except ValueError:
        return
    pipeline = Pipeline(make_pipeline(stages, (), LARGEST), Position(0, 0))
    fed = records(lines, {"a": "b"})
    made = pipeline.feed(fed) + pipeline.flush(math.inf)
    dropped = sum(pipeline.dropped.values())
    assert len(made) + dropped <= len(lines)
    for record in made:
        assert isinstance(record, Record)
        assert 0 <= record.time_nano < 2**63
        for name, value in record.prepared.labels_of("stdout").items():
            assert isinstance(name, str)
            value.encode()


@fuzzed()
@given(
    st.text("[]{}:-,&*!|>'\"%@`# \n\tab", max_size=60)
    | TEXTS
    | JSON.map(json.dumps)
    | st.sampled_from(["[" * 60_000, "{a: " * 15_000, "- " * 30_000, "- match:\n" * 6_000])
    | STAGES.map(json.dumps).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
)
@example("[{<<: [1]}]")
@example("&a [*a]")
@example("? [a]\n: b")
@example("!!python/object:x {}")
@example("[{match: {selector: '{a=\"\\\\U99999999\"}', action: drop}}]")
def test_any_text(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_stages(text)

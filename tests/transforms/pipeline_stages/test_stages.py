"""What the documentation of Promtail does not show: faults, odd input, the order of things, and restarts."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.pipeline_stages import parse_stages
from plugin.records.position import Position
from plugin.transforms.base import Reason
from plugin.transforms.pipeline import Pipeline
from plugin.transforms.pipeline_stages.compiler import make_pipeline
from tests.sinks.factories import TIME
from tests.transforms.lines import lines_of, record, shaped, stages
from tests.transforms.pipeline_stages.running import LARGEST, extracted, records, run, sent_of, through
from tests.transforms.test_chain import FEEDS, Fed, made_of, seen, with_kills

JSON = "[{json: {expressions: {a: '%s'}}}]"


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("b", '{"b": 125}', 125),
        ("b", '{"b": 12345678901234567890}', 12345678901234567890),
        ("b.c[0]", '{"b": {"c": ["x", "y"]}}', "x"),
        ("b[-1].c", '{"b": [1, {"c": true}]}', True),
        ("b[7]", '{"b": [1]}', None),
        ("b || c", '{"c": "x"}', "x"),
        ("b || c", '{"b": "", "c": "x"}', "x"),
        ("b || c", '{"b": 0, "c": "x"}', 0),
        ("@", '{"b": [1, {"c": "<&>"}]}', '{"b":[1,{"c":"\\u003c\\u0026\\u003e"}]}'),
        ("b", '{"b": "\\ud800x"}', "?x"),
        ("b", b'{"b": "\xffx"}', "�x"),
        ("b", '{"b": null}', None),
    ],
)
def test_json(path: str, line: str | bytes, expected: Any) -> None:
    assert extracted(JSON % path, line) == {"a": expected}


@pytest.mark.parametrize(
    "line", ["", "x", "[]", '"x"', "{", '{"a":1', '{"a":NaN}', "1" * 5_000, b"\xff", '{"a":' * 100_000, "{" * 100_000]
)
def test_what_is_not_json_goes_on_unless_it_is_to_be_dropped(line: str | bytes) -> None:
    assert len(run(JSON % "b", line)) == 1
    assert run("[{json: {expressions: {a: b}, drop_malformed: true}}]", line) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.5", "1.5"), ("1e3", "1000"), ("1e-7", "0.0000001"), ("true", "true"), ("1e21", "1" + "0" * 21)],
)
def test_values_are_texts_without_exponents(value: str, text: str) -> None:
    (sent,) = run("[{json: {expressions: {b: }}}, {labels: {b: }}]", f'{{"b": {value}}}')
    assert sent.labels == {"b": text}


def test_a_label_of_null_or_of_bytes_that_are_not_utf8_is_none() -> None:
    assert run("[{json: {expressions: {b: }}}, {labels: {b: }}]", '{"b": null}')[0].labels == {}
    stages = parse_stages("[{logfmt: {mapping: {b: }}}, {labels: {b: }}, {output: {source: b}}]").stages
    (made,) = through(make_pipeline(stages, (), LARGEST), records([b"b=\xc3"], {}))
    assert (made.line, made.prepared.change) == (b"\xc3", None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('a="x\\"y" b=1', {"a": 'x"y'}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ('b="open a=1', {}),
        ('a=1 b="x"y', {"a": "1"}),
        ("\ta=1\nb=2", {"a": "1"}),
        ("=1 a=2", {}),
    ],
)
def test_logfmt(line: str, expected: dict[str, str]) -> None:
    assert extracted("[{logfmt: {mapping: {a: }}}]", line) == expected


def test_a_time_that_cannot_be_read_is_behind_the_last_one_of_the_same_labels() -> None:
    lines = ['{"t": 5, "l": "a"}', '{"t": "x", "l": "a"}', '{"l": "a"}', '{"t": "x", "l": "b"}']
    text = "[{json: {expressions: {t: , l: }}}, {labels: {l: }}, {timestamp: {source: t, format: Unix%s}}]"
    assert [one.time for one in run(text % "", *lines)] == [5 * 10**9, 5 * 10**9 + 1, 5 * 10**9 + 2, TIME]
    skips = text % ", action_on_failure: skip"
    assert [one.time for one in run(skips, *lines)] == [5 * 10**9, TIME, TIME, TIME]


def test_fallback_formats() -> None:
    text = "[{regex: {expression: '(?P<t>.*)'}}, {timestamp: {source: t, format: RFC3339, fallback_formats: [UnixMs]}}]"
    assert [one.time for one in run(text, "1970-01-01T00:00:01Z", "2000")] == [10**9, 2 * 10**9]


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ('{app="web"}', True),
        ('{app!="web"}', False),
        ('{app=~"w.b"}', True),
        ('{app=~"w"}', False),
        ('{app!~"w.*"}', False),
        ('{gone=""}', True),
        ('{gone!=""}', False),
        ("{}", True),
        ('{app="web",host="n"}', False),
        ('{app="web"} |= "ell"', True),
        ('{app="web"} != "ell"', False),
        ('{app="web"} |~ "^h.*o$"', True),
        ('{app="web"} !~ "x" |= "h"', True),
        ("{app=`web`} |= `hello`", True),
        ('{app="\\x77eb"}', True),
    ],
)
def test_selectors(selector: str, fits: bool) -> None:
    quoted = selector.replace("'", "''")
    assert run(f"[{{match: {{selector: '{quoted}', action: drop}}}}]", "hello", labels={"app": "web"}) == [] or not fits


def test_drops_are_counted_by_their_reasons() -> None:
    text = (
        "[{drop: {expression: a, drop_counter_reason: why}}, {drop: {expression: b}},"
        " {match: {selector: '{} |= \"c\"', action: drop}}, {json: {expressions: {a: }, drop_malformed: true}}]"
    )
    (stage,) = make_pipeline(parse_stages(text).stages, (), LARGEST)
    through([stage], records(["a", "b", "c", "d", "{}"], {}))
    name = "pipeline stage"
    assert stage.dropped == {
        Reason(name, "why"): 1,
        Reason(name, "drop_stage"): 1,
        Reason(name, "match_stage"): 1,
        Reason(name, "malformed_json"): 1,
    }


def test_stages_within_a_match_may_join_lines() -> None:
    text = """
- match:
    selector: '{app="web"}'
    stages:
    - multiline: {firstline: '^>'}
    - regex: {expression: '^> (?P<word>\\w+)'}
    - labels: {word: }
- match:
    selector: '{word="b"}'
    action: drop
"""
    lines = ["> a", "1", "> b", "2", "> c"]
    assert [(one.line, one.labels["word"]) for one in run(text, *lines, labels={"app": "web"})] == [
        ("> a\n1", "a"),
        ("> c", "c"),
    ]
    assert [one.line for one in run(text, *lines, labels={"app": "db"})] == lines


def test_lines_are_joined_by_their_labels() -> None:
    text = """
- regex: {expression: '^(?P<who>\\w) (?P<rest>.*)$'}
- labels: {who: }
- output: {source: rest}
- multiline: {firstline: '^>'}
"""
    lines = ["a > 1", "b > 2", "a 3", "b 4"]
    assert [(one.line, one.labels["who"]) for one in run(text, *lines)] == [("> 1\n3", "a"), ("> 2\n4", "b")]


def test_many_streams_are_not_all_held() -> None:
    text = "[{regex: {expression: '(?P<n>\\d+)'}}, {labels: {n: }}, {multiline: {firstline: '^>'}}]"
    transforms = make_pipeline(parse_stages(text).stages, (), LARGEST)
    made = []
    for given_ in records([f"> {number}" for number in range(1_000)], {}):
        fed = [given_]
        for stage in transforms:
            fed = [each for one in fed for each in stage.feed(one)]
        made += fed
    assert len(made) >= 890


def test_pipeline_stages_come_last() -> None:
    given_ = {
        "redact": "email",
        "exclude": "health",
        "loki-pipeline-stages": "[{regex: {expression: 'of (?P<who>.*)'}}, {output: {source: who}}]",
    }
    made = shaped(given_, [record("of bob@example.com"), record("health", 1)])
    assert lines_of(made) == ["[REDACTED email]"]


def test_more_stages_than_one_are_one_transform() -> None:
    assert len(stages({"loki-pipeline-stages": "[{docker: }, {labels: {a: }}, {output: {source: a}}]"})) == 1


CHAINS = {
    "multiline": {"loki-pipeline-stages": "[{multiline: {firstline: 'ERROR', max_lines: 3}}, {drop: {expression: b}}]"},
    "after a rate limit": {
        "rate-limit": "20/s",
        "multiline": "java",
        "loki-pipeline-stages": "[{drop: {expression: INFO}}, {multiline: {firstline: 'ERROR'}}]",
    },
    "cri within a match": {
        "loki-pipeline-stages": (
            "[{regex: {expression: '(?P<flags>.)$'}}, {match: {selector: '{} !~ \"INFO\"', stages: [{cri: }]}},"
            " {multiline: {firstline: '^\\S'}}]"
        )
    },
}


@pytest.mark.parametrize("name", CHAINS)
@given(FEEDS, st.lists(st.integers(0, 40), max_size=3))
def test_restarts_change_nothing(name: str, fed: Fed, kills: list[int]) -> None:
    kills = [min(kill, len(fed)) for kill in kills]

    assert seen(with_kills(CHAINS[name], fed, kills)) == seen(shaped(CHAINS[name], made_of(fed)))


@given(st.lists(st.tuples(st.sampled_from("PF"), st.sampled_from(["stdout", "stderr"]), st.text("ab", max_size=3))))
def test_partial_lines_lose_and_repeat_nothing(parts: list[tuple[str, str, str]]) -> None:
    lines = [f"2019-01-01T01:00:00Z {source} {flag} {text}" for flag, source, text in parts]
    pipeline = Pipeline(make_pipeline(parse_stages("[{cri: }]").stages, (), LARGEST), Position(0, 0))
    made = [sent_of(one) for one in pipeline.feed(records(lines, {})) + pipeline.flush(math.inf)]
    for source in ("stdout", "stderr"):
        expected = "".join(text for _, at, text in parts if at == source)
        assert "".join(one.line for one in made if one.labels["stream"] == source) == expected


def test_where_a_pattern_is_found_too_often_the_line_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each match of this one takes a search to the end of the line: all of them would take minutes for a large one."""
    monkeypatch.setattr("plugin.transforms.patterns._LONGEST_SEARCH", 400 * 100)
    stages = "- replace: {expression: '(a.*b|a)', replace: 'x'}"

    assert run(stages, "a" * 200 + "-" * 200)[0].line == "a" * 200 + "-" * 200
    assert run(stages, "a" * 100 + "-" * 300)[0].line == "x" * 100 + "-" * 300


def test_templates_that_search_too_long_leave_the_value_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.gotemplate.promtail._LONGEST_SEARCH", 400 * 100)
    stages = """- template: {source: made, template: '{{ regexReplaceAll "a.*b|a" .Entry "x" }}'}"""

    assert extracted(stages, "a" * 200 + "-" * 200, made="before") == {"made": "before"}
    assert extracted(stages, "a" * 100 + "-" * 300) == {"made": "x" * 100 + "-" * 300}

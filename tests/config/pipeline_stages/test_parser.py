"""Pipeline stages in YAML: what is wrong or not supported is said by name, with what to do."""

import re
from pathlib import Path

import pytest

from plugin.config.pipeline_stages import parse_stages, read_stages
from plugin.config.pipeline_stages.model import Labels, Regex

REFUSED = {
    "metrics": ("[{metrics: {}}]", "stage 1 (metrics): it is not supported: count in Loki"),
    "labeldrop": ("[{labeldrop: [a]}]", "loki-relabel-config"),
    "labelallow": ("[{labelallow: [a]}]", "loki-relabel-config"),
    "sampling": ("[{sampling: {rate: 0.1}}]", "give log-opt sample"),
    "limit": ("[{limit: {rate: 1}}]", "give log-opt rate-limit"),
    "pack": ("[{pack: {labels: [a]}}]", "structured_metadata"),
    "decolorize": ("[{decolorize: }]", "give replace the expression"),
    "geoip": ("[{geoip: {}}]", "not supported"),
    "eventlogmessage": ("[{eventlogmessage: {}}]", "not supported"),
    "non_indexed_labels": ("[{non_indexed_labels: {a: }}]", "structured_metadata"),
    "a typo": ("[{regexp: {}}]", "there is no such stage (did you mean 'regex'?)"),
    "a typo in a field": ("[{regex: {expresion: a}}]", "unknown field 'expresion' (did you mean 'expression'?)"),
    "no list": ("{json: }", "it is not a list of stages"),
    "a stage without a name": ("[json]", "stage 1 is not a mapping with one name"),
    "two in one": ("[{docker: {}, cri: {}}]", "stage 1 is not a mapping with one name"),
    "not YAML": ("[", "it is not YAML"),
    "a field that is a list": ("[{output: {source: [a]}}]", "source must be a text"),
    "no fields": ("[{output: a}]", "it is not a mapping of fields (source)"),
    "docker with fields": ("[{docker: {a: b}}]", "unknown field 'a'"),
    "no expression": ("[{regex: {}}]", "expression is missing"),
    "a bad pattern": ("[{regex: {expression: '('}}]", "is not a regular expression"),
    "no expressions": ("[{json: {}}]", "expressions is missing"),
    "more of JMESPath": ("[{json: {expressions: {a: 'length(b)'}}}]", "'length(b)' is not a path"),
    "a projection": ("[{json: {expressions: {a: 'b[*].c'}}}]", "is not a path"),
    "a path that ends in a dot": ("[{json: {expressions: {a: 'b.'}}}]", "is not a path"),
    "a label that is none": ("[{labels: {a-b: }}]", "'a-b' is not a name of a label"),
    "no labels": ("[{labels: {}}]", "it names no label"),
    "no such zone": ("[{timestamp: {source: a, format: b, location: Mars}}]", "location 'Mars' is not a time zone"),
    "no such action": ("[{timestamp: {source: a, format: b, action_on_failure: x}}]", "is not skip or fudge"),
    "no format": ("[{timestamp: {source: a}}]", "format is missing"),
    "a bad template": ("[{template: {source: a, template: '{{'}}]", "stage 1 (template)"),
    "an unknown function": ("[{template: {source: a, template: '{{ camelcase .Value }}'}}]", "unknown function"),
    "two of tenant": ("[{tenant: {source: a, value: b}}]", "it needs one of label, source and value"),
    "no tenant": ("[{tenant: {value: 'ä'}}]", "is not a tenant"),
    "nothing to drop": ("[{drop: {}}]", "it needs at least one of"),
    "a value of nothing": ("[{drop: {value: a}}]", "it needs at least one of"),
    "a value and an expression": ("[{drop: {source: a, value: b, expression: c}}]", "exclude each other"),
    "a bad size": ("[{drop: {longer_than: 8parsecs}}]", "is not a size"),
    "a bad duration": ("[{drop: {older_than: 1d}}]", "is not a duration"),
    "no stages": ("[{match: {selector: '{a=\"b\"}'}}]", "stages are missing"),
    "stages to drop": ("[{match: {selector: '{a=\"b\"}', action: drop, stages: [{docker: }]}}]", "exclude each other"),
    "no selector": ("[{match: {stages: [{docker: }]}}]", "selector is missing"),
    "a filter of labels": ('[{match: {selector: \'{a="b"} | c = "d"\', action: drop}}]', "cannot be read"),
    "a pattern in a selector": ("[{match: {selector: '{a=~\"(\"}', action: drop}}]", "is not a regular expression"),
    "a stage within": (
        "[{docker: }, {match: {selector: '{a=\"b\"}', stages: [{cri: }, {metrics: }]}}]",
        "stage 2.2 (metrics): it is not supported",
    ),
    "no first line": ("[{multiline: {}}]", "firstline is missing"),
    "no wait": ("[{multiline: {firstline: a, max_wait_time: 0s}}]", "max_wait_time must be above 0"),
    "too long": ("[" + " " * 70_000 + "]", "longer than 64 KiB"),
    "more than 200": ("[" + "{docker: }," * 201 + "]", "more than 200 stages"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_stages(text)


def test_an_alias_that_holds_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="recursive"):
        parse_stages("&a [{match: {selector: '{}', stages: *a}}]")


def test_aliases_cannot_make_more_stages_than_may_be_written() -> None:
    text = "- match: &a {selector: '{}', stages: [{docker: }, {docker: }]}\n"
    for name, within in zip("bcdef", "abcde", strict=True):
        text += f"- match: &{name} {{selector: '{{}}', stages: [{', '.join([f'{{match: *{within}}}'] * 8)}]}}\n"
    with pytest.raises(ValueError, match="more than 200 stages"):
        parse_stages(text)


def test_nothing_is_no_stage() -> None:
    for text in ("", " ", "[]", "pipeline_stages:", "# nothing"):
        assert parse_stages(text).stages == ()


def test_a_list_or_one_under_its_name() -> None:
    stages = (Regex("(?P<level>a)", ""), Labels((("level", "level"),)))
    written = "- regex:\n    expression: (?P<level>a)\n- labels:\n    level:\n"
    indented = "pipeline_stages:\n" + written
    assert parse_stages(written).stages == parse_stages(indented).stages == stages


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "stages.yaml"
    path.write_text("pipeline_stages:\n- labels:\n    level: lvl\n")
    assert read_stages(str(path)).stages == (Labels((("level", "lvl"),)),)
    with pytest.raises(ValueError, match="cannot read"):
        read_stages(str(tmp_path / "none.yaml"))

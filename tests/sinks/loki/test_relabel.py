"""Rules and results from Prometheus' ``relabel_test.go`` and from the tests and documentation of Grafana's driver."""

import re

import pytest

from plugin.sinks.loki.relabel import Labels, parse_rules, relabel


def relabelled(rules: str, **labels: str) -> Labels | None:
    return relabel(parse_rules(rules), labels)


@pytest.mark.parametrize(
    ("rules", "labels", "result"),
    [
        (
            "[{source_labels: [a], regex: f(.*), target_label: d, separator: ;, replacement: 'ch${1}-ch${1}'}]",
            {"a": "foo", "b": "bar", "c": "baz"},
            {"a": "foo", "b": "bar", "c": "baz", "d": "choo-choo"},
        ),
        (
            """
            - source_labels: [a, b]
              regex: f(.*);(.*)r
              target_label: a
              replacement: b${1}${2}m
            - source_labels: [c, a]
              regex: (b).*b(.*)ba(.*)
              target_label: d
              replacement: $1$2$2$3
            """,
            {"a": "foo", "b": "bar", "c": "baz"},
            {"a": "boobam", "b": "bar", "c": "baz", "d": "boooom"},
        ),
        (
            "[{source_labels: [a], regex: no-match, target_label: d, replacement: x}]",
            {"a": "foo"},
            {"a": "foo"},
        ),
        ("[{source_labels: [a], regex: .*o.*, action: drop}]", {"a": "foo"}, None),
        ("[{source_labels: [a], regex: f, action: drop}]", {"a": "foo"}, {"a": "foo"}),
        ("[{source_labels: [a], regex: no-match, action: keep}]", {"a": "foo"}, None),
        ("[{source_labels: [a], regex: f.*, action: keep}]", {"a": "foo"}, {"a": "foo"}),
        # Without a match the label stays as it is; an empty replacement takes it away.
        ("[{source_labels: [a], regex: .*, target_label: a, replacement: ''}]", {"a": "foo", "b": "x"}, {"b": "x"}),
        (
            "[{source_labels: [c], target_label: d, action: hashmod, modulus: '1000'}]",
            {"a": "foo", "b": "bar", "c": "baz"},
            {"a": "foo", "b": "bar", "c": "baz", "d": "976"},
        ),
        (
            "[{source_labels: [a], target_label: d, action: hashmod, modulus: 1000}]",
            {"a": "foo\nbar"},
            {"a": "foo\nbar", "d": "734"},
        ),
        (
            "[{regex: '(b.*)', replacement: 'bar_${1}', action: labelmap}]",
            {"a": "foo", "b1": "bar", "b2": "baz"},
            {"a": "foo", "b1": "bar", "b2": "baz", "bar_b1": "bar", "bar_b2": "baz"},
        ),
        (
            "[{regex: '__meta_(my.*)', action: labelmap}]",
            {"a": "foo", "__meta_my_bar": "aaa", "__meta_other": "ccc"},
            {"a": "foo", "__meta_my_bar": "aaa", "__meta_other": "ccc", "my_bar": "aaa"},
        ),
        (
            "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}]",
            {"a": "some-name-value"},
            {"a": "some-name-value", "name": "value"},
        ),
        (
            "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${3}', replacement: '${2}'}]",
            {"a": "some-name-value"},
            {"a": "some-name-value"},
        ),
        ("[{regex: (b.*), action: labeldrop}]", {"a": "foo", "b1": "bar", "ab": "x"}, {"a": "foo", "ab": "x"}),
        ("[{regex: (b.*), action: labelkeep}]", {"a": "foo", "b1": "bar", "ab": "x"}, {"b1": "bar"}),
        (
            """
            - {source_labels: [foo], target_label: u, action: uppercase}
            - {source_labels: [foo], target_label: l, action: Lowercase}
            """,
            {"foo": "bAr123Foo"},
            {"foo": "bAr123Foo", "l": "bar123foo", "u": "BAR123FOO"},
        ),
        ("[{source_labels: [p], target_label: q, action: keepequal}]", {"p": "1", "q": "1"}, {"p": "1", "q": "1"}),
        ("[{source_labels: [p], target_label: q, action: keepequal}]", {"p": "1", "q": "2"}, None),
        ("[{source_labels: [p], target_label: q, action: dropequal}]", {"p": "1", "q": "1"}, None),
        # Grafana's config_test.go.
        (
            """
            - regex: (.*)
              source_labels: [swarm_stack]
              target_label: job
            - regex: ^swarm_stack$
              action: labeldrop
            """,
            {"swarm_stack": "foo", "bar": "buzz"},
            {"job": "foo", "bar": "buzz"},
        ),
        ("", {"a": "b"}, {"a": "b"}),
        ("[{target_label: x, replacement: $$1}]", {}, {"x": "$1"}),
        (
            "[{source_labels: [a], regex: '(?P<n>f)?(o*)', target_label: x, replacement: '${n}|$2'}]",
            {"a": "oo"},
            {"a": "oo", "x": "|oo"},
        ),
    ],
)
def test_relabelling(rules: str, labels: Labels, result: Labels | None) -> None:
    assert relabelled(rules, **labels) == result


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ("foo", "it is not a list of rules"),
        ("[1, 2]", "it is not a list of rules"),
        ("a: [", "it is not YAML"),
        ("[" * 5000, "increasing flow level"),
        ("- " * 5000, "nested more than 32 deep"),
        ("[{action: labeldrp}]", "rule 1: unknown action 'labeldrp' (did you mean 'labeldrop'?)"),
        (
            "[{action: keep}, {sourcelabels: [a]}]",
            "rule 2: unknown field 'sourcelabels' (did you mean 'source_labels'?)",
        ),
        ("[{source_labels: a, target_label: b}]", "source_labels must be a list"),
        ("[{regex: '(', target_label: b}]", "rule 1: regex '(' is not a regular expression"),
        ("[{regex: [a], target_label: b}]", "regex must be a text"),
        ("[{action: replace}]", "action replace needs target_label"),
        ("[{action: hashmod, target_label: a}]", "needs a modulus"),
        ("[{action: hashmod, target_label: a, modulus: -1}]", "modulus '-1' is not a whole number"),
        ("[{action: labelmap, replacement: ''}]", "labelmap needs a replacement"),
        ("[{action: labelkeep, source_labels: [a]}]", "takes no source_labels"),
        ("[{action: labeldrop, replacement: x}]", "takes no replacement"),
        ("[{action: keepequal, target_label: a, regex: x}]", "takes no regex"),
        ("[{action: uppercase, target_label: a, replacement: x}]", "takes no replacement"),
        ("[{target_label: __tenant_id__}]", "use loki-tenant-id"),
    ],
)
def test_what_is_wrong_with_rules(rules: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        parse_rules(rules)

"""Log-opts: each kind of value, and whole sets of them, are accepted or refused with a message."""

import contextlib
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from plugin.config.options import defaults_faults, validate_leniently
from plugin.config.schema import Option
from plugin.config.settings import SETTINGS, load_settings
from plugin.errors import PeaveyError, SettingError
from plugin.sinks.base import SinkError
from plugin.sinks.loki.labels import container_labels, parse_external_labels
from plugin.sinks.loki.relabel import parse_rules, relabel
from plugin.sinks.registry import make_sink, schema
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import JSON, TEXTS
from tests.sinks.factories import origin_of

SCHEMA = schema()
OPTIONS: list[Option[Any]] = [*SCHEMA.common, *(option for sink in SCHEMA.sinks for option in sink.options)]
NO_FILES = [option for option in OPTIONS if "file" not in option.name and "path" not in option.name]
"""Not those that name files: whatever they name would be read."""
VALUES = TEXTS | st.sampled_from(
    [
        "1",
        "0",
        "-1",
        "10k",
        "10KiB",
        "1e3",
        "5s",
        "1h2m",
        "10d",
        "100%",
        "true",
        "TRUE",
        "http://a",
        "https://u:p@[::1]:3",
        "tcp://a:1",
        "udp://:0",
        "unix:///run/x",
        "tcp+tls://a:1",
        "a=b,c=d",
        "a,b",
        "{{.Name}}",
        "{{",
        "drop-oldest",
        "9" * 40,
    ]
)
SINKS = sorted(sink.name for sink in SCHEMA.sinks)
NAMES = st.sampled_from(sorted(option.name for option in NO_FILES))
SETS = st.dictionaries(NAMES | NAMES.map("audit.{}".format) | st.just("sink") | TEXTS, VALUES, max_size=8)


@fuzzed(5)
@given(st.sampled_from(NO_FILES), VALUES)
def test_a_value(option: Option[Any], text: str) -> None:
    options, faults = validate_leniently({option.name: text}, {}, SCHEMA)
    assert all(isinstance(fault, str) and 0 < len(fault) < 5_000 for fault in faults)
    assert all("Traceback" not in fault for fault in faults)
    assert validate_leniently({option.name: text}, {}, SCHEMA) == (options, faults), "the same is judged the same"


@fuzzed(2)
@given(SETS, SETS, st.lists(st.sampled_from(SINKS), max_size=3))
def test_a_set(given_: dict[str, str], defaults: dict[str, str], sinks: list[str]) -> None:
    named = given_ | ({"sink": ",".join(sinks)} if sinks else {})
    options, faults = validate_leniently(named, defaults, SCHEMA)
    defaults_faults(defaults, SCHEMA)
    assert repr(options)
    for choice in options.sinks:
        if not choice.faults and not faults:
            with contextlib.suppress(SinkError):
                make_sink(choice).prepare(origin_of())


@fuzzed()
@given(st.dictionaries(st.sampled_from([one.variable for one in SETTINGS if "DIR" not in one.variable]), VALUES))
def test_settings(environment: dict[str, str]) -> None:
    environment = {name: text.replace("\0", "") for name, text in environment.items()}
    with contextlib.suppress(SettingError):
        load_settings({}, environment, SCHEMA)


RULE_FIELDS = st.sampled_from(
    ["source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action", "Action", "x"]
)
RULE_VALUES = (
    st.sampled_from(
        ["replace", "keep", "drop", "labelmap", "labeldrop", "hashmod", "lowercase", "$1", "${x}", "(.*)", "("]
    )
    | JSON
)
RULES = st.lists(st.dictionaries(RULE_FIELDS, RULE_VALUES, max_size=6), max_size=3).map(json.dumps)


@fuzzed()
@given(RULES | TEXTS | st.text("[]{}:-,&*!|>'\"%@`# \n\tab", max_size=40), st.dictionaries(TEXTS, TEXTS, max_size=4))
@example("[{action: hashmod, modulus: " + "9" * 5_000 + ", target_label: a}]", {})
@example("[{<<: [1]}]", {})
@example("&a [*a]", {})
@example("!!python/object:x {}", {})
def test_relabelling(text: str, labels: dict[str, str]) -> None:
    with contextlib.suppress(ValueError):
        relabel(parse_rules(text), labels)


@fuzzed()
@given(TEXTS | st.lists(st.tuples(TEXTS, TEXTS).map("=".join), max_size=3).map(",".join))
def test_external_labels(text: str) -> None:
    with contextlib.suppress(ValueError, PeaveyError):
        container_labels(origin_of(), parse_external_labels(text), ())

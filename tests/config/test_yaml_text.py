"""YAML is read as texts, lists and mappings, the same by both loaders, and no text takes long."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.yaml_text import DEEPEST, MOST_VALUES, YamlError, check_yaml, read_yaml
from tests.fuzz.budget import fuzzed


@pytest.fixture(params=[True, False], ids=["libyaml", "pure"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have YAML read by one of the loaders of PyYAML; a wheel of it has both."""
    assert yaml.__with_libyaml__
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a", "a"),
        ("1.5", "1.5"),
        ("[a, [b], {c: d}, ~]", ["a", ["b"], {"c": "d"}, "~"]),
        ("a: 1\nb:\n- c\n- 'd'\ne:", {"a": "1", "b": ["c", "d"], "e": ""}),
        ("- &x {a: b}\n- *x", [{"a": "b"}, {"a": "b"}]),
        ("a: b\na: c", {"a": "c"}),
        ("<<: {a: b}", {"<<": {"a": "b"}}),
        ("!!python/object:os.x {a: b}", {"a": "b"}),
        ("---\na\n...", "a"),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read_yaml(text) == value


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", 1),
        ("a: b\n- c", 2),
        ("a\n---\nb", 2),
        ("- a\n- *b", 2),
        ("- &a x\n- &a y", 2),
        ("&a [*a]", 1),
        ("a: b\n? [c]\n: d", 2),
        ("a: b\nc: '\x07'", 2),
        ("a: b\n" + "- " * (DEEPEST + 1), 2),
        ("\n" + "{a: " * (DEEPEST + 1), 2),
    ],
    ids=["end", "mixed", "two", "alias", "anchors", "recursive", "key", "bell", "deep", "deep flow"],
)
def test_what_is_not_read(text: str, line: int) -> None:
    with pytest.raises(YamlError, match=r"it is (not|nested)") as caught:
        read_yaml(text)
    assert caught.value.line == line
    assert f"in line {line}" in str(caught.value)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["[" * 65_536, "{" * 65_536, "- " * 32_000, "? " * 32_000, "a: {" * 16_000])
def test_what_is_nested_without_end_is_not_read_on(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    parse = yaml.parse

    def counted(*args: Any) -> Iterator[Any]:
        for event in parse(*args):
            events.append(event)
            yield event

    monkeypatch.setattr(yaml, "parse", counted)
    with pytest.raises(YamlError):
        read_yaml(text)
    assert len(events) <= 3 * DEEPEST


@pytest.mark.usefixtures("loader")
def test_the_number_of_values_is_bounded() -> None:
    check_yaml("- a\n" * 20, 21)
    with pytest.raises(YamlError, match="more than 20 values, in line 20"):
        check_yaml("- a\n" * 20, 20)
    with pytest.raises(YamlError, match="too long"):
        read_yaml(f"[{'a,' * MOST_VALUES}]")


@pytest.mark.usefixtures("loader")
def test_an_alias_costs_no_more_than_its_name() -> None:
    text = "- &a0 [x, x]\n" + "".join(f"- &a{n + 1} [*a{n}, *a{n}]\n" for n in range(DEEPEST))
    assert len(read_yaml(text)) == DEEPEST + 1


@fuzzed()
@given(st.text("[]{}:-,&*!|>'\"%@`#~? \n\tab1", max_size=60))
def test_what_the_loader_of_pyyaml_reads_is_read_the_same(text: str) -> None:
    try:
        read = read_yaml(text)
    except YamlError:
        return
    assert read == (yaml.load(text, yaml.CBaseLoader) if text else None)  # noqa: S506

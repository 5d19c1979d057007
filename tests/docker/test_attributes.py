"""Labels and environment variables that go along with lines, chosen as Docker's drivers choose them."""

import pytest

from plugin.docker.attributes import compile_pattern, extra_attributes
from plugin.docker.info import Info

INFO = Info(
    container_id="ab12",
    container_labels={"app": "web", "team": "blue", "com.example.tier": "front", "shared": "label"},
    container_env=["PATH=/bin", "TIER=back", "EMPTY=", "NOVALUE", "A=b=c", "shared=environment", "TWICE=1", "TWICE=2"],
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"labels": "", "labels-regex": "", "env": "", "env-regex": ""}, {}),
        ({"labels": "app"}, {"app": "web"}),
        ({"labels": "team,none,app"}, {"app": "web", "team": "blue"}),
        ({"labels": "app, team ", "env": " TIER"}, {"app": "web", "team": "blue", "TIER": "back"}),
        ({"labels-regex": "^com\\."}, {"com.example.tier": "front"}),
        ({"labels-regex": "p"}, {"app": "web", "com.example.tier": "front"}),
        ({"labels": "app", "labels-regex": "tier|team"}, {"app": "web", "team": "blue", "com.example.tier": "front"}),
        ({"env": "PATH,EMPTY,NOVALUE,A"}, {"PATH": "/bin", "EMPTY": "", "A": "b=c"}),
        ({"env": "TWICE"}, {"TWICE": "2"}),
        ({"env-regex": "(?i)^tier$"}, {"TIER": "back"}),
        ({"labels": "shared", "env": "shared"}, {"shared": "environment"}),
        ({"labels-regex": "shared", "env-regex": "shared"}, {"shared": "environment"}),
        ({"env": "app", "labels": "PATH", "tag": "x"}, {}),
    ],
)
def test_attributes_are_chosen_by_names_and_patterns(options: dict[str, str], expected: dict[str, str]) -> None:
    assert extra_attributes(INFO, options) == expected


def test_a_container_that_has_neither_gives_none() -> None:
    everything = {"labels": ",a", "labels-regex": ".", "env": ",a", "env-regex": "."}
    assert extra_attributes(Info(container_id="ab12"), everything) == {}


def test_a_label_without_a_name_is_not_chosen_by_an_empty_option() -> None:
    assert extra_attributes(Info(container_id="ab12", container_labels={"": "x"}), {"labels": ""}) == {}


@pytest.mark.parametrize(
    ("pattern", "text"), [("b", "abc"), ("^a", "abc"), (r"\pL+$", "1é"), ("(?i)B", "abc"), ("", "a")]
)
def test_patterns_are_re2_and_match_anywhere(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).search(text)


def test_a_pattern_that_does_not_match_finds_nothing() -> None:
    assert compile_pattern("^b").search("abc") is None


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("(", "missing )"),
        ("[z-a]", "invalid character class range"),
        ("*", "no argument for repetition operator"),
        ("(?=a)", "invalid perl operator"),
        (r"\1", "invalid escape sequence"),
        ("a{1001}", "invalid repetition size"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_fault(
    pattern: str, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="is not a regular expression") as caught:
        compile_pattern(pattern)
    assert str(caught.value).startswith(f"'{pattern}' is not a regular expression: {complaint}")
    assert capfd.readouterr() == ("", "")


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="not valid Unicode"):
        compile_pattern("\ud800")


def test_a_bad_pattern_in_an_option_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        extra_attributes(INFO, {"env-regex": "("})


def test_a_pattern_that_is_exponential_elsewhere_is_not_here() -> None:
    assert compile_pattern("(a+)+$").search("a" * 50_000 + "b") is None

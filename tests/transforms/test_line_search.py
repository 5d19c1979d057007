"""Searching many lines at once: it finds what searching each of them does."""

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.transforms import patterns
from plugin.transforms.line_search import LineSearch
from plugin.transforms.multiline_rules import TABLES
from plugin.transforms.patterns import finder
from plugin.transforms.sensitive import KINDS

TEXTS = (
    "",
    "a",
    "^",
    "$",
    "^$",
    "^a",
    "a$",
    r"\Aa",
    r"a\z",
    r"\Ca",
    "(?-m:^a)",
    "(?i-m)^A$",
    "(?m)^a",
    "^(?:a|b)*$",
    r"\ba\b",
    r"\B",
    r"a\Bb",
    "[^a]",
    "a[^b]*b",
    r"a\s",
    r"\s",
    r"\W\w",
    r"\D",
    "(?s)a.b",
    "(?s).",
    "(?s)^.*$",
    "a\nb",
    r"a\nb",
    "[a\\n]b",
    "a|^b|c$",
    "é",
    "[^é]b",
    r"\pL",
    r"\x{fffd}",
    "(?U)a+",
    r"\Qa-\E",
    *(kind.pattern for kind in KINDS.values()),
    *(text for table in TABLES.values() for rules in table.values() for text, _ in rules),
)

LINES = st.one_of(
    st.text(alphabet="ab c-1A:@.\n\tBé", max_size=6).map(str.encode),
    st.binary(max_size=4),
    st.sampled_from(
        [
            b"",
            b"panic: x",
            b"java.lang.Error: x",
            b"a@example.com",
            b"10.0.0.1",
            b"-----BEGIN PRIVATE KEY-----",
            b"a\xff",
            b"\xc3",
            b"\xa9",
        ]
    ),
)


def is_right(text: str, lines: list[bytes]) -> bool:
    """Return whether what is found in many lines is what is found in each."""
    finds = finder(text)
    return LineSearch([text]).found(lines) == [number for number, line in enumerate(lines) if finds(line)]


@settings(max_examples=1_000)
@given(st.sampled_from(TEXTS), st.lists(LINES, max_size=60))
def test_what_is_found_is_what_each_line_has(text: str, lines: list[bytes]) -> None:
    assert is_right(text, lines)


@pytest.mark.parametrize(
    "lines",
    [
        [b"a", b"b", b"", b"a", b"b", b""],
        [b"", b"", b"", b""],
        [b"a\nb", b"a", b"b\n", b"\n", b"ab"],
        [b"a"] * 40 + [b"b"] * 40,
        [b"b", b"a\xff", b"\xc3", b"\xa9"],
    ],
    ids=lambda lines: repr(lines[:3]),
)
def test_so_it_is_of_every_pattern(lines: list[bytes]) -> None:
    assert [text for text in TEXTS if not is_right(text, lines)] == []


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.lists(LINES, min_size=3, max_size=30))
def test_so_is_what_is_found_of_several_patterns(texts: list[str], lines: list[bytes]) -> None:
    found = LineSearch(texts).found(lines)

    assert found == [number for number, line in enumerate(lines) if any(finder(text)(line) for text in texts)]


def test_where_the_library_hides_its_quick_search_the_public_one_serves() -> None:
    compiled = re2.compile(b"(a)(x)?b")

    class Hidden:
        groups = compiled.groups
        search = staticmethod(compiled.search)

    quick, public = patterns.raw_match(compiled), patterns.raw_match(Hidden())
    for text in (b"--ab-ab", b"", b"axb"):
        for start in range(len(text)):
            found = quick(patterns.ANYWHERE, text, start, len(text))
            groups = len(found) if found[0][0] >= 0 else 1
            assert list(public(patterns.ANYWHERE, text, start, len(text))) == found[:groups]


@pytest.mark.parametrize("text", ["a[^x]*b", "(?s)a.*", r"(?:a\s*)+$", "(?:a|aa)*b"])
def test_no_line_pays_for_those_behind_it(text: str) -> None:
    lines = [b"a" * 100] * 20_000

    assert len(LineSearch([text]).found(lines)) in (0, 20_000)

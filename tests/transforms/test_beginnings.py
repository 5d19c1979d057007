"""Patterns of how lines begin mean to the standard library what they mean to RE2."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.shaping_kinds import datetime_pattern
from plugin.transforms.beginnings import match_beginning
from plugin.transforms.patterns import compile_bytes, finder

PIECES = st.lists(
    st.sampled_from(
        [
            r"a",
            r"Z",
            r"0",
            r"-",
            r":",
            r"\d",
            r"\.",
            r"\[",
            r"\\",
            r"[a-c0-9]",
            r"[_.]",
            r"[0,1]",
            r"{2}",
            r"{11}",
            r"(?:",
            r"|",
            r")",
            r"(?:ab|c)",
            r"(?:0[1-9]|1[0-2])",
            r"^",
            r"$",
            r".",
            r"+",
            r"?",
            r"*",
            r"(",
            r"é",
            r"\w",
            r"[^a]",
            r"(?i)",
        ]
    ),
    max_size=8,
).map(lambda pieces: "^" + "".join(pieces))

LINES = st.one_of(st.text("aZ0-c :.[\\1bé\n", max_size=8).map(str.encode), st.binary(max_size=4))


@given(PIECES, LINES)
def test_what_is_taken_for_simple_is_the_same(pattern: str, line: bytes) -> None:
    try:
        compiled = compile_bytes(pattern)
    except re2.error:
        return
    matches = match_beginning(pattern)
    expected = compiled.search(line) is not None

    assert matches is None or (matches(line) is not None) == expected
    assert finder(pattern)(line) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{4}-\d\d-\d\d",
        r"^\[\d{4}-\d{2}-\d{2} \d{2}:\d{2}",
        "^[A-Z][a-z]",
        "^(?:INFO|WARN|ERROR) ",
        "^" + datetime_pattern("%Y-%m-%d %H:%M:%S"),
        "^" + datetime_pattern("%b %d %H:%M:%S"),
    ],
)
def test_dates_and_levels_are_simple(pattern: str) -> None:
    assert match_beginning(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    ["", "a", "^", "a^b", r"^\S", "^a+", "^a|b", "^(?:a|a){50}", "^" + "(?:a|a)" * 50 + "b", "^[^a]", "^é", "^a$"],
)
def test_what_can_mean_more_is_not(pattern: str) -> None:
    assert match_beginning(pattern) is None

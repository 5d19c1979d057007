"""Searching: any pattern is taken or refused with a message, and no line that matches is missed in raw bytes."""

import contextlib
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from plugin.errors import PeaveyError
from plugin.journal.search import SearchQuery, search
from plugin.journal.search_pattern import SearchPattern, required_literal
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import TEXTS, changed
from tests.journal.entries import encode, entries, numbered, write_journal

PATTERNS = TEXTS | st.text("ab(|)[]^{}*+?.\\$-,12:PQEsdw", max_size=20)
LINES = st.binary(max_size=30) | st.text("ab(|)[]^{}*+?.\\$-,12", max_size=20).map(str.encode)


@fuzzed(3)
@given(PATTERNS, st.lists(LINES, min_size=1, max_size=5))
def test_no_match_is_missed_in_raw_bytes(text: str, lines: list[bytes]) -> None:
    try:
        pattern = SearchPattern(text)
    except PeaveyError:
        return
    literal = required_literal(text)
    for line in lines:
        if not pattern.matches(line):
            continue
        assert literal in line
        if pattern.candidates is not None:
            assert 0 <= pattern.candidates(b"before" + line + b"behind", 0) <= len(b"before") + len(line)


@fuzzed(0.3)
@given(
    PATTERNS | st.sampled_from(["line", "1", "", "."]),
    st.booleans(),
    st.integers(-1, 3),
    st.integers(0, 2),
    entries(max_size=8).map(encode).flatmap(changed) | st.binary(max_size=100),
    st.integers(0, 3),
)
def test_a_damaged_journal(text: str, newest: bool, limit: int, context: int, content: bytes, which: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_journal(folder, encode(numbered(60)), segment_size=600)
        segments = sorted(folder.glob("*.log"))
        segments[which % len(segments)].write_bytes(content)
        with contextlib.suppress(PeaveyError):
            pattern = SearchPattern(text)
            query = SearchQuery(pattern=pattern, newest_first=newest, limit=limit, context=context)
            found = list(search(folder, query))
            assert all(pattern.matches(match.line.text) for match in found)
            assert limit < 0 or len(found) <= limit

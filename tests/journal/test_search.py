"""Searching a journal finds what looking at each line does, at every border."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import Entry, encode_frame
from plugin.errors import PeaveyError
from plugin.journal import search as search_module
from plugin.journal.compression import compress_closed
from plugin.journal.layout import index_path, list_segments
from plugin.journal.lines import Line
from plugin.journal.search import SearchCancelledError, SearchQuery, search, search_all
from plugin.journal.search_pattern import SearchPattern, required_literal
from plugin.journal.writer import JournalWriter
from tests.journal.entries import Line as Printed
from tests.journal.entries import append, encode, entries, lines_of, numbered, part, pipe, write_journal

SMALL_CHUNK = 400


def pattern(text: str) -> SearchPattern:
    return SearchPattern(text)


def texts(folder: Path, text: str, **query: object) -> list[bytes]:
    found = search(folder, SearchQuery(pattern=pattern(text), **query))  # type: ignore[arg-type]
    return [match.line.text for match in found]


def printed(line: Line) -> Printed:
    return Printed(line.source, line.time_nano, line.text + b"\n" * line.complete)


@pytest.fixture(scope="class")
def small_chunks() -> Iterator[None]:
    """Make windows so small that a short journal has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "_CHUNK", SMALL_CHUNK)
        yield


class TestLiterals:
    @pytest.mark.parametrize(
        ("text", "literal"),
        [
            ("error", b"error"),
            ("time.*out of", b"out of"),
            (r"a\.b+c", b"a.b"),
            ("colou?r", b"colo"),
            ("x{3}yz", b"yz"),
            ("(abc|defg)hi", b"hi"),
            ("(abc)?de", b"de"),
            ("[a-z]]no", b"]no"),
            ("[]a]bc[[:alpha:]]d", b"bc"),
            ("[^]\\]]q", b"q"),
            ("a|b", b""),
            ("(?i)error", b""),
            (r"\Qa.b\E", b""),
            (r"\x41B", b""),
            (r"\d+ms", b"ms"),
            (".*", b""),
            ("", b""),
            ("é?ü", "ü".encode()),
        ],
    )
    def test_what_each_match_contains(self, text: str, literal: bytes) -> None:
        assert required_literal(text) == literal

    @given(
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "bc",
                    "(d|e)",
                    "[xy]",
                    "[^a]",
                    "?",
                    "*",
                    "+",
                    "{2}",
                    "{0,1}",
                    ".",
                    r"\.",
                    r"\d",
                    "(?:a|bc)",
                    "|",
                    "^",
                    "$",
                    "(",
                    ")",
                ]
            ),
            max_size=7,
        ).map("".join),
        st.text("abcdexy.1", max_size=12),
    )
    def test_no_match_is_without_it(self, text: str, line: str) -> None:
        try:
            matches = re2.search(text, line) is not None
        except re2.error:
            return
        if matches:
            assert required_literal(text).decode() in line

    def test_a_wrong_pattern_is_told(self) -> None:
        with pytest.raises(PeaveyError, match=r"'\(a' is not a regular expression \(RE2 syntax\): missing \)"):
            SearchPattern("(a")


@pytest.mark.usefixtures("scaled_down", "small_chunks")
class TestAgainstLookingAtEachLine:
    @given(
        sent=entries(max_size=60),
        size=st.sampled_from([300, 900, 1 << 20]),
        text=st.sampled_from(
            ["", "a", "\x01", "[^b]{3}", "ab", "^a", "b$", "(?i)A", "std", "stdout", ".", "[a-c]+\\d?"]
        ),
        source=st.sampled_from(["", "stdout", "stderr"]),
        bounds=st.tuples(st.integers(0, 40), st.integers(0, 40)),
        limit=st.sampled_from([-1, 0, 1, 3]),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        torn=st.integers(0, 30),
    )
    def test_it_finds_the_same(
        self,
        sent: list[Entry],
        size: int,
        text: str,
        source: str,
        bounds: tuple[int, int],
        limit: int,
        flags: tuple[bool, bool, bool],
        torn: int,
    ) -> None:
        newest_first, invert, compressed = flags
        query = SearchQuery(
            pattern=pattern(text),
            invert=invert,
            since=bounds[0],
            until=bounds[1],
            source=source,
            limit=limit,
            newest_first=newest_first,
        )
        with TemporaryDirectory(prefix="peavey-") as path:
            folder = Path(path) / "container"
            write_journal(folder, encode(sent), size)
            if compressed:
                compress_closed(folder)
            segments = list_segments(folder)
            if torn and segments:
                newest = Path(segments[-1].path)
                newest.write_bytes(newest.read_bytes() + encode(numbered(1, size=40))[:torn])
            found = [printed(match.line) for match in search(folder, query)]
        compiled = re2.compile(text)
        expected = [
            line
            for line in lines_of(sent, 400)
            if (not source or line.source == source)
            and line.time >= bounds[0]
            and (not bounds[1] or line.time <= bounds[1])
            and (compiled.search(line.text.removesuffix(b"\n") if line.text.endswith(b"\n") else line.text) is None)
            is invert
        ]
        expected = expected[::-1] if newest_first else expected
        assert found == (expected[:limit] if limit >= 0 else expected)

    @given(sent=entries(max_size=40), size=st.sampled_from([300, 1 << 20]), context=st.integers(1, 12))
    def test_context_is_what_stands_around(self, sent: list[Entry], size: int, context: int) -> None:
        with TemporaryDirectory(prefix="peavey-") as path:
            folder = Path(path) / "container"
            write_journal(folder, encode(sent), size)
            everything = [match.line for match in search(folder, SearchQuery())]
            found = list(search(folder, SearchQuery(pattern=pattern("a"), context=context)))
        places = [number for number, line in enumerate(everything) if b"a" in line.text]
        assert [match.line for match in found] == [everything[place] for place in places]
        for match, place in zip(found, places, strict=True):
            first = everything.index(match.line)  # of lines that are the same in all, the first is taken
            place = first if everything[first] == everything[place] else place  # noqa: PLW2901
            assert list(match.before) == everything[max(0, place - context) : place]
            assert list(match.after) == everything[place + 1 : place + 1 + context]


class TestBorders:
    def test_a_match_across_parts_of_16_kib(self, folder: Path) -> None:
        sent = [*numbered(50), part(b"x" * 16380 + b"need"), part(b"le" + b"y" * 100, last=True), *numbered(50, 50)]
        write_journal(folder, encode(sent))
        (found,) = texts(folder, "needle")
        assert len(found) == 16380 + 6 + 100

    def test_a_line_whose_parts_lie_in_two_segments(self, folder: Path) -> None:
        sent = [part(b"a" * 300_000), part(b"need"), part(b"le", last=True)]
        write_journal(folder, encode(sent), 1 << 18)
        assert len(list_segments(folder)) > 1
        (found,) = texts(folder, "needle")
        assert found == b"a" * 300_000 + b"needle"
        (again,) = texts(folder, "needle", newest_first=True)
        assert again == found

    def test_bytes_of_two_lines_are_not_a_match(self, folder: Path) -> None:
        write_journal(folder, encode([Entry("stdout", 1, b"need"), Entry("stdout", 2, b"le")]))
        assert texts(folder, "needle") == []
        assert texts(folder, "stdout") == []
        assert texts(folder, "d[^x]*l") == []

    def test_the_frame_behind_a_false_candidate_is_seen(self, folder: Path) -> None:
        """A candidate that begins in the head of a frame must not hide a match in the next."""
        write_journal(folder, encode([Entry("stdout", 1, b"zzz"), Entry("stdout", 2, b"one t two")]))
        assert texts(folder, "t[^q]{1,3}two") == [b"one t two"]

    def test_a_torn_tail_is_no_line(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        newest = Path(list_segments(folder)[-1].path)
        frame = encode_frame(Entry("stdout", 9, b"line 3 needle"))
        newest.write_bytes(newest.read_bytes() + frame[:-1])
        assert texts(folder, "needle") == []
        newest.write_bytes(newest.read_bytes() + frame[-1:])
        assert texts(folder, "needle") == [b"line 3 needle"]

    def test_an_incomplete_line_counts_as_it_is(self, folder: Path) -> None:
        write_journal(folder, encode([*numbered(3), part(b"a needle")]))
        (match,) = search(folder, SearchQuery(pattern=pattern("needle")))
        assert (match.line.text, match.line.complete) == (b"a needle", False)

    def test_damage_is_passed_over(self, folder: Path) -> None:
        content = bytearray(encode([*numbered(1000, size=200), Entry("stdout", 5, b"needle"), *numbered(10)]))
        write_journal(folder, bytes(content))
        newest = Path(list_segments(folder)[-1].path)
        raw = bytearray(newest.read_bytes())
        raw[150_000:150_300] = b"\xff" * 300
        newest.write_bytes(raw)
        assert texts(folder, "needle") == [b"needle"]
        assert len(texts(folder, "line 1 ")) == 2

    def test_without_an_index_it_is_the_same(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3000, size=200)), 1 << 18)
        expected = texts(folder, "line 2[0-9]* ")
        for segment in list_segments(folder):
            index_path(folder, segment.base).unlink()
        assert texts(folder, "line 2[0-9]* ") == expected
        assert len(expected) == 1 + 10 + 100 + 1000

    def test_compressed_segments_are_searched(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(5000, size=200)), 1 << 18)
        assert compress_closed(folder) > 1
        assert texts(folder, "line 77 ") == [b"line 77 ".ljust(200, b".")]
        assert [text[:9] for text in texts(folder, "line 4..[012] ", newest_first=True, limit=2)] == [
            b"line 4992",
            b"line 4991",
        ]

    def test_no_journal_has_no_match(self, folder: Path) -> None:
        assert texts(folder, "x") == []


class TestMeanwhile:
    def test_what_retention_removes_is_not_found_and_nothing_twice(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(6000, size=200)), 1 << 18)
        found = search(folder, SearchQuery(pattern=pattern("line")))
        first = [next(found) for _ in range(10)]
        segments = list_segments(folder)
        for segment in segments[1:3]:
            Path(segment.path).unlink()
            index_path(folder, segment.base).unlink()
        numbers = [int(match.line.text.split()[1]) for match in [*first, *found]]
        assert numbers == sorted(set(numbers))
        assert numbers[:10] == list(range(10))
        assert numbers[-1] == 5999
        assert len(numbers) < 6000

    def test_what_intake_writes_is_not_torn(self, folder: Path) -> None:
        content = encode(numbered(4000, size=100))
        writer = JournalWriter(folder, 1 << 18)
        cuts = sorted(random.Random(5).sample(range(len(content)), 40))  # noqa: S311 (where to cut, no secret)
        with pipe() as fifo:
            start = 0
            for cut in [*cuts, len(content)]:
                append(writer, fifo, content[start:cut])
                start = cut
                numbers = [int(text.split()[1]) for text in texts(folder, "line")]
                assert numbers == list(range(len(numbers)))
        writer.close()
        assert len(texts(folder, "line")) == 4000

    def test_it_can_be_cancelled(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(30_000, size=200)), 1 << 24)
        asked: list[int] = []

        def cancelled() -> bool:
            asked.append(1)
            return len(asked) == 3

        with pytest.raises(SearchCancelledError):
            list(search(folder, SearchQuery(pattern=pattern("none"), cancelled=cancelled)))
        assert len(asked) == 3


class TestSeveral:
    def test_they_are_merged_by_time_and_bounded_together(self, tmp_path: Path) -> None:
        for name, times in (("a", (1, 4, 6)), ("b", (2, 3, 9))):
            write_journal(tmp_path / name, encode([Entry("stdout", time, b"x%d" % time) for time in times]))
        folders = {name: tmp_path / name for name in "ab"}
        query = SearchQuery(pattern=pattern("x"))
        found = [(one.key, one.match.line.time_nano) for one in search_all(folders, query)]
        assert found == [("a", 1), ("b", 2), ("b", 3), ("a", 4), ("a", 6), ("b", 9)]
        newest = search_all(folders, replace(query, newest_first=True, limit=2))
        assert [one.match.line.time_nano for one in newest] == [9, 6]

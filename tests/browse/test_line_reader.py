"""Reading lines from a place that can be written down: each line once, in order, however often one goes on."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.browse.line_reader import LineReader, Place
from plugin.docker.frames import Entry
from plugin.journal.layout import list_segments
from plugin.journal.lines import LineDecoder
from tests.journal.entries import encode, entries, numbered, part, write_journal


def all_lines(reader: LineReader) -> list[tuple[str, bytes]]:
    """Read to the end; returns streams and texts."""
    found = []
    while lines := reader.read():
        found += [(line.source, line.text) for line in lines]
    return found


def decoded(sent: list[Entry]) -> list[tuple[str, bytes]]:
    """Return what one decoder that sees everything at once makes of entries."""
    decoder = LineDecoder()
    content = encode(sent)
    assert decoder.feed(content, 0) == len(content)
    return [(line.source, line.text) for line in decoder.take()]


@given(st.data(), entries(max_size=25))
def test_readers_that_go_on_where_others_left_find_each_line_once(data: st.DataObject, sent: list[Entry]) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    with TemporaryDirectory() as name:
        folder = Path(name) / "journal"
        write_journal(folder, b"")
        found: list[tuple[str, bytes]] = []
        place = Place(0, 0)
        for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            write_journal(folder, encode(sent[begin:end]))
            reader = LineReader(folder, place=Place.parse(str(place)))
            found += all_lines(reader)
            assert reader.missing == 0
            place = reader.place
            reader.close()
    assert found == decoded(sent)


@pytest.mark.parametrize("tail", [0, 1, 3, 100])
def test_it_begins_with_the_last_lines(tmp_path: Path, tail: int) -> None:
    write_journal(tmp_path / "journal", encode(numbered(10)))
    reader = LineReader(tmp_path / "journal", tail=tail)

    assert [text for _, text in all_lines(reader)] == [f"line {n} ".encode() for n in range(max(0, 10 - tail), 10)]


def test_a_line_whose_parts_were_cut_by_leaving_comes_once_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write_journal(folder, encode([part(b"begin "), Entry("stderr", 2, b"between")]))
    first = LineReader(folder)
    assert all_lines(first) == [("stderr", b"between")]
    write_journal(folder, encode([part(b"end", 3, last=True)]))

    assert all_lines(LineReader(folder, place=first.place)) == [("stdout", b"begin end")]


def test_what_retention_removed_counts_as_missing(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write_journal(folder, encode(numbered(400, size=1000)), segment_size=100_000)
    reader = LineReader(folder, place=Place(0, 0))
    segments = list_segments(folder)
    assert len(segments) > 2
    Path(segments[0].path).unlink()

    assert len(all_lines(reader)) < 400
    assert reader.missing == segments[1].base


def test_damaged_bytes_are_passed_over_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    before, after = encode(numbered(2)), encode(numbered(2, start=2))
    write_journal(folder, before + b"\xff" * 50 + after)
    reader = LineReader(folder)

    assert [text for _, text in all_lines(reader)] == [b"line 0 ", b"line 1 ", b"line 2 ", b"line 3 "]
    assert reader.missing == 50


def test_one_that_is_far_behind_can_be_taken_to_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    sent = numbered(300, size=1000)
    write_journal(folder, encode(sent))
    reader = LineReader(folder, place=Place(0, 0))
    assert reader.behind() == len(encode(sent))
    reader.skip_to_tail(2)

    assert [text for _, text in all_lines(reader)] == [one.line for one in sent[-2:]]
    assert reader.missing == len(encode(sent[:-2]))


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_place_is_read_as_it_was_written(one: int, other: int) -> None:
    place = Place(min(one, other), max(one, other))

    assert Place.parse(str(place)) == place


@pytest.mark.parametrize("text", ["", "-", "1-", "-1", "x", "1-2-3", "1" * 17, "1 ", "٣"])
def test_anything_else_is_not_a_place(text: str) -> None:
    with pytest.raises(ValueError, match="is not a place in a journal"):
        Place.parse(text)

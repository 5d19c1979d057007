"""Joining parts of lines: what a ``Joiner`` says must be what a person would do with the entries."""

from collections.abc import Iterator

import pytest
from hypothesis import given

from plugin.docker import partials
from plugin.docker.frames import HEADER_SIZE, Entry, Fields, encode_frame
from plugin.docker.partials import COMPLETE, FLUSH_AFTER, FLUSH_BEFORE, HOLD, MAX_JOINED, Joiner, source_index
from tests.journal.entries import SMALL_JOINED, Line, Model, entries, lines_of, part


@pytest.fixture(scope="class")
def small_bound() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partials, "MAX_JOINED", SMALL_JOINED)
        yield


class Follower:
    """Does what a ``Joiner`` says."""

    def __init__(self) -> None:
        self.joiner = Joiner()
        self.fields = Fields()
        self.offset = 0
        self.parts: dict[int, list[Entry]] = {0: [], 1: []}
        self.lines: list[Line] = []

    def accept(self, entry: Entry) -> int:
        frame = encode_frame(entry)
        assert self.fields.locate(frame, HEADER_SIZE, len(frame))
        action = self.joiner.accept(self.fields, frame, self.offset)
        source = source_index(self.fields, frame)
        self.offset += len(frame)
        if action & FLUSH_BEFORE:
            self.emit(source, b"")
        self.parts[source].append(entry)
        if action & COMPLETE:
            self.emit(source, b"\n")
        if action & FLUSH_AFTER:
            self.emit(source, b"")
        return action

    def emit(self, source: int, newline: bytes) -> None:
        parts, self.parts[source] = self.parts[source], []
        text = b"".join(part.line for part in parts) + newline
        self.lines.append(Line(parts[0].source, parts[0].time_nano, text))


@pytest.mark.usefixtures("small_bound")
@given(entries())
def test_lines_are_those_of_the_model(sent: list[Entry]) -> None:
    follower, model = Follower(), Model(SMALL_JOINED)
    expected: list[Line] = []
    for entry in sent:
        expected += model.feed(entry, follower.offset)
        follower.accept(entry)
        assert follower.lines == expected
        assert follower.joiner.held_from == model.held_from
        assert follower.joiner.held == len(model.flush())


def test_a_whole_line_is_complete() -> None:
    assert Follower().accept(Entry("stdout", 1, b"x")) == COMPLETE


def test_parts_are_held_until_the_last() -> None:
    follower = Follower()
    actions = [follower.accept(entry) for entry in (part(b"a", 7), part(b"b", 7), part(b"c", 7, last=True))]
    assert actions == [HOLD, HOLD, COMPLETE]
    assert follower.lines == [Line("stdout", 7, b"abc\n")]


def test_an_old_engine_ends_a_line_with_an_entry_that_is_not_partial() -> None:
    follower = Follower()
    for entry in (Entry("stdout", 7, b"a", partial=True), Entry("stdout", 7, b"b", partial=True)):
        assert follower.accept(entry) == HOLD
    assert follower.accept(Entry("stdout", 7, b"c")) == COMPLETE
    assert follower.lines == [Line("stdout", 7, b"abc\n")]


def test_sources_do_not_disturb_each_other() -> None:
    sent = [part(b"a"), part(b"A", source="stderr", id="b"), part(b"B", source="stderr", id="b"), part(b"b")]
    sent += [part(b"C", source="stderr", id="b", last=True), Entry("stderr", 2, b"D"), part(b"c", last=True)]
    assert [line.text for line in lines_of(sent)] == [b"ABC\n", b"D\n", b"abc\n"]
    follower = Follower()
    for entry in sent:
        follower.accept(entry)
    assert [line.text for line in follower.lines] == [b"ABC\n", b"D\n", b"abc\n"]


def test_a_line_that_never_ends_is_emitted_before_the_next_of_its_source() -> None:
    follower = Follower()
    assert follower.accept(part(b"a", id="first")) == HOLD
    assert follower.accept(Entry("stderr", 1, b"elsewhere")) == COMPLETE
    assert follower.accept(part(b"b", id="second")) == FLUSH_BEFORE | HOLD
    assert follower.accept(Entry("stdout", 1, b"c")) == FLUSH_BEFORE | COMPLETE
    assert [line.text for line in follower.lines] == [b"elsewhere\n", b"a", b"b", b"c\n"]


def test_a_last_part_alone_is_a_line() -> None:
    assert Follower().accept(part(b"a", last=True)) == COMPLETE


def test_little_more_than_a_mebibyte_is_held() -> None:
    follower = Follower()
    piece = b"x" * (16 << 10)
    actions = [follower.accept(part(piece)) for _ in range(200)]
    assert actions == ([HOLD] * 64 + [HOLD | FLUSH_AFTER]) * 3 + [HOLD] * 5
    assert follower.accept(part(b"end", last=True)) == COMPLETE
    assert [len(line.text) for line in follower.lines] == [MAX_JOINED + len(piece)] * 3 + [5 * len(piece) + 4]


def test_a_line_of_a_mebibyte_stays_whole() -> None:
    follower = Follower()
    for _ in range(64):
        assert follower.accept(part(b"x" * (16 << 10))) == HOLD
    assert follower.accept(part(b"", last=True)) == COMPLETE
    assert [len(line.text) for line in follower.lines] == [MAX_JOINED + 1]


@pytest.mark.parametrize(
    ("source", "index"),
    [("stdout", 0), ("stderr", 1), ("", 0), ("e", 0), ("other", 0), ("stdeee", 1), ("stderrr", 0), ("étderr", 0)],
)
def test_whatever_is_not_stderr_counts_as_stdout(source: str, index: int) -> None:
    for line in (b"", b"e" * 10):
        frame = encode_frame(Entry(source, 1, line))
        fields = Fields()
        assert fields.locate(frame, HEADER_SIZE, len(frame))
        assert source_index(fields, frame) == index

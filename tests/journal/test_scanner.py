"""Walking frames: offset, lines, latest timestamp and index points, however the bytes are chopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import MAX_ENTRY_SIZE, Entry, encode_frame
from plugin.docker.partials import Joiner
from plugin.journal.scanner import NO_TIME, Walker, count_lines, missing_bytes, resynchronise
from tests.journal.entries import SMALL_JOINED, SMALL_SPACING, Model, encode, entries, numbered, part

Knowledge = tuple[int, int, int, int]


def expected_points(sent: list[Entry], base: int) -> tuple[list[Knowledge], Knowledge]:
    """Return the points of a walk, and what is known at its end."""
    model = Model(SMALL_JOINED)
    points: list[Knowledge] = []
    offset, lines, latest, next_point = base, 0, NO_TIME, base + SMALL_SPACING
    for entry in sent:
        held_from = model.held_from
        known = (offset, lines, latest, offset if held_from < 0 else held_from)
        if offset >= next_point:
            points.append(known)
            next_point = offset + SMALL_SPACING
        lines += len(model.feed(entry, offset))
        latest = max(latest, entry.time_nano)
        offset += len(encode_frame(entry))
    held_from = model.held_from
    return points, (offset, lines, latest, offset if held_from < 0 else held_from)


@pytest.mark.usefixtures("scaled_down")
class TestWalking:
    @given(entries(), st.integers(0, 2**40), st.data())
    def test_any_chopping_gives_the_same(self, sent: list[Entry], base: int, data: st.DataObject) -> None:
        content = encode(sent)
        walker = Walker(base, Joiner())
        end = 0
        while end < len(content):
            end = min(len(content), end + data.draw(st.integers(1, 400), label="piece"))
            start = walker.offset - base
            assert walker.walk(content[start:end]) == walker.offset - base - start
        points, last = expected_points(sent, base)
        assert walker.points == points
        assert walker.point() == last
        assert not walker.malformed

    @given(entries(), st.binary(max_size=200))
    def test_stops_where_frames_end(self, sent: list[Entry], garbage: bytes) -> None:
        content = encode(sent)
        walker = Walker(0, Joiner())
        assert walker.walk(content + garbage) >= len(content)
        assert walker.offset <= len(content) + len(garbage)

    @given(st.binary(max_size=300))
    def test_random_bytes_are_survived(self, garbage: bytes) -> None:
        walker = Walker(0, Joiner())
        assert 0 <= walker.walk(garbage) <= len(garbage)

    @given(entries(min_size=1), st.data())
    def test_walking_can_go_on_at_a_point_without_incomplete_lines(
        self, sent: list[Entry], data: st.DataObject
    ) -> None:
        content = encode(sent)
        whole = Walker(0, Joiner())
        whole.walk(content)
        clean = [point for point in whole.points if point[0] == point[3]]
        if clean:
            offset, lines, latest, _ = data.draw(st.sampled_from(clean))
            again = Walker(0, Joiner())
            again.restart(offset, lines, latest)
            again.walk(content[offset:])
            assert again.point() == whole.point()
            assert again.points == [point for point in whole.points if point[0] > offset]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\0",  # the engine sends no empty entry
        (MAX_ENTRY_SIZE + 1).to_bytes(4, "big"),
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\0",
        b"\0\0\0\2\x0a\x05",
    ],
)
def test_bytes_that_are_no_frame_are_malformed(garbage: bytes) -> None:
    good = encode(numbered(3))
    walker = Walker(100, Joiner())
    assert walker.walk(good + garbage + good) == len(good)
    assert walker.malformed
    assert (walker.offset, walker.lines) == (100 + len(good), 3)
    walker.restart(500, 0, NO_TIME)
    assert not walker.malformed
    assert walker.walk(good) == len(good)


def test_an_entry_of_the_largest_size_is_walked_over() -> None:
    overhead = len(encode_frame(Entry("stdout", 1, b"x" * (1 << 19)))) - (1 << 19) - 4
    largest = encode_frame(Entry("stdout", 1, b"x" * (MAX_ENTRY_SIZE - overhead)))
    assert len(largest) == MAX_ENTRY_SIZE + 4
    walker = Walker(0, Joiner())
    assert walker.walk(largest[:-1]) == 0
    assert not walker.malformed
    assert walker.walk(largest) == len(largest)


def test_latest_may_lie_before_1970_and_never_goes_back() -> None:
    walker = Walker(0, Joiner())
    assert walker.latest == NO_TIME
    for time, latest in ((-(2**63), -(2**63)), (-5, -5), (-7, -5), (2**63 - 1, 2**63 - 1), (3, 2**63 - 1)):
        walker.walk(encode_frame(Entry("stdout", time, b"")))
        assert walker.latest == latest


def test_an_action_can_end_two_lines() -> None:
    assert [count_lines(action) for action in range(16)] == [0, 1, 0, 1, 1, 2, 1, 2, 1, 2, 1, 2, 2, 3, 2, 3]


@given(entries(min_size=1, max_size=1), st.data())
def test_missing_bytes_lead_to_the_frames_end(sent: list[Entry], data: st.DataObject) -> None:
    frame = encode(sent)
    tail = frame[: data.draw(st.integers(0, len(frame) - 1))]
    missing = missing_bytes(tail)
    assert missing == (len(frame) if len(tail) >= 4 else 4) - len(tail)


class TestResynchronising:
    @given(st.binary(max_size=60), entries(min_size=1, max_size=4), st.booleans())
    def test_finds_the_first_frame_behind_garbage(self, garbage: bytes, sent: list[Entry], cut: bool) -> None:
        if b"\x0a\x06std" in garbage:
            return
        buffer = garbage + encode(sent)
        if cut and len(sent) > 1:
            buffer = buffer[:-1]
        assert resynchronise(buffer, 0) == len(garbage)

    @given(st.binary(max_size=300), st.integers(0, 300))
    def test_random_bytes_are_survived(self, garbage: bytes, start: int) -> None:
        assert -1 <= resynchronise(garbage, start) <= len(garbage)

    def test_looks_no_further_back_than_asked(self) -> None:
        frames = [encode([entry]) for entry in numbered(3)]
        content = b"".join(frames)
        assert resynchronise(content, 0) == 0
        assert resynchronise(content, 1) == len(frames[0])
        assert resynchronise(content, len(content)) == -1

    def test_an_incomplete_frame_does_not_count(self) -> None:
        assert resynchronise(b"\0" + encode(numbered(1))[:-1], 0) == -1

    def test_the_beginning_of_a_frame_within_a_line_does_not_count(self) -> None:
        quoted = encode([Entry("stdout", 1, b"quoting \x0a\x06stdout\x10\x05")])
        assert resynchronise(b"\1\2\3" + quoted, 0) == 3
        assert resynchronise(quoted, 1) == -1

    def test_a_part_is_a_frame_too(self) -> None:
        assert resynchronise(b"?" + encode([part(b"x")]), 0) == 1

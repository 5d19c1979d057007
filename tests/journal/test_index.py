"""The sparse index: sound points are used, whatever else lies in the file is not."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from plugin.journal.index import Point, clean_points, pack_points, read_points
from plugin.journal.scanner import NO_TIME

END = 1 << 62
STEPS = st.tuples(
    st.integers(1, 1 << 40), st.integers(0, 1 << 20), st.integers(-(2**63), 2**63 - 1), st.integers(0, 99)
)


@st.composite
def indexes(draw: st.DrawFn) -> list[Point]:
    base = draw(st.integers(0, 1 << 40))
    points = [Point(base, 0, NO_TIME, draw(st.integers(0, base)))]
    for distance, lines, latest, held in draw(st.lists(STEPS, max_size=8)):
        last = points[-1]
        points.append(Point(last.offset + distance, last.lines + lines, latest, last.offset + distance - held))
    return points


def stored(content: bytes, base: int, end: int = END, last: int | None = None) -> list[Point]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        path.write_bytes(content)
        return read_points(path, base, end, last)


def test_a_record_is_four_little_endian_integers() -> None:
    content = pack_points([(1, 2, -1, 0), (258, 0, 0, 0)])
    assert content == bytes.fromhex(
        "0100000000000000 0200000000000000 ffffffffffffffff 0000000000000000"
        "0201000000000000 0000000000000000 0000000000000000 0000000000000000"
    )


@given(indexes())
def test_round_trip(points: list[Point]) -> None:
    assert stored(pack_points(points), points[0].offset) == points


@given(indexes(), st.data())
def test_a_truncated_index_gives_what_is_whole(points: list[Point], data: st.DataObject) -> None:
    content = pack_points(points)
    cut = data.draw(st.integers(0, len(content)))
    assert stored(content[:cut], points[0].offset) == points[: cut // 32]


@given(indexes(), st.integers(1, 9), st.integers(0, 31))
def test_the_last_ones_come_after_the_first(points: list[Point], last: int, torn: int) -> None:
    content = pack_points(points) + bytes(torn)
    assert stored(content, points[0].offset, last=last) == [points[0], *points[1:][-last:]]


@given(indexes(), st.data())
def test_points_beyond_the_end_are_left_out(points: list[Point], data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(points)).offset
    assert stored(pack_points(points), points[0].offset, end) == [point for point in points if point.offset <= end]


@given(st.binary(max_size=300), st.integers(0, 1 << 40))
def test_garbage_is_no_index(content: bytes, base: int) -> None:
    assert all(base <= point.offset <= base + 1000 for point in stored(content, base, base + 1000))


@given(indexes())
def test_what_comes_after_a_point_that_cannot_be_is_left_out(points: list[Point]) -> None:
    last = points[-1]
    for impossible in (
        Point(last.offset, last.lines, 0, 0),
        Point(last.offset - 1, last.lines, 0, 0),
        Point(last.offset + 1, last.lines - 1, 0, 0),
        Point(last.offset + 1, last.lines, 0, last.offset + 2),
        Point(0, 0, 0, 0),
    ):
        following = Point(last.offset + 9, last.lines + 9, 0, 0)
        assert stored(pack_points([*points, impossible, following]), points[0].offset) == points


def test_an_index_of_another_segment_is_none() -> None:
    assert stored(pack_points([(5, 0, NO_TIME, 5)]), 6) == []
    assert stored(pack_points([(5, 1, NO_TIME, 5)]), 5) == []
    assert stored(pack_points([(5, 0, NO_TIME, 6)]), 5) == []


def test_one_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000000.idx").mkdir()
    assert read_points(tmp_path / "00000000000000000000.idx", 0, 1 << 30) == []


def test_a_missing_index_is_empty(folder: Path) -> None:
    assert read_points(folder / "index", 0, END) == []


@given(indexes())
def test_clean_points_end_where_no_line_is_incomplete(points: list[Point]) -> None:
    clean = clean_points(points)
    assert clean == points[: len(clean)]
    assert len(clean) == 1 or clean[-1].resume == clean[-1].offset
    assert all(point.resume != point.offset for point in points[max(1, len(clean)) :])


def test_clean_points_of_nothing_are_nothing() -> None:
    assert clean_points([]) == []

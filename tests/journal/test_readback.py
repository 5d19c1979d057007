"""Reading back: whatever the journal looks like, the lines are those that a naive model chooses."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import Entry
from plugin.journal import readback
from plugin.journal.layout import list_segments
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.reader import JournalReader
from tests.journal.entries import (
    SMALL_JOINED,
    Line,
    choose,
    compress,
    decode,
    encode,
    entries,
    lines_of,
    numbered,
    part,
    read_lines,
    write_journal,
)

BOUND = st.just(0) | st.integers(1, 41)
TAIL = st.just(-1) | st.integers(0, 12)
SEGMENT_SIZES = st.integers(60, 1500)


def read_all(reading: LogReading) -> bytes:
    content = b""
    while frames := reading.read():
        content += frames
    return content


def answer(folder: Path, query: LogQuery) -> list[Line]:
    reading = LogReading(folder, query)
    try:
        content = read_all(reading)
        return read_lines(content + reading.finish())
    finally:
        reading.close()


def leave_alone(_: Path) -> None:
    """The index stays as it is."""


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_record(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def cut_last_record(path: Path) -> None:
    os.truncate(path, max(0, path.stat().st_size - 32))


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def scribble(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:32] + bytes((byte * 7 + 129) % 256 for byte in content[32:]))


DAMAGES: list[Callable[[Path], None]] = [
    leave_alone,
    leave_alone,
    Path.unlink,
    empty,
    cut_record,
    cut_last_record,
    fill_with_zeros,
    scribble,
]


@pytest.mark.usefixtures("close_points")
class TestModel:
    @given(entries(), SEGMENT_SIZES, TAIL, BOUND, BOUND, st.data())
    def test_lines_are_those_of_the_model(
        self, sent: list[Entry], segment_size: int, tail: int, since: int, until: int, data: st.DataObject
    ) -> None:
        with journal_of(sent, segment_size, data) as folder:
            found = answer(folder, LogQuery(tail=tail, since=since, until=until))
        assert found == choose(lines_of(sent), tail=tail, since=since, until=until)

    @given(entries(min_size=10), SEGMENT_SIZES, TAIL, BOUND, st.data())
    def test_damaged_indexes_change_nothing(
        self, sent: list[Entry], segment_size: int, tail: int, since: int, data: st.DataObject
    ) -> None:
        with journal_of(sent, segment_size, data) as folder:
            for index in sorted(folder.glob("*.idx")):
                data.draw(st.sampled_from(DAMAGES), label=index.name)(index)
            found = answer(folder, LogQuery(tail=tail, since=since))
        assert found == choose(lines_of(sent), tail=tail, since=since)

    @given(entries(), entries(), SEGMENT_SIZES, TAIL, BOUND, BOUND, st.integers(1, 5), st.booleans())
    def test_a_follower_gets_the_rest(
        self,
        before: list[Entry],
        after: list[Entry],
        segment_size: int,
        tail: int,
        since: int,
        until: int,
        rounds: int,
        torn: bool,
    ) -> None:
        with TemporaryDirectory() as path:
            folder = Path(path)
            later = encode(after)
            first = min(3, len(later)) if torn else 0
            write_journal(folder, encode(before) + later[:first], segment_size)
            reading = LogReading(folder, LogQuery(tail=tail, since=since, until=until, follow=True))
            content = read_all(reading)
            for number in range(rounds):
                start = max(first, len(later) * number // rounds)
                stop = max(first, len(later) * (number + 1) // rounds)
                write_journal(folder, later[start:stop], segment_size)
                content += read_all(reading)
            content += reading.finish()
            reading.close()
        there = len(lines_of(before, finished=False))
        everything = lines_of(before + after)
        skipped = there - min(tail, there) if tail >= 0 else 0
        assert read_lines(content) == choose(everything[skipped:], since=since, until=until)

    @given(entries(min_size=5), SEGMENT_SIZES, TAIL, BOUND, st.integers(1, 30))
    def test_small_chunks_change_nothing(
        self, sent: list[Entry], segment_size: int, tail: int, since: int, chunk: int
    ) -> None:
        with TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:
            patch.setattr(readback, "_CHUNK", chunk)
            folder = Path(path)
            write_journal(folder, encode(sent), segment_size)
            found = answer(folder, LogQuery(tail=tail, since=since))
        assert found == choose(lines_of(sent), tail=tail, since=since)

    @given(entries(min_size=5), st.integers(60, 600), TAIL, BOUND, st.data())
    def test_what_retention_removed_is_missing_and_nothing_else(
        self, sent: list[Entry], segment_size: int, tail: int, since: int, data: st.DataObject
    ) -> None:
        whole = [entry for entry in sent if not entry.partial]
        with TemporaryDirectory() as path:
            folder = Path(path)
            write_journal(folder, encode(whole), segment_size)
            segments = list_segments(folder)
            gone = data.draw(st.integers(0, len(segments) - 1))
            lost = len(decode(b"".join(Path(segment.path).read_bytes() for segment in segments[:gone])))
            for segment in segments[:gone]:
                os.unlink(segment.path)
            found = answer(folder, LogQuery(tail=tail, since=since))
        assert found == choose(lines_of(whole[lost:]), tail=tail, since=since)


@pytest.mark.usefixtures("scaled_down")
class TestLongLines:
    """Lines that are longer than what is held together: they come in pieces, which count as lines."""

    @given(entries(sources=["stdout"]), SEGMENT_SIZES, TAIL, BOUND, BOUND, st.data())
    def test_pieces_are_those_of_the_model(
        self, sent: list[Entry], segment_size: int, tail: int, since: int, until: int, data: st.DataObject
    ) -> None:
        with journal_of(sent, segment_size, data) as folder:
            found = answer(folder, LogQuery(tail=tail, since=since, until=until))
        assert found == choose(lines_of(sent, SMALL_JOINED), tail=tail, since=since, until=until)


@contextmanager
def journal_of(sent: list[Entry], segment_size: int, data: st.DataObject) -> Iterator[Path]:
    """Make the journal of some entries, with any segments compressed."""
    with TemporaryDirectory() as path:
        folder = Path(path)
        write_journal(folder, encode(sent), segment_size)
        compress_some(folder, data)
        yield folder


def compress_some(folder: Path, data: st.DataObject) -> None:
    for segment in list_segments(folder)[:-1]:
        if data.draw(st.booleans(), label=f"compress {segment.base}"):
            compress(folder, segment.base)


class TestOneReading:
    def test_a_journal_that_does_not_exist_is_empty(self, folder: Path) -> None:
        assert answer(folder, LogQuery()) == []
        assert answer(folder, LogQuery(tail=5, since=1, until=2)) == []

    def test_a_follower_can_wait_for_a_journal_to_begin(self, folder: Path) -> None:
        reading = LogReading(folder, LogQuery(tail=0, follow=True))
        assert reading.read() == b""
        write_journal(folder, encode(numbered(3)))
        assert read_lines(read_all(reading)) == lines_of(numbered(3))
        reading.close()

    def test_an_entry_keeps_source_and_time_and_gains_a_newline(self, folder: Path) -> None:
        write_journal(folder, encode([Entry("stderr", -5, b"\xff\0"), Entry("stdout", 2**62, b"")]))
        reading = LogReading(folder, LogQuery())
        assert decode(reading.read()) == [Entry("stderr", -5, b"\xff\0\n"), Entry("stdout", 2**62, b"\n")]
        reading.close()

    def test_what_comes_after_the_reading_began_is_not_part_of_it(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        reading = LogReading(folder, LogQuery())
        write_journal(folder, encode(numbered(3, start=3)))
        assert read_lines(read_all(reading)) == lines_of(numbered(3))
        reading.close()

    def test_nor_is_it_when_a_frame_is_larger_than_a_chunk(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(readback, "_CHUNK", 64)
        write_journal(folder, encode(numbered(1, size=200)))
        reading = LogReading(folder, LogQuery())
        write_journal(folder, encode(numbered(3, start=1)))
        assert read_lines(read_all(reading) + reading.finish()) == lines_of(numbered(1, size=200))
        reading.close()

    def test_an_incomplete_line_counts_for_the_tail_unless_it_may_still_end(self, folder: Path) -> None:
        sent = [*numbered(2), part(b"to be ", time=3)]
        write_journal(folder, encode(sent))
        assert answer(folder, LogQuery(tail=1)) == [Line("stdout", 3, b"to be ")]
        follower = LogReading(folder, LogQuery(tail=1, follow=True))
        assert read_lines(read_all(follower)) == [Line("stdout", 2, b"line 1 \n")]
        write_journal(folder, encode([part(b"continued", time=3, last=True)]))
        assert read_lines(read_all(follower)) == [Line("stdout", 3, b"to be continued\n")]
        follower.close()

    @pytest.mark.parametrize("tail", [0, 1, 2, 3])
    def test_both_sources_can_be_incomplete_at_the_end_of_a_closed_journal(self, folder: Path, tail: int) -> None:
        sent = [*numbered(2), part(b"out"), part(b"err", source="stderr")]
        write_journal(folder, encode(sent), segment_size=len(encode(sent)))
        write_journal(folder, b"", segment_size=len(encode(sent)))
        assert answer(folder, LogQuery(tail=tail)) == choose(lines_of(sent), tail=tail)

    def test_a_time_beyond_64_bits_is_never_reached(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        assert answer(folder, LogQuery(until=2**70)) == lines_of(numbered(3))
        assert answer(folder, LogQuery(since=2**70)) == []
        assert answer(folder, LogQuery(since=-(2**70))) == lines_of(numbered(3))
        assert answer(folder, LogQuery(until=-(2**70))) == []
        assert answer(folder, LogQuery(tail=2**70)) == lines_of(numbered(3))

    def test_it_is_done_once_until_is_passed(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        reading = LogReading(folder, LogQuery(until=2, follow=True))
        assert read_lines(read_all(reading)) == lines_of(numbered(2))
        assert reading.done
        assert reading.finish() == b""
        reading.close()

    def test_bytes_that_wait_to_be_set_aside_are_not_shown(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(3)))
        with (folder / f"{0:020}.log").open("ab") as segment:
            segment.write(b"\0\0\0\0\0\0\0\x01")
        assert answer(folder, LogQuery()) == lines_of(numbered(3))
        assert answer(folder, LogQuery(tail=2)) == lines_of(numbered(3))[1:]

    def test_a_damaged_compressed_segment_costs_only_itself(self, folder: Path) -> None:
        sent = numbered(300, size=50)
        write_journal(folder, encode(sent), segment_size=4000)
        segments = list_segments(folder)
        compress(folder, segments[1].base)
        packed = folder / f"{segments[1].base:020}.log.zst"
        packed.write_bytes(packed.read_bytes()[:-30] + b"\xff" * 30)
        (missing,) = missing_in(answer(folder, LogQuery()))
        assert missing > 0
        texts = [line.text for line in answer(folder, LogQuery()) if not is_mark(line)]
        expected = [line.text for line in lines_of(sent)]
        assert set(texts) <= set(expected)
        first = len(decode(Path(segments[0].path).read_bytes()))
        last = len(decode(b"".join(Path(segment.path).read_bytes() for segment in segments[2:])))
        assert texts[:first] == expected[:first]
        assert texts[-last:] == expected[-last:]


GARBLED = {
    "overwritten": b"\xff" * 27,
    "zeroed": bytes(27),
    "with a length that never completes": (900_000).to_bytes(4, "big") + b"\x99" * 23,
}


class TestDamage:
    """Reading goes on behind damaged bytes, and says in their place how many are missing."""

    SENT = numbered(400, size=50)

    @pytest.fixture(params=["newest", "closed", "compressed"])
    def damaged(self, folder: Path, request: pytest.FixtureRequest) -> Callable[[bytes], list[Entry]]:
        """Damages a frame in the middle of such a segment; return the entries that are whole."""

        def damage(garbled: bytes) -> list[Entry]:
            write_journal(folder, encode(self.SENT), segment_size=10_000)
            segments = list_segments(folder)
            segment = segments[-1] if request.param == "newest" else segments[1]
            before = sum(len(decode(Path(one.path).read_bytes())) for one in segments if one.base < segment.base)
            hit = before + 10
            start = len(encode(self.SENT[:hit])) - segment.base
            with Path(segment.path).open("r+b") as file:
                file.seek(start)
                file.write(garbled)
            if request.param == "compressed":
                compress(folder, segment.base)
            return self.SENT[:hit] + self.SENT[hit + 1 :]

        return damage

    @pytest.mark.parametrize("garbled", GARBLED.values(), ids=GARBLED)
    def test_what_is_behind_it_is_read(
        self, folder: Path, damaged: Callable[[bytes], list[Entry]], garbled: bytes
    ) -> None:
        whole = damaged(garbled)
        found = answer(folder, LogQuery())
        assert [line for line in found if not is_mark(line)] == lines_of(whole)
        assert missing_in(found) == [len(encode(self.SENT[-1:]))]
        position = next(number for number, line in enumerate(found) if is_mark(line))
        assert found[:position] == lines_of(whole)[:position]
        assert found[position].time == found[position + 1].time

    @pytest.mark.parametrize("garbled", GARBLED.values(), ids=GARBLED)
    def test_without_an_index_the_last_lines_are_counted_behind_it(
        self, folder: Path, damaged: Callable[[bytes], list[Entry]], garbled: bytes
    ) -> None:
        whole = damaged(garbled)
        for index in folder.glob("*.idx"):
            index.unlink()
        assert answer(folder, LogQuery(tail=5)) == lines_of(whole)[-5:]
        found = answer(folder, LogQuery(tail=390))
        assert [line for line in found if not is_mark(line)] == lines_of(whole)[-390:]

    def test_lines_that_are_not_wanted_hide_what_is_missing(
        self, folder: Path, damaged: Callable[[bytes], list[Entry]]
    ) -> None:
        whole = damaged(GARBLED["overwritten"])
        last = lines_of(whole)[-1].time
        assert missing_in(answer(folder, LogQuery(since=last))) == []
        assert missing_in(answer(folder, LogQuery(until=1))) == []

    @pytest.mark.parametrize("garbled", list(GARBLED.values())[:2], ids=list(GARBLED)[:2])
    def test_a_follower_goes_on(self, folder: Path, damaged: Callable[[bytes], list[Entry]], garbled: bytes) -> None:
        whole = damaged(garbled)
        reading = LogReading(folder, LogQuery(follow=True))
        content = read_all(reading)
        later = numbered(5, start=1000)
        write_journal(folder, encode(later), segment_size=10_000)
        content += read_all(reading)
        content += reading.finish()
        reading.close()
        found = read_lines(content)
        assert [line for line in found if not is_mark(line)] == lines_of(whole + later)
        assert len(missing_in(found)) == 1

    def test_a_follower_does_not_wait_for_a_frame_for_ever(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only its length is damaged: it may be one that is still being written."""
        write_journal(folder, encode(numbered(9)))
        with (folder / f"{0:020}.log").open("r+b") as file:
            file.seek(len(encode(numbered(4))))
            file.write((900_000).to_bytes(4, "big"))
        reading = LogReading(folder, LogQuery(follow=True))
        assert read_lines(read_all(reading)) == lines_of(numbered(4))
        monkeypatch.setattr(readback, "_PATIENCE", -1)
        mark, *rest = read_lines(read_all(reading))
        assert is_mark(mark)
        assert rest == lines_of(numbered(9))[5:]
        reading.close()

    def test_a_rest_without_any_frame_is_missing(self, folder: Path) -> None:
        write_journal(folder, encode(numbered(20)), segment_size=len(encode(numbered(10))))
        with (folder / f"{0:020}.log").open("r+b") as file:
            file.seek(len(encode(numbered(5))))
            file.write(b"\xff" * len(encode(numbered(5))))
        found = answer(folder, LogQuery())
        assert [line for line in found if not is_mark(line)] == lines_of(numbered(20))[:5] + lines_of(numbered(20))[10:]
        assert missing_in(found) == [len(encode(numbered(5)))]

    def test_a_frame_that_is_being_written_is_not_missing(self, folder: Path) -> None:
        frame = encode(numbered(1))
        write_journal(folder, encode(numbered(3)) + frame[:-5])
        assert answer(folder, LogQuery()) == lines_of(numbered(3))


def is_mark(line: Line) -> bool:
    """Return whether a line says what is missing."""
    return line.text.startswith(b"peavey: ") and line.source == "stderr"


def missing_in(lines: list[Line]) -> list[int]:
    """How many bytes are missing by what the lines say."""
    return [int(line.text.split()[1]) for line in lines if is_mark(line)]


class TestMemory:
    def test_a_reading_holds_one_chunk_however_large_the_journal(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent = numbered(20_000, size=100)
        write_journal(folder, encode(sent), segment_size=1 << 19)
        for segment in list_segments(folder)[:-2]:
            compress(folder, segment.base)
        asked: list[int] = []
        peek = JournalReader.peek

        def watched_peek(self: JournalReader, size: int) -> bytes:
            asked.append(size)
            return peek(self, size)

        monkeypatch.setattr(JournalReader, "peek", watched_peek)
        reading = LogReading(folder, LogQuery())
        pieces = []
        while frames := reading.read():
            pieces.append(len(frames))
            open_segment = reading._reader._segment
            assert open_segment is not None
            assert len(open_segment._piece) <= 1 << 20
        reading.close()
        assert max(asked) <= 1 << 18
        assert max(pieces) <= (1 << 18) * 2
        assert sum(pieces) == len(encode(sent)) + len(sent)

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.config.options import validate
from plugin.delivery import tail as tail_module
from plugin.delivery.identities import Identities
from plugin.delivery.tail import Tail
from plugin.docker.frames import Entry, PartialMetadata, encode_frame
from plugin.docker.info import Info
from plugin.journal.compression import compress_closed
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.metadata import Earlier, write_metadata
from plugin.journal.retention import measure, remove_segment
from plugin.records.position import position_behind
from plugin.sinks.base import Record
from plugin.sinks.registry import schema
from plugin.transforms.base import Transform
from plugin.transforms.chain import make_stages
from tests.delivery.conftest import FakeSink, Journal, make_tail
from tests.testbed.descriptors import open_descriptors
from tests.transforms.examples import KeepAll


def read_all(tail: Tail) -> list[bytes]:
    lines: list[bytes] = []
    while (chunk := tail.read(50_000)).more:
        lines += [record.line for record in chunk.records]
    return lines


def test_it_reads_what_is_there_and_then_what_comes(journal: Journal, sink: FakeSink) -> None:
    first = journal.lines(0, 100)
    tail = make_tail(journal, sink)
    assert read_all(tail) == first
    assert read_all(tail) == []

    more = journal.lines(100, 100)
    assert tail.has_news()
    assert read_all(tail) == more


def test_a_tail_that_rests_has_no_file_open_and_sees_what_comes(journal: Journal, sink: FakeSink) -> None:
    journal.lines(0, 100)
    tail = make_tail(journal, sink)
    records = tail.read(50_000).records
    assert tail.read(50_000).records == []
    os.utime(journal.folder, (1, 1))
    while tail.has_news():
        pass
    before = open_descriptors()
    tail.rest()
    assert open_descriptors() == before  # there is something to deliver still

    tail.acknowledge(position_behind(records[-1]), 100)
    tail.rest()
    assert open_descriptors() == before - 2
    assert not tail.has_news()

    more = journal.lines(100, 100)
    assert tail.has_news()
    assert read_all(tail) == more


def test_a_tail_sees_the_next_segment_at_once_where_something_is_said_to_be_new(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    journal = make_journal(segment_size=1_000)
    journal.lines(0, 10)
    tail = make_tail(journal, sink)
    records = tail.read(50_000).records
    tail.acknowledge(position_behind(records[-1]), 10)
    assert tail.read(50_000).records == []
    os.utime(journal.folder, (1, 1))
    while tail.has_news():
        pass
    tail.rest()
    assert not any(tail.has_news(thorough=True) for _ in range(7))
    assert journal.writer.rotate()
    more = journal.lines(10, 10)
    assert tail.has_news(thorough=True)
    assert read_all(tail) == more

    compress_closed(journal.folder)
    assert tail.has_news(thorough=True)
    assert read_all(tail) == []


def test_a_tail_does_not_rest_while_there_is_more_to_read(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 100)
    tail = make_tail(journal, sink)
    before = open_descriptors()
    first = tail.read(100).records
    tail.acknowledge(position_behind(first[-1]), len(first))
    tail.rest()
    assert open_descriptors() == before + 2
    assert [record.line for record in first] + read_all(tail) == lines


def test_a_cursor_moves_only_when_records_are_acknowledged(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 10)
    records = make_tail(journal, sink).read(50_000).records
    tail = make_tail(journal, sink)
    assert read_all(tail) == lines

    tail.acknowledge(position_behind(records[3]), 4)
    assert read_all(make_tail(journal, sink)) == lines[4:]
    cursor = read_cursor(journal.folder, "fake")
    assert cursor is not None
    assert cursor.records == 4
    assert cursor.last_success > 0


def test_it_reads_across_segments(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    journal = make_journal(segment_size=1_000)
    lines = journal.lines(0, 500)
    assert len(measure(journal.folder)) > 5
    assert read_all(make_tail(journal, sink)) == lines


def test_what_retention_took_is_said_in_its_place(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    journal = make_journal(segment_size=1_000)
    lines = journal.lines(0, 500)
    use = measure(journal.folder)
    for gone in use[:3]:
        remove_segment(gone)

    delivered = read_all(make_tail(journal, sink))

    missing = use[3].segment.base
    assert delivered[0].startswith(b"peavey: %d bytes" % missing)
    assert delivered[1:] == lines[-len(delivered[1:]) :]


def test_lines_that_are_under_way_before_a_gap_are_delivered_as_far_as_they_are_there(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    journal = make_journal(segment_size=1)
    journal.write(part(1, b"one "), part(1, b"error ", source="stderr"), part(2, b"two "))
    tail = make_tail(journal, sink)
    assert read_all(tail) == []
    journal.write(part(3, b"three "), part(4, b"four", last=True))
    journal.lines(0, 2)
    use = measure(journal.folder)
    for gone in use[4:6]:
        remove_segment(gone)

    records = tail.read(50_000).records
    assert [record.line for record in records[:2]] == [b"one two three ", b"error "]
    assert records[2].line.startswith(b"peavey: %d bytes" % (use[6].segment.base - use[4].segment.base))
    assert [record.line for record in records[3:]] + read_all(tail) == [b"line 000001"]
    assert [record.end for record in records[:3]] == [use[4].segment.base] * 2 + [use[6].segment.base]


def test_a_gap_before_the_cursor_does_not_take_it_back(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    journal = make_journal(segment_size=1)
    journal.write(part(1, b"one "), Entry("stderr", 6_000, b"between"))
    tail = make_tail(journal, sink)
    (between,) = tail.read(50_000).records
    tail.acknowledge(position_behind(between), 1)
    remove_segment(measure(journal.folder)[0])

    tail = make_tail(journal, sink)
    (gap,) = tail.read(50_000).records
    assert gap.line.startswith(b"peavey: ")
    tail.acknowledge(position_behind(gap), 1)
    assert tail.cursor.offset == between.end


def part(number: int, line: bytes, *, last: bool = False, source: str = "stdout") -> Entry:
    return Entry(source, 5_000, line, partial=True, metadata=PartialMetadata(last, "id-" + source, number))


def test_parts_of_a_line_are_joined(journal: Journal, sink: FakeSink) -> None:
    journal.write(part(1, b"one "), Entry("stderr", 6_000, b"between"), part(2, b"two "), part(3, b"three", last=True))
    assert read_all(make_tail(journal, sink)) == [b"between", b"one two three"]


def test_a_line_that_is_under_way_is_read_from_its_beginning_after_a_restart(journal: Journal, sink: FakeSink) -> None:
    journal.write(part(1, b"one "), Entry("stderr", 6_000, b"between"))
    tail = make_tail(journal, sink)
    (between,) = tail.read(50_000).records
    tail.acknowledge(position_behind(between), 1)

    journal.write(part(2, b"two", last=True))
    assert read_all(make_tail(journal, sink)) == [b"one two"]


def test_a_line_whose_rest_does_not_come_is_delivered_as_it_is(journal: Journal, sink: FakeSink) -> None:
    journal.write(part(1, b"prompt> "))
    tail = make_tail(journal, sink)
    assert read_all(tail) == []

    tail.patience = -1.0
    assert tail.has_news()
    assert read_all(tail) == [b"prompt> "]
    assert not tail.has_news()


def test_a_sink_may_want_the_parts_as_they_come(journal: Journal, sink: FakeSink) -> None:
    sink.joins_parts = False
    journal.write(part(1, b"one "), part(2, b"two", last=True), Entry("stdout", 7_000, b"whole"))
    records = make_tail(journal, sink).read(50_000).records
    assert [(r.line, r.part_ordinal, r.part_last, r.part_id) for r in records] == [
        (b"one ", 1, False, "id-stdout"),
        (b"two", 2, True, "id-stdout"),
        (b"whole", 0, False, ""),
    ]


class TestACharacterThatTheEngineCut:
    """Where the sink wants the parts as they come."""

    EURO = "€".encode()

    @pytest.fixture(autouse=True)
    def parts(self, sink: FakeSink) -> None:
        sink.joins_parts = False

    def test_it_is_whole_after_a_restart_too(self, journal: Journal, sink: FakeSink) -> None:
        journal.write(part(1, b"one " + self.EURO[:1]))
        tail = make_tail(journal, sink)
        (one,) = tail.read(50_000).records
        assert one.line == b"one "
        tail.acknowledge(position_behind(one), 1)

        journal.write(part(2, self.EURO[1:] + b" two", last=True))
        again = make_tail(journal, sink)
        (two,) = again.read(50_000).records
        assert two.line == self.EURO + b" two"
        again.acknowledge(position_behind(two), 1)
        assert again.cursor.resume == again.cursor.offset == journal.writer.offset

    def test_it_keeps_nothing_of_the_journal_once_it_is_given_up(self, journal: Journal, sink: FakeSink) -> None:
        journal.write(part(1, b"one " + self.EURO[:2]))
        tail = make_tail(journal, sink)
        assert read_all(tail) == [b"one "]
        tail.patience = -1.0
        assert tail.has_news()
        (rest,) = tail.read(50_000).records
        assert rest.line == self.EURO[:2]
        tail.acknowledge(position_behind(rest), 2)
        assert tail.cursor.resume == tail.cursor.offset == journal.writer.offset
        assert not tail.has_news()


def test_records_carry_time_source_and_position(journal: Journal, sink: FakeSink) -> None:
    now = time.time_ns()
    journal.write(Entry("stderr", now, b"first"), Entry("stdout", now + 1, b""))
    first, second = make_tail(journal, sink).read(50_000).records
    assert (first.source, first.time_nano, first.offset, first.end) == ("stderr", now, 0, second.offset)
    assert (second.source, second.line, second.end) == ("stdout", b"", journal.writer.offset)


def test_a_frame_larger_than_the_turn_is_read_alone(journal: Journal, sink: FakeSink) -> None:
    large = b"x" * 10_000
    journal.write(Entry("stdout", 1, b"small"), Entry("stdout", 2, large), Entry("stdout", 3, b"after"))
    tail = make_tail(journal, sink)
    turns = []
    while records := tail.read(100).records:
        turns.append([record.line for record in records])
    assert turns == [[b"small"], [large], [b"after"]]


def test_a_cursor_within_a_frame_costs_no_more_than_that_frame(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 10)
    write_cursor(journal.folder, "fake", Cursor(offset=9, resume=9))
    gap, *rest = read_all(make_tail(journal, sink))
    assert gap.startswith(b"peavey: ")
    assert rest == lines[1:]


def test_an_incomplete_frame_is_waited_for(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 3)
    tail = make_tail(journal, sink)
    assert read_all(tail) == lines
    frame = encode_frame(Entry("stdout", 1, b"whole"))
    for piece in (frame[:2], frame[2:9], frame[9:-1]):
        journal.write_bytes(piece)
        assert read_all(tail) == []
    journal.write_bytes(frame[-1:])
    assert read_all(tail) == [b"whole"]


def test_a_line_that_waits_for_its_rest_is_delivered_after_a_restart_too_where_all_behind_it_is(
    journal: Journal, sink: FakeSink
) -> None:
    journal.write(part(1, b"one "), Entry("stderr", 6_000, b"between"))
    tail = make_tail(journal, sink)
    (between,) = tail.read(50_000).records
    tail.acknowledge(position_behind(between), 1)

    following = make_tail(journal, sink)
    following.patience = -1.0
    assert read_all(following) == [b"one "]


def test_a_line_whose_rest_never_comes_is_delivered_after_a_restart_too(journal: Journal, sink: FakeSink) -> None:
    journal.write(part(1, b"one "), Entry("stderr", 6_000, b"between"))
    tail = make_tail(journal, sink)
    (between,) = tail.read(50_000).records
    tail.acknowledge(position_behind(between), 1)

    journal.write(Entry("stdout", 7_000, b"another"))
    assert read_all(make_tail(journal, sink)) == [b"one ", b"another"]


def test_of_two_lines_whose_rest_does_not_come_one_can_be_delivered_and_the_other_not(
    journal: Journal, sink: FakeSink
) -> None:
    journal.write(part(1, b"prompt> "), part(1, b"error: ", source="stderr"))
    tail = make_tail(journal, sink)
    tail.patience = -1.0
    prompt, error = tail.read(50_000).records
    assert (prompt.line, error.line) == (b"prompt> ", b"error: ")
    tail.acknowledge(position_behind(prompt), 1)
    following = make_tail(journal, sink)
    following.patience = -1.0
    assert read_all(following) == [b"error: "]


def test_a_segment_is_seen_that_came_while_the_clock_of_the_file_system_stood_still(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    journal = make_journal(segment_size=1_000)
    journal.lines(0, 10)
    tail = make_tail(journal, sink)
    moment = time.time_ns() + 3600 * 10**9  # that counts as just now, however long the test takes
    os.utime(journal.folder, ns=(moment, moment))
    for _ in range(10):
        if tail.has_news():
            read_all(tail)

    assert journal.writer.rotate()
    more = journal.lines(10, 10)
    os.utime(journal.folder, ns=(moment, moment))
    assert any(tail.has_news() for _ in range(10))
    assert read_all(tail) == more


def test_what_is_missing_counts_when_the_destination_was_told(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    journal = make_journal(segment_size=1)
    journal.lines(0, 4)
    gone = measure(journal.folder)[1]
    remove_segment(gone)
    tail = make_tail(journal, sink)
    records: list[Record] = []
    while more := tail.read(50_000).records:
        records += more
    before, gap, behind = records[:3]
    tail.acknowledge(position_behind(before), 1)
    assert tail.cursor.gap_bytes == 0
    tail.acknowledge(position_behind(gap), 1)
    assert tail.cursor.gap_bytes == gone.bytes
    tail.acknowledge(position_behind(behind), 1)
    assert tail.cursor.gap_bytes == gone.bytes


def test_dead_letters_that_cannot_be_kept_are_told_of_now_and_then(
    journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(tail_module, "bury", refuse)
    journal.lines(0, 100)
    tail = make_tail(journal, sink)
    for record in tail.read(50_000).records:
        tail.bury(record, "no")
    assert caplog.text.count("cannot keep 1 dead letters: [Errno 5]") == 1
    assert tail.cursor.dead == 100


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_journal_that_cannot_be_looked_at_ends_nothing(
    journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    lines = journal.lines(0, 100)
    tail = make_tail(journal, sink)
    records = tail.read(50_000).records
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        patch.setattr(tail_module, "move_cursor", refuse)
        assert tail.has_news(thorough=True)
        tail.acknowledge(position_behind(records[-1]), len(records))
    tail.save()
    assert read_cursor(journal.folder, tail.instance) == tail.cursor
    assert [record.line for record in records] == lines


def test_a_turn_ends_where_many_small_segments_bring_no_record(
    make_journal: Callable[..., Journal], sink: FakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "LONGEST_TURN", 0)
    journal = make_journal(segment_size=1)
    journal.write(*(part(number, b"piece ") for number in range(1, 50)), part(50, b"end", last=True))
    tail = make_tail(journal, sink)
    turns = [tail.read(50_000) for _ in range(50)]
    assert all(chunk.more for chunk in turns)
    assert [len(chunk.records) for chunk in turns] == [0] * 49 + [1]


def damage_length(folder: Path, number: int, length: int = 900_000) -> None:
    """Let the length of a frame of the first segment, all frames of which are of one size, be a wrong one."""
    with (folder / f"{0:020}.log").open("r+b") as file:
        file.seek(number * len(encode_frame(Entry("stdout", 1_000, b"line 000000"))))
        file.write(length.to_bytes(4, "big"))


def test_a_damaged_length_in_a_closed_segment_costs_no_more_than_its_frame(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 10)
    assert journal.writer.rotate()
    lines += journal.lines(10, 10)
    damage_length(journal.folder, 4)
    found = read_all(make_tail(journal, sink))
    assert found[:4] == lines[:4]
    assert found[4].startswith(b"peavey: ")
    assert found[5:] == lines[5:]


def test_a_damaged_length_in_the_newest_segment_is_not_waited_for_for_ever(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 10)
    damage_length(journal.folder, 4)
    tail = make_tail(journal, sink)
    assert read_all(tail) == lines[:4]
    assert tail.holds
    tail.patience = -1
    assert tail.has_news()
    gap, *rest = read_all(tail)
    assert gap.startswith(b"peavey: ")
    assert rest == lines[5:]
    assert not tail.holds


def test_an_incomplete_frame_that_nothing_follows_is_not_asked_for_again_and_again(
    journal: Journal, sink: FakeSink
) -> None:
    lines = journal.lines(0, 3)
    journal.write_bytes(encode_frame(Entry("stdout", 1, b"torn"))[:-2])
    tail = make_tail(journal, sink)
    assert read_all(tail) == lines
    tail.patience = -1
    assert read_all(tail) == []
    while tail.has_news():
        assert read_all(tail) == []
    assert not tail.holds


def test_shaping_that_takes_longer_than_a_turn_goes_on_in_the_next(
    journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.delivery.tail._LONGEST_SHAPING", -1.0)
    lines = journal.lines(0, 100)
    tail = Tail(journal.folder, "fake", sink, "one", Cursor(offset=0, resume=0), [KeepAll()])  # type: ignore[arg-type]
    first = tail.read(50_000)
    assert 0 < len(first.records) < 100
    assert first.more
    assert first.upto.resume == first.records[-1].end < journal.writer.offset
    records = first.records
    while (chunk := tail.read(50_000)).more:
        records += chunk.records
    assert [record.line for record in records] == lines
    assert chunk.upto == (journal.writer.offset, journal.writer.offset)


def test_one_that_is_closed_while_it_is_read_aside_is_closed_behind_that(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 1)
    tail = Tail(journal.folder, "fake", sink, "one", Cursor(offset=0, resume=0), [KeepAll()])  # type: ignore[arg-type]
    open_files = open_descriptors()
    tail.begin_aside()
    assert [record.line for record in tail.read(50_000).records] == lines
    assert tail.holds
    assert not tail.has_news()
    tail.close()
    assert open_descriptors() > open_files, "it may be reading"
    tail.end_aside()
    assert open_descriptors() == open_files
    assert tail.read(50_000).records == []


def test_who_a_container_is_holds_from_a_place_on(journal: Journal, sink: FakeSink) -> None:
    def info(name: str) -> Info:
        return Info(container_id="aa", container_name=f"/{name}")

    journal.lines(0, 3)
    note = write_metadata(journal.folder, info("old"), "a", 12)
    renamed = journal.writer.offset
    identities = Identities(journal.folder, note, lambda of: of.name)
    tail = Tail(journal.folder, "fake", sink, "?", Cursor(offset=0, resume=0), identities=identities)  # type: ignore[arg-type]
    write_metadata(journal.folder, info("new"), "b", 12, [Earlier(info=info("old"), upto=renamed)])
    journal.lines(3, 3)
    records = []
    while chunk := tail.read(50_000).records:
        records += chunk
    assert [record.prepared for record in records] == ["old"] * 3 + ["new"] * 3
    write_metadata(
        journal.folder,
        info("newest"),
        "c",
        12,
        [Earlier(info=info("old"), upto=renamed), Earlier(info=info("new"), upto=journal.writer.offset)],
    )
    journal.lines(6, 1)
    (record,) = tail.read(50_000).records
    assert record.prepared == "newest", "the first line after the start has the new name"


class TestLimit:
    @staticmethod
    def tail(journal: Journal, sink: FakeSink, limit: int, *stages: Transform) -> Tail:
        write_cursor(journal.folder, "fake", Cursor(offset=0, resume=0))
        cursor = Cursor(offset=0, resume=0)
        return Tail(journal.folder, "fake", sink, "one", cursor, stages, patience=0.0, limit=limit)  # type: ignore[arg-type]

    @staticmethod
    def read(tail: Tail) -> list[bytes]:
        lines: list[bytes] = []
        for _ in range(10_000):
            if tail.is_finished:
                return lines
            lines += [record.line for record in tail.read(200).records]
        raise AssertionError("it does not end")

    def test_what_begins_behind_it_is_not_read(self, journal: Journal, sink: FakeSink) -> None:
        first = journal.lines(0, 100)
        limit = journal.writer.offset
        journal.lines(100, 100)
        tail = self.tail(journal, sink, limit)
        assert self.read(tail) == first
        assert tail.read(200) == ([], tail.upto, False)
        assert limit <= tail.position < limit + 1_000

    def test_it_may_be_where_the_journal_ends_or_behind(self, journal: Journal, sink: FakeSink) -> None:
        first = journal.lines(0, 100)
        for limit in (journal.writer.offset, journal.writer.offset + 1_000):
            assert self.read(self.tail(journal, sink, limit)) == first

    def test_a_line_whose_last_part_is_behind_it_is_not_before_it(self, journal: Journal, sink: FakeSink) -> None:
        journal.lines(0, 3)
        journal.write(Entry("stderr", 1, b"begun", partial=True, metadata=PartialMetadata(False, "p", 1)))
        limit = journal.writer.offset
        journal.lines(3, 3)
        journal.write(Entry("stderr", 1, b" and ended", partial=True, metadata=PartialMetadata(True, "p", 2)))
        journal.lines(6, 3)
        assert self.read(self.tail(journal, sink, limit)) == [b"line %06d" % number for number in range(3)]

    def test_an_event_that_has_begun_before_it_is_whole(self, journal: Journal, sink: FakeSink) -> None:
        journal.write(*(Entry("stdout", n, b"Error: %d" % n) for n in range(3)))
        limit = journal.writer.offset
        journal.write(Entry("stdout", 3, b"  at x"), Entry("stdout", 4, b"next"), Entry("stdout", 5, b"last"))
        choice = validate({"http-url": "http://127.0.0.1:1", "multiline-pattern": r"^\S"}, schema=schema()).sinks[0]
        stages = make_stages(choice.transforms, Info(container_id="8c1f" * 16))
        lines = self.read(self.tail(journal, sink, limit, *stages))
        assert lines == [b"Error: 0", b"Error: 1", b"Error: 2\n  at x"]

    def test_what_is_refused_is_counted_and_not_kept(self, journal: Journal, sink: FakeSink) -> None:
        journal.lines(0, 3)
        tail = self.tail(journal, sink, journal.writer.offset)
        (record, *_) = tail.read(1_000).records
        tail.bury(record, "too bad")
        assert tail.cursor.dead == 1
        assert not (journal.folder / "dead").exists()

"""Stages between a journal and a destination: what they drop or hold back neither stops a cursor nor is lost."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.delivery.destination import Destination
from plugin.delivery.tail import Tail
from plugin.docker.frames import Entry, PartialMetadata
from plugin.journal.cursors.store import Cursor, read_cursor
from plugin.journal.retention import measure, remove_segment
from plugin.records.position import position_behind
from plugin.records.record import Record
from plugin.transforms.base import Reason, Transform
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver
from tests.delivery.worker_harness import WorkerHarness
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.received import without_repeats
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.server import REPOSITORY
from tests.testbed.waiting import wait_until
from tests.transforms.examples import GLUE, STAGES, DropAll, JoinThrees, KeepAll, Split
from tests.transforms.lines import stages

SOURCES = ["stdout", "stderr"]
LINES = 6_000


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "aa")


def tail_of(journal: Journal, *stages: Transform) -> Tail:
    cursor = read_cursor(journal.folder, "fake") or Cursor(offset=0, resume=0)
    return Tail(journal.folder, "fake", FakeSink(), "one", cursor, stages)  # type: ignore[arg-type]


def read_all(tail: Tail) -> list[Record]:
    records: list[Record] = []
    while (chunk := tail.read(1_000)).more:
        records += chunk.records
    return records


def threes(lines: Sequence[bytes]) -> list[bytes]:
    return [GLUE.join(lines[first : first + 3]) for first in range(0, len(lines) - 2, 3)]


class TestAFilterThatDropsEverything:
    def test_moves_the_cursor_to_the_end(self, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
        journal.lines(0, 10_000)
        destination = Destination("fake", sink := FakeSink(), QUICK)  # type: ignore[arg-type]
        destination.add(tail := tail_of(journal, DropAll()))
        deliver(destination, lambda: tail.cursor.offset == journal.writer.offset)
        cursor = read_cursor(journal.folder, "fake")
        assert cursor is not None
        assert (cursor.offset, cursor.resume) == (journal.writer.offset, journal.writer.offset)
        assert (cursor.records, cursor.gap_bytes, cursor.dead) == (0, 0, 0)
        assert (sink.batches, destination.state.batches) == ([], 0)
        assert "missing" not in caplog.text

    def test_reads_no_more_than_a_turn_at_once(self, journal: Journal) -> None:
        journal.lines(0, 10_000)
        tail = tail_of(journal, DropAll())
        turns = 0
        while tail.position < journal.writer.offset:
            before = tail.position
            chunk = tail.read(10_000)
            assert chunk.records == []
            assert chunk.more or tail.position == journal.writer.offset
            assert 0 < tail.position - before < 20_000
            turns += 1
        assert turns > 10
        assert not tail.read(10_000).more

    def test_leaves_others_their_turns(self, tmp_path: Path) -> None:
        dropped, kept = Journal(tmp_path / "dropped"), Journal(tmp_path / "kept")
        dropped.lines(0, 10_000)
        lines = kept.lines(0, 100)
        destination = Destination("fake", sink := FakeSink(), QUICK)  # type: ignore[arg-type]
        destination.add(tail_of(dropped, DropAll()))
        destination.add(tail_of(kept))
        deliver(destination, lambda: bool(sink.delivered))
        assert sink.lines() == lines

    def test_does_not_drop_what_says_that_something_is_missing(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "aa", segment_size=1_000)
        journal.lines(0, 500)
        gone = measure(journal.folder)[0]
        remove_segment(gone)
        tail = tail_of(journal, DropAll())
        (gap,) = read_all(tail)
        assert gap.line.startswith(b"peavey: ")
        tail.acknowledge(tail.upto, 1)
        assert tail.cursor.gap_bytes == gone.bytes


def test_a_dropped_chunk_waits_for_those_before_it(journal: Journal) -> None:
    class DropLater(KeepAll):
        def feed(self, record: Record) -> Sequence[Record]:
            return (record,) if record.line < b"line 000100" else ()

    lines = journal.lines(0, 5_000)

    class Watching(FakeSink):
        async def send(self, payload: bytes) -> None:
            assert read_cursor(journal.folder, "fake") in (None, Cursor(offset=0, resume=0))
            await super().send(payload)

    destination = Destination("fake", sink := Watching(), QUICK)  # type: ignore[arg-type]
    destination.add(tail := tail_of(journal, DropLater()))
    deliver(destination, lambda: tail.cursor.offset == journal.writer.offset)
    assert sink.lines() == lines[:100]
    assert tail.cursor.records == 100


def test_dead_letters_move_the_cursor_to_the_end_of_their_chunk(journal: Journal) -> None:
    class DropOdd(KeepAll):
        def feed(self, record: Record) -> Sequence[Record]:
            return () if int(record.line[-6:]) % 2 else (record,)

    sink = FakeSink()
    sink.refused = set(journal.lines(0, 100)[50:])
    destination = Destination("fake", sink, QUICK)  # type: ignore[arg-type]
    destination.add(tail := tail_of(journal, DropOdd()))
    deliver(destination, lambda: tail.cursor.offset == journal.writer.offset)
    assert (tail.cursor.records, tail.cursor.dead) == (25, 25)


class TestAStageThatJoins:
    def test_keeps_the_journal_from_the_oldest_held_on(self, journal: Journal) -> None:
        lines = journal.lines(0, 8)
        tail = tail_of(journal, JoinThrees())
        records = read_all(tail)
        assert [record.line for record in records] == threes(lines)
        tail.acknowledge(tail.upto, 2)
        assert (tail.cursor.offset, tail.cursor.resume) == (journal.writer.offset, records[-1].end)
        assert tail.holds

        lines += journal.lines(8, 1)
        assert [record.line for record in read_all(tail_of(journal, JoinThrees()))] == threes(lines)[2:]

    def test_gives_what_it_holds_when_its_patience_is_over(self, journal: Journal) -> None:
        lines = journal.lines(0, 2)
        tail = tail_of(journal, JoinThrees(wait=0.0))
        assert [record.line for record in read_all(tail)] == [GLUE.join(lines)]
        tail.acknowledge(tail.upto, 1)
        assert (tail.cursor.offset, tail.cursor.resume) == (journal.writer.offset, journal.writer.offset)
        assert not tail.holds

    def test_is_flushed_before_a_gap(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "aa", segment_size=1)
        lines = journal.lines(0, 4)
        remove_segment(measure(journal.folder)[1])
        first, gap = (tail := tail_of(journal, JoinThrees())).read(1_000).records + tail.read(1_000).records
        assert first.line == lines[0]
        assert gap.line.startswith(b"peavey: ")


def test_of_several_records_made_of_one_none_is_lost_between_them(journal: Journal) -> None:
    journal.lines(0, 2)
    tail = tail_of(journal, Split())
    records = read_all(tail)
    tail.acknowledge(position_behind(records[14]), 15)
    assert b"".join(record.line for record in read_all(tail_of(journal, Split()))) == b"line 000001"


def part(source: str, line: bytes, ordinal: int, *, last: bool) -> Entry:
    return Entry(source, 5, line, partial=True, metadata=PartialMetadata(last, "id-" + source, ordinal))


def interrupted(journal: Journal, stages: Callable[[], Sequence[Transform]], data: st.DataObject) -> list[bytes]:
    """Deliver all, with stops at any moment, each after what a batch acknowledges whole or in part."""
    sent: list[bytes] = []
    for _ in range(200):
        tail = tail_of(journal, *stages())
        for _ in range(data.draw(st.integers(1, 5))):
            chunk = tail.read(data.draw(st.integers(4, 300)))
            count = data.draw(st.integers(0, len(chunk.records)))
            for record in chunk.records[:count]:
                sent.append(record.line)
                tail.acknowledge(position_behind(record), 1)
            if count < len(chunk.records):
                break
            tail.acknowledge(chunk.upto, 0)
            if not chunk.more:
                tail.close()
                return sent
        tail.close()
    tail = tail_of(journal, *stages())
    return sent + [record.line for record in read_all(tail)]


@settings(max_examples=60)
@given(count=st.integers(0, 40), data=st.data())
@pytest.mark.parametrize("name", STAGES)
def test_whole_lines_are_delivered_once_whenever_it_stops(name: str, count: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "aa")
        lines = [b"%d" % number for number in range(count)]
        journal.write(*(Entry(data.draw(st.sampled_from(SOURCES)), 1_000, line) for line in lines))
        sent = interrupted(journal, STAGES[name], data)
        journal.close()
    assert sent == {"drop-all": [], "keep-all": lines, "join-threes": threes(lines)}[name]


@settings(max_examples=120)
@given(count=st.integers(0, 25), joined=st.booleans(), data=st.data())
def test_parts_that_alternate_with_other_lines_are_never_lost(count: int, joined: bool, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "aa")
        lines: list[bytes] = []
        open_lines: dict[str, bytes] = {}
        for number in range(count):
            source = data.draw(st.sampled_from(SOURCES))
            text = b"%d." % number
            is_whole = source not in open_lines and data.draw(st.booleans())
            if is_whole:
                lines.append(text)
                journal.write(Entry(source, 1_000, text))
                continue
            before = open_lines.pop(source, b"")
            last = bool(before) and data.draw(st.booleans())
            journal.write(part(source, text, before.count(b".") + 1, last=last))
            if last:
                lines.append(before + text)
            else:
                open_lines[source] = before + text
        sent = interrupted(journal, STAGES["join-threes" if joined else "keep-all"], data)
        journal.close()
    if joined:  # how it is grouped may differ where parts of another line began before what was held
        pieces = [piece for line in sent for piece in line.split(GLUE)]
        assert set(pieces) <= set(lines), "none is cut"
        assert len(set(lines) - set(pieces)) <= 2, "but for what waits for a third"
    else:
        assert sent == lines


@pytest.mark.parametrize("name", STAGES)
def test_delivery_killed_at_any_moment(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)  # noqa: S311 (when to kill)
    with Receiver(PROTOCOLS["http"]) as receiver:
        harness = WorkerHarness(tmp_path, {"http-url": f"http://127.0.0.1:{receiver.port}", "batch-size": "4k"})
        lines = harness.journal.lines(0, LINES // 2)
        command = [sys.executable, "-m", "tests.transforms.examples", str(harness.data.path), name]
        for number in range(6):
            process = subprocess.Popen(command, cwd=REPOSITORY)
            before = _cursor(harness)
            wait_until(lambda before=before: _cursor(harness) != before, "the cursor moves")  # type: ignore[misc]
            time.sleep(chance.random() / 10)
            process.kill()
            process.wait()
            lines += harness.journal.lines(LINES // 2 + number * 500, 500)
        process = subprocess.Popen(command, cwd=REPOSITORY)
        try:
            wait_until(lambda: _cursor(harness).offset == harness.journal.writer.offset, "all is done with")
        finally:
            process.kill()
            process.wait()
        expected = {"drop-all": [], "keep-all": lines, "join-threes": threes(lines)}[name]
        once = without_repeats([record.line for record in receiver.received])
        harness.journal.close()
    assert once.lines == expected
    assert once.returns <= 6, "what was in flight is sent again, and nothing else"
    assert _cursor(harness).gap_bytes == 0
    assert _cursor(harness).resume == harness.journal.writer.offset


def _cursor(harness: WorkerHarness) -> Cursor:
    return read_cursor(harness.data.container(harness.container), "http") or Cursor(offset=0, resume=0)


@pytest.mark.parametrize("joins_parts", [True, False])
def test_stages_are_given_whole_lines_whatever_the_sink_wants(journal: Journal, joins_parts: bool) -> None:
    long = b'{"level":"warn","msg":"' + b"x" * 40_000 + b'"}'
    pieces = [long[start : start + 16_384] for start in range(0, len(long), 16_384)]
    journal.write(
        *(part("stdout", piece, ordinal, last=piece is pieces[-1]) for ordinal, piece in enumerate(pieces, 1)),
        Entry("stdout", 6, b"no newline at the end"),
    )
    sink = FakeSink()
    sink.joins_parts = joins_parts
    tail = Tail(journal.folder, "fake", sink, "one", Cursor(offset=0, resume=0), stages({"parse": "json"}))  # type: ignore[arg-type]

    records = read_all(tail)

    assert [record.line for record in records] == [b"x" * 40_000, b"no newline at the end"]
    assert [record.severity for record in records] == [13, 9]
    assert [record.part_ordinal for record in records] == [0, 0]


def test_a_tail_tells_what_its_stages_have_dropped(journal: Journal) -> None:
    journal.lines(0, 10)
    tail = tail_of(journal, *stages({"exclude": "7$"}))
    assert len(read_all(tail)) == 9
    assert tail.dropped == {Reason("filter", "exclude"): 1}
    assert tail_of(journal).dropped == {}

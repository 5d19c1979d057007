"""Batches: what they hold, and how they are cut in two until the record at fault is alone."""

from pathlib import Path

from plugin.delivery.batch import Batch, Group, is_one_record, journal_bytes, records_of, split
from plugin.delivery.tail import Tail
from plugin.journal.cursors.store import Cursor
from plugin.records.position import Position
from plugin.sinks.base import Record
from tests.sinks.factories import sink_of


def tail(folder: Path, name: str) -> Tail:
    return Tail(folder / name, "http", sink_of(http_url="http://127.0.0.1"), None, Cursor(offset=0, resume=0))


def records(*lines: bytes) -> list[Record]:
    return [Record(None, "stdout", 1, line) for line in lines]


def group(tail: Tail, records: list[Record]) -> Group:
    return Group(tail, records, Position(100, 100))


def lines(batch: Batch) -> list[bytes]:
    return [record.line for record in records_of(batch)]


def test_records_come_in_the_order_of_their_groups(tmp_path: Path) -> None:
    web, db = tail(tmp_path, "web"), tail(tmp_path, "db")
    batch = [group(web, records(b"1", b"2")), group(db, records(b"3")), group(web, records(b"4"))]
    assert lines(batch) == [b"1", b"2", b"3", b"4"]


def test_its_size_is_about_that_of_its_frames_in_the_journal(tmp_path: Path) -> None:
    assert journal_bytes([group(tail(tmp_path, "web"), records(b"x" * 100, b""))]) == 150


def test_a_batch_is_cut_between_containers_first_and_then_within_one(tmp_path: Path) -> None:
    web, db = tail(tmp_path, "web"), tail(tmp_path, "db")
    first, second = split([group(web, records(b"1", b"2", b"3")), group(db, records(b"4"))])
    assert (lines(first), lines(second)) == ([b"1", b"2", b"3"], [b"4"])
    one, rest = split(first)
    assert (lines(one), lines(rest)) == ([b"1"], [b"2", b"3"])
    assert one[0].tail is rest[0].tail is web


def test_only_one_record_of_one_group_cannot_be_cut(tmp_path: Path) -> None:
    web = tail(tmp_path, "web")
    assert is_one_record([group(web, records(b"1"))])
    assert not is_one_record([group(web, records(b"1", b"2"))])
    assert not is_one_record([group(web, records(b"1")), group(web, records(b"2"))])

"""What a sink raises although it should not: no line is lost by it, and one odd line does not hold up the others."""

from collections.abc import Callable, Sequence

import orjson
import pytest

from plugin.delivery.dead_letters import dead_letters_path
from plugin.delivery.destination import Destination
from plugin.journal.cursors.store import read_cursor
from plugin.sinks.base import Record
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver, make_tail


class Defective(FakeSink):
    """Cannot encode the lines that ``fails_at`` is true of."""

    def __init__(self, fails_at: Callable[[Record], bool], defect: Exception | None = None) -> None:
        super().__init__()
        self._fails_at = fails_at
        self._defect = defect or ZeroDivisionError("by zero")

    def encode(self, records: Sequence[Record]) -> bytes:
        if any(map(self._fails_at, records)):
            raise self._defect
        return super().encode(records)


def begin(sink: FakeSink, *journals: Journal) -> Destination:
    destination = Destination("fake", sink, QUICK)  # type: ignore[arg-type]
    for journal in journals:
        destination.add(make_tail(journal, sink, journal.folder.name))
    return destination


def reasons(journal: Journal) -> dict[bytes, str]:
    """The dead letters: why, by line."""
    letters = map(orjson.loads, dead_letters_path(journal.folder, "fake").read_bytes().splitlines())
    return {letter["line"].encode(): letter["reason"] for letter in letters}


def test_a_line_that_cannot_be_encoded_is_a_dead_letter_and_the_rest_goes_on(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    lines = journal.lines(0, 100)
    bad = {lines[0], lines[37], lines[38], lines[99]}
    sink = Defective(lambda record: record.line in bad)
    destination = begin(sink, journal)
    deliver(destination, lambda: destination.state.dead == 4)
    assert sink.lines("aa") == [line for line in lines if line not in bad]
    assert reasons(journal) == dict.fromkeys(bad, "bug in the sink (ZeroDivisionError: by zero)")
    cursor = read_cursor(journal.folder, "fake")
    assert cursor is not None
    assert (cursor.offset, cursor.dead) == (journal.writer.offset, 4)
    assert [bool(record.exc_info) for record in caplog.records].count(True) == 1, "where it is, is told once"


def test_a_single_line_that_cannot_be_encoded_is_enough_to_tell(journal: Journal) -> None:
    (line,) = journal.lines(0, 1)
    destination = begin(Defective(lambda record: record.line == line), journal)
    deliver(destination, lambda: destination.state.dead == 1)
    assert list(reasons(journal)) == [line]


def test_nothing_is_given_up_where_the_sink_fails_at_whatever_line(
    make_journal: Callable[..., Journal], caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = make_journal("aa"), make_journal("bb")
    lines = good.lines(0, 10)
    bad.lines(0, 10)
    sink = Defective(lambda record: record.prepared == "bb")
    destination = begin(sink, good, bad)
    deliver(destination, lambda: destination.state.retries > 5)
    assert sink.lines("aa") == lines
    assert destination.state.dead == 0
    cursor = read_cursor(bad.folder, "fake")
    assert cursor is not None
    assert cursor.offset == 0
    assert destination.state.misconfigured
    assert destination.state.last_error == "bug in the sink (ZeroDivisionError: by zero), whatever the line"
    assert len(caplog.records) == 2, "where it is, and what it means: once"


def test_a_want_of_memory_is_no_ones_fault(journal: Journal) -> None:
    wants = iter([True] * 5)
    sink = Defective(lambda _: next(wants, False), MemoryError())
    lines = journal.lines(0, 10)
    destination = begin(sink, journal)
    deliver(destination, lambda: len(sink.delivered) == 10)
    assert sink.lines("aa") == lines
    assert destination.state.dead == 0


def test_what_fails_in_sending_is_tried_again_and_told_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(FakeSink):
        async def send(self, payload: bytes) -> None:
            if destination.state.retries < 10:
                raise ZeroDivisionError("by zero")
            await super().send(payload)

    sink = Failing()
    lines = journal.lines(0, 10)
    destination = begin(sink, journal)
    deliver(destination, lambda: len(sink.delivered) == 10)
    assert sink.lines("aa") == lines
    assert destination.state.dead == 0
    assert destination.state.last_error == "bug in the sink (ZeroDivisionError: by zero)"
    assert len(caplog.records) == 2, "where it is, and what it means: once"

import logging
from collections.abc import Callable

import orjson
import pytest

from plugin.delivery.dead_letters import dead_letters_path
from plugin.delivery.destination import DeliverySettings, Destination
from plugin.journal.cursors import Cursor, read_cursor
from plugin.sinks.base import MisconfiguredError, RetryError
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver, make_tail


def make_destination(sink: FakeSink, settings: DeliverySettings = QUICK) -> Destination:
    return Destination("fake", sink, settings)  # type: ignore[arg-type]


def cursor_of(journal: Journal) -> Cursor:
    cursor = read_cursor(journal.folder, "fake")
    assert cursor is not None
    return cursor


def test_all_lines_arrive_once_in_order(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 5_000)
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert sink.lines() == lines
    assert cursor_of(journal).offset == journal.writer.offset
    assert destination.state.records == len(lines)


def test_a_batch_is_tried_again_until_it_is_taken(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 100)
    sink.answers = [RetryError("down"), RetryError("down"), RuntimeError("a defect"), None]
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert sink.lines() == lines
    assert destination.state.retries == 3
    assert destination.state.failing_since == 0


def test_nothing_is_noted_as_delivered_while_the_destination_is_down(journal: Journal, sink: FakeSink) -> None:
    journal.lines(0, 100)
    sink.answers = [RetryError("down")] * 1_000
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.retries > 5)
    assert cursor_of(journal).offset == 0
    assert destination.state.last_error == "down"
    assert destination.state.failing_since > 0


def test_a_refused_record_becomes_a_dead_letter_and_the_rest_goes_on(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 100)
    sink.refused = {lines[37], lines[99]}
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.dead == 2)
    assert sink.lines() == [line for line in lines if line not in sink.refused]

    letters = [orjson.loads(line) for line in dead_letters_path(journal.folder, "fake").read_bytes().splitlines()]
    assert [letter["line"].encode() for letter in letters] == [lines[37], lines[99]]
    assert "does not like it" in letters[0]["reason"]
    assert cursor_of(journal).dead == 2
    assert cursor_of(journal).offset == journal.writer.offset


def test_misconfiguration_is_loud_and_retried(
    journal: Journal, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    lines = journal.lines(0, 10)
    sink.answers = [MisconfiguredError("401 Unauthorized"), None]
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert [record.levelno for record in caplog.records if "401" in record.message] == [logging.ERROR]
    assert not destination.state.misconfigured


def test_a_flood_does_not_starve_others(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    flood, quiet = make_journal("aa"), make_journal("bb")
    flood.lines(0, 20_000)
    few = quiet.lines(0, 10)
    destination = make_destination(sink)
    destination.add(make_tail(flood, sink, "flood"))
    destination.add(make_tail(quiet, sink, "quiet"))
    deliver(destination, lambda: len(sink.batches) >= 2)
    assert sink.lines("quiet") == few


def test_containers_share_batches(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    destination = make_destination(sink)
    for number in range(50):
        journal = make_journal(f"{number:02x}")
        journal.lines(0, 10)
        destination.add(make_tail(journal, sink, str(number)))
    deliver(destination, lambda: len(sink.delivered) >= 500)
    assert len(sink.batches) < 10


def test_a_cancelled_delivery_repeats_at_most_what_was_in_flight(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 3_000)
    settings = DeliverySettings(batch_wait=0.01, batch_size=5_000, retry_min=0.001, retry_max=0.01)
    for _ in range(50):
        destination = make_destination(sink, settings)
        destination.add(make_tail(journal, sink))
        before = len(sink.batches)
        deliver(destination, lambda before=before: len(sink.batches) > before or len(sink.delivered) >= 3_000)  # type: ignore[misc]
        if len(sink.delivered) >= 3_000:
            break
    assert sink.lines() == lines


def test_a_removed_tail_is_read_no_more(journal: Journal, sink: FakeSink) -> None:
    destination = make_destination(sink)
    tail = make_tail(journal, sink)
    destination.add(tail)
    destination.remove(tail)
    journal.lines(0, 10)
    destination.announce(tail)
    assert not destination.tails
    deliver(destination, lambda: True)
    assert sink.delivered == []

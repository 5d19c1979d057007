import asyncio
import logging
import sys
from collections.abc import Callable
from itertools import accumulate, pairwise

import orjson
import pytest

from plugin.delivery import dead_letters
from plugin.delivery import turns as turns_module
from plugin.delivery.cpu_yield import Yielding
from plugin.delivery.dead_letters import dead_letters_path, read_letter
from plugin.delivery.destination import Destination
from plugin.delivery.destination_key import DeliverySettings
from plugin.delivery.turns import Turns
from plugin.docker.frames import Entry, PartialMetadata
from plugin.journal.cursors.store import Cursor, read_cursor
from plugin.sinks.base import (
    MisconfiguredError,
    PartlyRefusedError,
    RetryError,
    SinkError,
    TooLargeError,
    UnavailableError,
)
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver, make_tail

_MIDST = 5  # batches


def make_destination(sink: FakeSink, settings: DeliverySettings = QUICK, *, reread: float = 0.01) -> Destination:
    turns = Turns(settings.batch_wait, reread)
    return Destination("fake", sink, settings, turns=turns)  # type: ignore[arg-type]


def cursor_of(journal: Journal) -> Cursor:
    return read_cursor(journal.folder, "fake") or Cursor(offset=0, resume=0)


def test_all_lines_arrive_once_in_order(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 5_000)
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert sink.lines() == lines
    assert cursor_of(journal).offset == journal.writer.offset
    assert destination.state.records == len(lines)


def test_each_batch_is_logged_at_debug_level(
    journal: Journal, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "plugin.delivery")
    lines = journal.lines(0, 10)
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.records == len(lines))
    assert "destination fake: 10 records, 10 bytes, 0." in caplog.text


def test_a_batch_is_tried_again_until_it_is_taken(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 100)
    sink.answers = [RetryError("down"), RetryError("down"), RuntimeError("a defect"), None]
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert sink.lines() == lines
    assert destination.state.retries == 3
    assert destination.state.failing_since == 0


def test_after_each_batch_it_pauses_as_long_as_others_need_the_processors(journal: Journal, sink: FakeSink) -> None:
    pauses: list[tuple[int, int]] = []

    class PauseTwice(Yielding):
        """Notes what it is asked, and has delivery rest after the second batch."""

        def pause(self, oldest: int) -> float:
            pauses.append((len(sink.delivered), oldest))
            return 3600 if len(pauses) == 2 else 0

    journal.write(*(Entry("stdout", time_nano, b"x" * 1000) for time_nano in range(1, 10_000)))
    destination = Destination("fake", sink, QUICK, yielding=PauseTwice())  # type: ignore[arg-type]
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(pauses) == 2)
    (first, oldest), (second, next_oldest) = pauses
    assert (oldest, next_oldest) == (1, first + 1)
    assert len(sink.delivered) == second < 9_999


class Narrow(FakeSink):
    """A sink that takes at most ``most`` records at once until it has ``wide_after``; some like it do not say why."""

    def __init__(self, most: int, fault: SinkError, wide_after: int = sys.maxsize) -> None:
        super().__init__()
        self.attempts: list[int] = []
        self._most = most
        self._fault = fault
        self._wide_after = wide_after

    async def send(self, payload: bytes) -> None:
        self.attempts.append(len(payload))
        if len(payload) > self._most and len(self.delivered) < self._wide_after:
            raise self._fault
        await super().send(payload)


@pytest.mark.parametrize(
    ("fault", "attempts"), [(RetryError("connection reset"), 3), (TooLargeError("413"), 1)], ids=["unsaid", "said"]
)
def test_a_batch_that_is_too_large_for_the_destination_is_delivered_in_pieces(
    journal: Journal, fault: SinkError, attempts: int
) -> None:
    narrow = Narrow(700, fault)
    lines = journal.lines(0, 10_000)
    destination = make_destination(narrow)
    destination.add(make_tail(journal, narrow))
    deliver(destination, lambda: len(narrow.delivered) >= len(lines))
    assert narrow.lines() == lines
    assert destination.state.dead == 0
    first = narrow.attempts[0]
    assert narrow.attempts[:attempts] == [first] * attempts
    assert narrow.attempts[attempts] < first
    assert max(narrow.attempts[-8:]) < first / 2, "the batches that follow are smaller"


def test_batches_grow_again_once_they_are_taken(journal: Journal) -> None:
    narrow = Narrow(700, TooLargeError("413"), wide_after=10_000)
    for first in range(0, 120_000, 20_000):
        journal.lines(first, 20_000)
    destination = make_destination(narrow)
    destination.add(make_tail(journal, narrow))
    deliver(destination, lambda: len(narrow.delivered) >= 120_000)
    assert max(narrow.batches) > 0.9 * narrow.attempts[0]


def test_a_batch_is_not_cut_where_the_fault_cannot_be_its_size(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 10_000)
    sink.answers = [UnavailableError("connection refused")] * 20
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines))
    assert sink.lines() == lines
    assert len(sink.batches) < 10, "batches are as large as ever"


def test_batches_are_large_again_soon_after_an_outage_that_looked_like_their_size(journal: Journal) -> None:
    down = FakeSink()
    down.answers = [RetryError("503")] * 20
    lines = journal.lines(0, 20_000)
    lines += journal.lines(20_000, 20_000)
    destination = make_destination(down)
    destination.add(make_tail(journal, down))
    deliver(destination, lambda: len(down.delivered) >= len(lines))
    assert down.lines() == lines
    assert down.batches[0] < max(down.batches) / 4, "it was cut"
    assert min(down.batches[4:-1]) > 0.9 * max(down.batches[:4]), "what was taken in one piece can be taken again"


def test_long_lines_of_many_containers_are_cut_apart(make_journal: Callable[..., Journal]) -> None:
    """They are joined of parts, of which the last may be a few bytes."""
    narrow = Narrow(1, RetryError("connection reset"))
    destination = make_destination(narrow)
    for number in range(4):
        journal = make_journal(f"{number:02x}")
        parts = [b"x" * 16_384, b"end"]
        for ordinal, part in enumerate(parts, 1):
            journal.write(Entry("stdout", 1, part, True, PartialMetadata(part is parts[-1], f"{number:064x}", ordinal)))
        destination.add(make_tail(journal, narrow, str(number)))
    deliver(destination, lambda: len(narrow.delivered) == 4)
    assert narrow.attempts[0] > 1


def test_a_record_that_is_too_large_on_its_own_is_a_dead_letter(journal: Journal) -> None:
    narrow = Narrow(0, TooLargeError("413"))
    journal.lines(0, 3)
    destination = make_destination(narrow)
    destination.add(make_tail(journal, narrow))
    deliver(destination, lambda: destination.state.dead == 3)


def test_a_single_record_is_tried_on_and_on(journal: Journal) -> None:
    narrow = Narrow(0, RetryError("down"))
    journal.write(Entry("stdout", 1, b"x" * 20_000))
    destination = make_destination(narrow)
    destination.add(make_tail(journal, narrow))
    deliver(destination, lambda: len(narrow.attempts) > 6)
    assert set(narrow.attempts) == {1}


def test_nothing_is_noted_as_delivered_while_the_destination_is_down(journal: Journal, sink: FakeSink) -> None:
    journal.lines(0, 100)
    sink.answers = [RetryError("down")] * 1_000
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.retries > 5)
    assert cursor_of(journal).offset == 0
    assert destination.state.last_error == "down"
    assert destination.state.failing_since > 0


def test_a_refused_record_becomes_a_dead_letter_and_the_rest_goes_on(
    journal: Journal, sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
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
    assert caplog.text.count("refused for good") == 1, "a word for each would flood the plugin's own log"
    assert cursor_of(journal).offset == journal.writer.offset


def test_records_of_which_nobody_says_which_are_refused_are_noted_and_not_sent_again(
    make_journal: Callable[..., Journal], sink: FakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    journals = {name: make_journal(name) for name in ("aa", "bb")}
    for journal in journals.values():
        journal.lines(0, 50)
    sink.answers = [PartlyRefusedError("it refused 3 records: too old", 3)]
    destination = make_destination(sink)
    for name, journal in journals.items():
        destination.add(make_tail(journal, sink, name))
    deliver(destination, lambda: all(cursor_of(j).offset == j.writer.offset for j in journals.values()))
    assert sink.delivered == []
    state = destination.state
    assert (state.dead, state.records, state.retries, state.failing_since) == (3, 97, 0, 0)
    for journal in journals.values():
        (letter,) = map(read_letter, dead_letters_path(journal.folder, "fake").read_bytes().splitlines())
        assert letter is not None
        assert (letter.among, letter.content, letter.offset) == (50, b"", 0)
        assert letter.reason == "it refused 3 records: too old"
    assert "3 of 100 records refused for good: it refused 3 records: too old" in caplog.text


@pytest.mark.parametrize("refused", [2, 100])
def test_records_that_are_all_refused_at_once_are_dead_letters(journal: Journal, sink: FakeSink, refused: int) -> None:
    lines = journal.lines(0, 2)
    sink.answers = [PartlyRefusedError("it refused 2 records", refused)]
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: cursor_of(journal).offset == journal.writer.offset)
    letters = [read_letter(line) for line in dead_letters_path(journal.folder, "fake").read_bytes().splitlines()]
    assert [letter.content for letter in letters if letter and not letter.among] == lines
    assert (destination.state.dead, destination.state.records) == (2, 0)


def test_a_destination_that_refuses_is_not_down(journal: Journal, sink: FakeSink) -> None:
    lines = journal.lines(0, 2)
    sink.answers = [RetryError("down")]
    sink.refused = set(lines)
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.dead == 2)
    assert destination.state.retries == 1
    assert destination.state.failing_since == 0


def test_dead_letters_are_bounded_and_the_newest_stay(
    journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_BOUND", 1_000)
    lines = journal.lines(0, 50)
    sink.refused = set(lines)
    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.dead == 50)
    content = dead_letters_path(journal.folder, "fake").read_bytes()
    kept = [orjson.loads(line)["line"].encode() for line in content.splitlines()]
    assert len(content) < 1_500
    assert kept == lines[-len(kept) :]


def test_a_container_of_which_every_line_is_refused_does_not_keep_others_waiting(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    bad, good = make_journal("aa"), make_journal("bb")
    sink.refused = set(bad.lines(0, 20_000))
    destination = make_destination(sink)
    destination.add(make_tail(bad, sink, "bad"))
    destination.add(make_tail(good, sink, "good"))
    dead = []

    async def print_late() -> None:
        while destination.state.dead < 5_000:  # noqa: ASYNC110  (it has no event)
            await asyncio.sleep(0)
        good.write(Entry("stdout", 1, b"late"))
        dead.append(destination.state.dead)

    deliver(destination, lambda: bool(sink.lines("good")), print_late())
    assert destination.state.dead - dead[0] < 1_500, "it waits for two small batches"


def test_batches_stay_small_after_one_with_a_refused_record_whatever_else_was_in_it(
    make_journal: Callable[..., Journal], sink: FakeSink
) -> None:
    bad, good = make_journal("aa"), make_journal("bb")
    sink.refused = set(bad.lines(900_000, 1))
    good.lines(0, 10_000)
    destination = make_destination(sink)
    destination.add(make_tail(bad, sink, "bad"))
    destination.add(make_tail(good, sink, "good"))
    deliver(destination, lambda: len(sink.lines("good")) == 10_000)
    assert sink.batches[2] < sink.batches[1] / 2, "the first two are the halves of one batch"


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


@pytest.mark.parametrize("floods", [1, 40])
def test_floods_do_not_starve_others(make_journal: Callable[..., Journal], floods: int) -> None:
    """A line that is printed while others flood without end arrives within two batches."""

    class Flooded(FakeSink):
        """Has the floods go on with each batch, and the quiet one print once in their midst."""

        async def send(self, payload: bytes) -> None:
            await super().send(payload)
            for journal in flooding:
                journal.lines(0, 200)
            if len(self.batches) == _MIDST:
                quiet.lines(0, 1)
                destination.announce(quiet_tail)

    sink = Flooded()
    destination = make_destination(sink, DeliverySettings(0.01, 200_000, 0.001, 0.01))
    flooding = [make_journal(f"{number:02x}") for number in range(floods)]
    for journal in flooding:
        journal.lines(0, 5_000)
        destination.add(make_tail(journal, sink, "flood"))
    quiet = make_journal("ff")
    quiet_tail = make_tail(quiet, sink, "quiet")
    destination.add(quiet_tail)
    deliver(destination, lambda: len(sink.lines("quiet")) == 1)

    place = [container for container, _ in sink.delivered].index("quiet")
    batch = sum(end <= place for end in accumulate(sink.batches))
    assert batch in (_MIDST, _MIDST + 1)


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


def test_a_removed_tail_is_not_announced_by_its_name(make_journal: Callable[..., Journal], sink: FakeSink) -> None:
    """A reading that is to be tried again later may come to its turn when another journal has taken the place."""
    destination = make_destination(sink)
    journal = make_journal()
    before = make_tail(journal, sink, "before")
    destination.add(before)
    destination.remove(before)
    destination.add(make_tail(journal, sink, "after"))
    lines = journal.lines(0, 10)
    destination.announce(before)
    deliver(destination, lambda: len(sink.delivered) >= 10)
    assert sink.lines("after") == lines
    assert sink.lines("before") == []


class TestUnreadable:
    """A journal that cannot be read, as with too many open files."""

    def test_it_is_read_again_later(
        self, journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tail = make_tail(journal, sink)
        read = tail.read
        faults = iter([OSError("too many open files")] * 3)

        def fail(size: int) -> object:
            for fault in faults:
                raise fault
            return read(size)

        monkeypatch.setattr(tail, "read", fail)
        destination = make_destination(sink)
        destination.add(tail)
        lines = journal.lines(0, 10)
        deliver(destination, lambda: len(sink.delivered) >= 10)
        assert sink.lines() == lines
        assert caplog.text.count("cannot read the journal") == 3
        assert "Traceback" not in caplog.text, "a fault of the disk is not a defect"

    def test_it_is_left_alone_until_then_although_it_grows(
        self, journal: Journal, sink: FakeSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_size: int) -> object:
            raise OSError("too many open files")

        tail = make_tail(journal, sink)
        monkeypatch.setattr(tail, "read", fail)
        destination = make_destination(sink, reread=600)
        destination.add(tail)
        announced = []

        async def grow() -> None:
            for number in range(20):
                destination.announce(tail)
                await asyncio.sleep(0.005)
                announced.append(number)

        deliver(destination, lambda: len(announced) == 20, grow())
        assert caplog.text.count("cannot read the journal") == 1


def test_a_sink_that_never_has_to_wait_does_not_hold_up_others(journal: Journal) -> None:
    class Swift(FakeSink):
        """Has nothing to send, as for a container that prints blank lines only."""

        async def send(self, payload: bytes) -> None:
            self.batches.append(len(payload))

    swift = Swift()
    journal.lines(0, 20_000)
    destination = make_destination(swift, DeliverySettings(0.01, 10_000, 0.001, 0.01))
    destination.add(make_tail(journal, swift))
    turns = [0]

    async def other() -> None:
        while True:
            turns.append(len(swift.batches))
            await asyncio.sleep(0)

    deliver(destination, lambda: len(swift.batches) > 20, other())
    assert all(after - before <= 1 for before, after in pairwise(turns))


class TestRenewal:
    """A sink that is made anew because a secret of it has changed."""

    def test_it_takes_over_at_once_where_the_secret_may_be_the_fault(self, journal: Journal, sink: FakeSink) -> None:
        lines = journal.lines(0, 10)
        sink.answers = [MisconfiguredError("401 Unauthorized")]
        successor = FakeSink()
        settings = DeliverySettings(batch_wait=0.01, batch_size=100_000, retry_min=60, retry_max=60)
        destination = Destination("fake", sink, settings, lambda: successor)  # type: ignore[arg-type, return-value]
        destination.add(make_tail(journal, sink))
        deliver(destination, lambda: len(successor.delivered) == len(lines))
        assert destination.sink is successor  # type: ignore[comparison-overlap]
        assert sink.delivered == []
        assert sink.closed

    def test_else_it_takes_over_after_the_pause(self, journal: Journal, sink: FakeSink) -> None:
        lines = journal.lines(0, 10)
        sink.answers = [RetryError("closed"), RetryError("closed")]
        successor = FakeSink()
        made = iter([None, successor])
        destination = Destination("fake", sink, QUICK, lambda: next(made, None))  # type: ignore[arg-type, return-value]
        destination.add(make_tail(journal, sink))
        deliver(destination, lambda: len(successor.delivered) == len(lines))
        assert destination.state.retries == 2

    def test_a_file_that_cannot_be_read_is_told_and_the_sink_stays(
        self, journal: Journal, sink: FakeSink, caplog: pytest.LogCaptureFixture
    ) -> None:
        def renewed() -> None:
            raise MisconfiguredError("cannot read '/etc/peavey/token'")

        lines = journal.lines(0, 10)
        sink.answers = [MisconfiguredError("401 Unauthorized"), None]
        destination = Destination("fake", sink, QUICK, renewed)  # type: ignore[arg-type]
        destination.add(make_tail(journal, sink))
        deliver(destination, lambda: len(sink.delivered) == len(lines))
        assert "/etc/peavey/token" in caplog.text


def test_others_have_their_turns_while_a_batch_is_collected_from_many_small_segments(
    make_journal: Callable[..., Journal], sink: FakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "LONGEST_TURN", 0)
    journal = make_journal(segment_size=1)
    lines = journal.lines(0, 200)
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(len(sink.delivered))
            await asyncio.sleep(0)

    destination = make_destination(sink)
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: len(sink.delivered) >= len(lines), meanwhile=other())
    assert sink.lines() == lines
    assert turns.count(0) >= len(lines)

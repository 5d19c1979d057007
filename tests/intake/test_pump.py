"""The pump, round by round: what it takes in which order, when it lets go of a stream, and what it survives."""

import os
import threading

import pytest

from plugin.config.options import validate
from plugin.errors import StoppedError
from plugin.intake import pump as pump_module
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.pacing import LONGEST_PAUSE
from plugin.intake.stream import Stream
from plugin.intake.stream_table import StreamTable
from plugin.journal.cursors import keeper as keeper_module
from plugin.journal.cursors.store import read_cursor
from plugin.journal.layout import DataFolder
from plugin.journal.writer import JournalWriter
from plugin.sinks.registry import schema
from tests.intake.pump_harness import ONE, OTHER, THIRD, Clock, Fifo, PumpHarness, frames
from tests.journal.entries import write_journal
from tests.testbed.descriptors import open_descriptors

WHOLE = frames(3)
HALF, REST = frames(1, size=200)[:90], frames(1, size=200)[90:]
NEWER = frames(3, start=10)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def break_journal(harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, container: str) -> list[str]:
    """Let taking fail for one container, once for each text in the list that is returned."""
    failures = ["a defect"]
    take = JournalWriter.take

    def failing(writer: JournalWriter, fifo: int, limit: int) -> int:
        if failures and writer.folder == harness.data.container(container):
            raise RuntimeError(failures.pop())
        return take(writer, fifo, limit)

    monkeypatch.setattr(JournalWriter, "take", failing)
    return failures


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestTaking:
    def test_what_is_written_is_in_the_journal_and_told(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        harness.turn()
        assert harness.written() == WHOLE
        assert harness.changed == [ONE]
        assert harness.rotated == []

    def test_pipes_may_collect_as_long_as_the_one_that_fills_fastest(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses = {"slow": 0.004, "fast": 0.001}
        monkeypatch.setattr(Stream, "pause_after", lambda stream, _: pauses[stream.name])
        for name in pauses:
            harness.begin(name).write(WHOLE)
        assert harness.pump.handle(harness.pump.poll(0)) == 0.001
        assert harness.pump.handle([]) == 0

    def test_what_was_taken_says_for_how_long(self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Stream, "pause_after", lambda _, taken: taken / 1e6)
        harness.begin("a").write(WHOLE)
        assert harness.pump.handle(harness.pump.poll(0)) == min(len(WHOLE) / 1e6, LONGEST_PAUSE)

    def test_what_comes_while_a_pipe_is_read_is_left_to_collect(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.begin("a")
        fifo.write(frames(1, size=1 << 14))
        take = JournalWriter.take

        def take_while_more_comes(writer: JournalWriter, descriptor: int, limit: int) -> int:
            fifo.write(WHOLE)
            return take(writer, descriptor, limit)

        with monkeypatch.context() as busy:
            busy.setattr(JournalWriter, "take", take_while_more_comes)
            assert harness.pump.handle(harness.pump.poll(0))
        assert harness.written() == frames(1, size=1 << 14)
        harness.turn()
        assert harness.written() == frames(1, size=1 << 14) + WHOLE

    def test_a_container_that_never_prints_has_no_journal(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        harness.turn()
        assert harness.pump.detach(fifo.name)
        assert list(harness.data.containers.iterdir()) == []

    def test_a_rotation_is_told(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a", segment_size=1)
        fifo.write(WHOLE)
        harness.turn()
        assert harness.rotated == [ONE]
        assert harness.written() == WHOLE

    def test_the_newest_start_sets_the_size_of_segments(self, harness: PumpHarness) -> None:
        older = harness.begin("older")
        older.write(WHOLE)
        harness.turn()
        harness.begin("newer", segment_size=1)
        older.write(NEWER)
        harness.turn()
        assert harness.rotated == [ONE]

    def test_collecting_takes_what_is_there_and_names_the_streams(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        harness.begin("b", OTHER)
        fifo.write(WHOLE)
        streams = harness.pump.collect(ONE)
        assert harness.written() == WHOLE
        assert [(stream.name, stream.closed) for stream in streams] == [("a", False)]
        harness.pump.detach("a")
        assert streams[0].closed
        assert harness.pump.collect(ONE) == []

    def test_draining_takes_what_all_hold_and_ends_none(self, harness: PumpHarness) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            harness.begin(name, container).write(WHOLE)
        harness.pump.drain()
        assert harness.written(ONE) == harness.written(OTHER) == WHOLE
        assert harness.pump.attached() == {ONE, OTHER}


class TestAttaching:
    def test_a_second_time_changes_nothing_and_leaves_no_descriptor(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        descriptor = fifo.open()
        harness.pump.attach(harness.attachment(fifo), 1, descriptor)
        assert not is_open(descriptor)
        harness.turn()
        assert harness.written() == WHOLE
        assert harness.rotated == []

    def test_a_probe_ends_a_stream_whose_engine_is_gone(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        fifo.end()
        harness.attachments.save(harness.attachment(fifo))
        harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open())
        harness.turn()
        assert harness.pump.attached() == {ONE}, "there is no event for it"

        harness.pump.probe("a")
        assert harness.pump.attached() == set()
        assert harness.attached() == harness.fifos() == set()

    def test_a_probe_opens_no_journal_of_a_quiet_one(self, harness: PumpHarness) -> None:
        write_journal(harness.data.container(ONE), WHOLE)
        harness.begin("a")
        before = open_descriptors()
        harness.pump.probe("a")
        assert open_descriptors() == before
        assert harness.writer() is None
        harness.turn()
        assert harness.attached() == {"a"}

    def test_a_probe_that_the_kernel_refuses_reads(self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse_to_write(path: str, flags: int, *mode: int, **more: int) -> int:
            if flags & os.O_WRONLY:
                raise OSError(24, "Too many open files")
            return opened(path, flags, *mode, **more)

        write_journal(harness.data.container(ONE), WHOLE)
        for name in ("living", "gone"):
            harness.begin(name)
        harness._fifos[1].end()
        opened = os.open
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse_to_write)
            for name in ("living", "gone"):
                harness.pump.probe(name)
        assert harness.attached() == {"living"}

    def test_a_probed_stream_that_never_printed_leaves_no_journal(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        fifo.end()
        harness.attachments.save(harness.attachment(fifo))
        harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open())
        harness.pump.probe("a")
        assert harness.attached() == set()
        assert harness.data.container_ids() == []

    def test_a_probe_takes_what_an_engine_wrote_just_before_it_left(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.begin("a")
        ask = Stream.has_ended

        def ask_when_it_has_left(stream: Stream) -> bool | None:
            fifo.write(WHOLE)
            fifo.end()
            return ask(stream)

        monkeypatch.setattr(Stream, "has_ended", ask_when_it_has_left)
        harness.pump.probe("a")
        harness.turn(2)
        assert harness.written() == WHOLE
        assert harness.attached() == set()

    def test_a_probe_that_the_kernel_refuses_ends_none_that_lives(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.begin("a")
        monkeypatch.setattr(Stream, "has_ended", lambda _: None)
        harness.pump.probe("a")
        assert harness.attached() == harness.fifos() == {"a"}
        fifo.write(WHOLE)
        harness.turn()
        assert harness.written() == WHOLE

    def test_sinks_whose_beginning_cannot_be_told_keep_no_stream_from_beginning(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        fifo = harness.fifo("a")
        sinks = validate({"loki-url": "http://loki/"}, {}, schema()).sinks
        monkeypatch.setattr(keeper_module, "first_cursors", refuse)
        assert harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open(), sinks)
        fifo.write(WHOLE)
        harness.turn()
        assert harness.written() == WHOLE
        assert "cannot determine start offsets" in caplog.text

    def test_one_that_cannot_be_watched_leaves_no_descriptor(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.fifo("a")
        descriptor = fifo.open()
        monkeypatch.setattr(StreamTable, "watch", refuse)
        with pytest.raises(OSError, match="No space left"):
            harness.pump.attach(harness.attachment(fifo), 1 << 20, descriptor)
        assert not is_open(descriptor)

    def test_a_probe_leaves_a_living_one(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        harness.pump.probe("a")
        fifo.write(WHOLE)
        harness.pump.probe("a")
        harness.turn()
        assert harness.written() == WHOLE
        assert harness.attached() == {"a"}

    def test_a_probe_of_an_unknown_one_does_nothing(self, harness: PumpHarness) -> None:
        harness.pump.probe("none")
        assert harness.pump.attached() == set()

    def test_an_attachment_that_could_not_be_saved_is_saved_later(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = True
        save = Attachments.save

        def save_if_room(attachments: Attachments, attachment: Attachment) -> None:
            if full:
                raise OSError(28, "No space left on device")
            save(attachments, attachment)

        monkeypatch.setattr(Attachments, "save", save_if_room)
        for name in ("stays", "ends"):
            fifo = harness.fifo(name)
            harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open(), saved=False)
        harness.turn()
        assert harness.attached() == set()

        harness.pump.detach("ends")
        full = False
        harness.turn()
        assert harness.attached() == set(), "it is not tried in every round"
        clock.pass_by(1.1)
        harness.turn()
        assert harness.attached() == {"stays"}


class TestFirstCursors:
    def test_one_that_is_refused_is_written_when_there_is_room_also_after_the_streams_end(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = harness.data.container(ONE)
        sinks = validate({}, {"syslog-address": "udp://127.0.0.1:1"}, schema()).sinks
        write_journal(folder, WHOLE)
        fifo = harness.fifo("a")
        with monkeypatch.context() as patch:
            patch.setattr(keeper_module, "make_change", refuse)
            harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open(), sinks)
            fifo.write(NEWER)
            harness.turn()
            harness.pump.detach("a")
        clock.pass_by(1.1)
        harness.turn()
        assert harness.written() == WHOLE + NEWER
        cursor = read_cursor(folder, "syslog")
        assert cursor is not None
        assert cursor.offset == len(WHOLE)

    def test_one_of_a_journal_that_is_removed_is_given_up(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_journal(harness.data.container(ONE), WHOLE)
        fifo = harness.fifo("a")
        sinks = validate({"syslog-address": "udp://127.0.0.1:1"}, {}, schema()).sinks
        with monkeypatch.context() as patch:
            patch.setattr(keeper_module, "make_change", refuse)
            harness.pump.attach(harness.attachment(fifo), 1 << 20, fifo.open(), sinks)
            harness.pump.detach("a")
        assert harness.remove()
        clock.pass_by(1.1)
        harness.turn()
        assert harness.data.container_ids() == []


class TestEnds:
    def test_detaching_takes_all_first(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        assert harness.pump.detach("a")
        assert harness.written() == WHOLE
        assert harness.pump.attached() == harness.attached() == set()
        assert harness.fifos() == {"a"}, "the engine removes its FIFO itself"
        assert harness.changed[-1] == harness.rotated[-1] == ONE

    def test_detaching_what_is_not_attached_says_so(self, harness: PumpHarness) -> None:
        assert not harness.pump.detach("a")

    def test_the_end_of_the_engine_ends_the_stream_and_cleans_up(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        fifo.end()
        harness.turn()
        assert harness.written() == WHOLE
        assert harness.pump.attached() == harness.attached() == harness.fifos() == set()
        assert harness.changed[-1] == harness.rotated[-1] == ONE

    def test_an_event_of_an_ended_stream_is_not_that_of_the_next_with_its_descriptor(
        self, harness: PumpHarness
    ) -> None:
        ended = harness.begin("ended")
        descriptor = harness.stream("ended").descriptor
        ended.end()
        begun = harness.fifo("begun")
        attachment = harness.attachment(begun, OTHER)
        harness.attachments.save(attachment)

        def follow() -> None:
            harness.pump.detach("ended")
            opened = begun.open()
            if opened != descriptor:  # what earlier tests left may be closed at any time, and its number is given first
                os.dup2(opened, descriptor, inheritable=False)
                os.close(opened)
            harness.pump.attach(attachment, 1 << 20, descriptor)

        harness.pump.call(follow)
        events = sorted(harness.pump.poll(0), key=lambda event: event[0] == descriptor)
        assert len(events) == 2
        harness.pump.handle(events)
        begun.write(WHOLE)
        harness.turn()
        assert harness.written(OTHER) == WHOLE
        assert harness.attached() == harness.fifos() - {"ended"} == {"begun"}

    def test_the_end_of_the_engine_of_a_quiet_stream(self, harness: PumpHarness) -> None:
        harness.begin("a").end()
        harness.turn()
        assert harness.pump.attached() == harness.attached() == harness.fifos() == set()

    def test_an_entry_that_the_engine_left_incomplete_is_cut_off(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE + HALF)
        fifo.end()
        harness.turn(2)
        assert harness.written() == WHOLE

    def test_stopping_takes_all_and_keeps_attachments_and_fifos(self, harness: PumpHarness) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            harness.begin(name, container).write(WHOLE)
        harness.pump.stop()
        assert harness.written(ONE) == harness.written(OTHER) == WHOLE
        assert harness.attached() == harness.fifos() == {"a", "b"}

    def test_stopping_does_not_wait_for_an_engine_that_never_ends_to_write(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        take = JournalWriter.take

        def take_while_more_comes(writer: JournalWriter, descriptor: int, limit: int) -> int:
            clock.pass_by(0.001)
            fifo.write(WHOLE)
            return take(writer, descriptor, min(limit, len(WHOLE)))

        monkeypatch.setattr(JournalWriter, "take", take_while_more_comes)
        monkeypatch.setattr(pump_module, "FULL_PIPE", len(WHOLE))
        harness.pump.stop()
        assert 2.9 < clock.now - 1_000 < 3.1

    def test_an_attachment_that_cannot_be_removed_ends_its_stream_all_the_same(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(30, "Read-only file system")

        fifo = harness.begin("a")
        quiet = harness.begin("b", OTHER)
        monkeypatch.setattr(Attachments, "remove", refuse)
        fifo.write(WHOLE)
        fifo.end()
        quiet.end()
        harness.turn(2)
        assert harness.pump.attached() == set()
        assert harness.fifos() == set()
        assert harness.changed[-1] in (ONE, OTHER)
        assert "Read-only file system" in caplog.text


def begin_two(harness: PumpHarness) -> Fifo:
    """Begin a stream that ends within an entry, and a newer one that has to wait for its rest; return the older."""
    older, newer = harness.begin("older"), harness.begin("newer")
    older.write(WHOLE + HALF)
    harness.turn()
    newer.write(NEWER)
    return older


class TestTwoStreamsOfOneContainer:
    def test_what_the_older_one_holds_comes_first(self, harness: PumpHarness) -> None:
        older, newer = harness.begin("older"), harness.begin("newer")
        newer.write(NEWER)
        older.write(WHOLE)
        harness.pump.detach("newer")
        assert harness.written() == WHOLE + NEWER

    def test_the_older_one_comes_first_also_when_the_newer_one_was_ready_before(self, harness: PumpHarness) -> None:
        older, newer = harness.begin("older"), harness.begin("newer")
        newer.write(NEWER)
        older.write(WHOLE)
        harness.turn()
        assert harness.written() == WHOLE + NEWER

    def test_another_container_is_not_waited_for(self, harness: PumpHarness) -> None:
        harness.begin("older", OTHER).write(HALF)
        harness.turn()
        harness.begin("newer").write(NEWER)
        harness.turn()
        assert harness.written() == NEWER

    def test_the_newer_one_waits_for_the_end_of_an_entry(self, harness: PumpHarness, clock: Clock) -> None:
        older = begin_two(harness)
        harness.turn(3)
        assert harness.written() == WHOLE + HALF

        clock.pass_by(1.9)
        older.write(REST)
        harness.turn(2)
        assert harness.written() == WHOLE + HALF + REST + NEWER
        assert harness.attached() == {"older", "newer"}

    def test_one_that_never_completes_its_entry_is_given_up_after_a_time(
        self, harness: PumpHarness, clock: Clock
    ) -> None:
        begin_two(harness)
        harness.turn()
        clock.pass_by(1.9)
        harness.turn()
        assert harness.written() == WHOLE + HALF

        clock.pass_by(0.2)
        harness.turn(2)
        assert harness.written() == WHOLE + NEWER
        assert harness.attached() == harness.fifos() == {"newer"}

    def test_the_time_counts_from_when_it_keeps_the_other_waiting(self, harness: PumpHarness, clock: Clock) -> None:
        older, newer = harness.begin("older"), harness.begin("newer")
        older.write(WHOLE + HALF)
        harness.turn()
        clock.pass_by(5)
        newer.write(NEWER)
        harness.turn(2)
        assert harness.attached() == {"older", "newer"}

    def test_it_begins_anew_with_each_entry(self, harness: PumpHarness, clock: Clock) -> None:
        older = begin_two(harness)
        harness.turn()
        clock.pass_by(1.5)
        older.write(REST + HALF)
        harness.turn()
        clock.pass_by(1.5)
        harness.turn()
        assert harness.attached() == {"older", "newer"}

    def test_detaching_the_newer_one_does_not_wait(self, harness: PumpHarness) -> None:
        begin_two(harness)
        harness.pump.detach("newer")
        assert harness.written() == WHOLE + NEWER
        assert harness.pump.attached() == harness.attached() == set()

    def test_an_entry_that_an_ended_stream_left_is_cut_off_for_the_next(self, harness: PumpHarness) -> None:
        older = harness.begin("older")
        older.write(WHOLE + HALF)
        harness.turn()
        harness.begin("newer").write(NEWER)
        harness.pump.detach("older")
        harness.turn()
        assert harness.written() == WHOLE + NEWER

    def test_one_that_is_superseded_and_quiet_is_retired_after_a_time(self, harness: PumpHarness, clock: Clock) -> None:
        older, newer = harness.begin("older"), harness.begin("newer")
        older.write(WHOLE)
        harness.turn()
        newer.write(NEWER)
        harness.turn()
        clock.pass_by(9.5)
        harness.turn()
        assert harness.attached() == {"older", "newer"}

        clock.pass_by(1.1)
        harness.turn()
        assert harness.attached() == harness.fifos() == {"newer"}
        assert harness.pump.attached() == {ONE}

    def test_one_that_is_newer_than_the_writing_one_is_not_retired(self, harness: PumpHarness, clock: Clock) -> None:
        older = harness.begin("older")
        harness.begin("newer")
        older.write(WHOLE)
        harness.turn()
        clock.pass_by(60)
        harness.turn()
        assert harness.attached() == {"older", "newer"}


class TestFailures:
    def test_a_failure_in_one_journal_costs_nothing_and_the_others_go_on(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, whole = harness.begin("a"), harness.begin("b", OTHER)
        broken.write(WHOLE + HALF)
        harness.turn()
        failures = break_journal(harness, monkeypatch, ONE)
        broken.write(REST)
        whole.write(NEWER)
        harness.turn()
        assert failures == []
        assert harness.written(OTHER) == NEWER
        assert harness.writer() is None

        whole.write(NEWER)
        harness.turn(3)
        assert harness.written(ONE) == WHOLE + HALF, "it is not tried again at once, for ever"
        assert harness.written(OTHER) == NEWER + NEWER

        clock.pass_by(0.2)
        harness.turn()
        assert harness.written(ONE) == WHOLE + HALF + REST
        assert "reopening the journal" in caplog.text

    def test_a_failure_does_not_end_a_round_for_all(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, container in (("a", ONE), ("b", OTHER), ("c", THIRD)):
            harness.begin(name, container).write(WHOLE)
        break_journal(harness, monkeypatch, ONE)
        harness.pump.drain()
        assert harness.written(OTHER) == harness.written(THIRD) == WHOLE

    @pytest.mark.usefixtures("clock")
    def test_a_failure_does_not_keep_the_pump_from_stopping(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            harness.begin(name, container).write(WHOLE)
        break_journal(harness, monkeypatch, ONE)
        harness.pump.start()
        harness.pump.call(harness.pump.stop).result()
        harness.pump.join()
        assert harness.written(OTHER) == WHOLE

    @pytest.mark.usefixtures("clock")
    def test_a_failure_of_a_probe_is_the_streams_own(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_journal(harness.data.container(ONE), WHOLE)
        harness.begin("a").end()
        failures = break_journal(harness, monkeypatch, ONE)
        harness.pump.probe("a")
        assert failures == []
        assert harness.attached() == {"a"}
        harness.turn()
        assert harness.attached() == set()
        assert harness.written() == WHOLE

    def test_a_failure_to_resume_does_not_end_the_pump(
        self, harness: PumpHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: JournalWriter) -> bool:
            raise RuntimeError("a defect")

        broken, whole = harness.begin("a"), harness.begin("b", OTHER)
        broken.write(WHOLE)
        harness.turn()
        journal = harness.writer()
        assert journal is not None
        journal.dropped.begin(b"")
        monkeypatch.setattr(JournalWriter, "try_to_resume", fail)
        assert harness.pump.dropping()
        clock.pass_by(1.1)
        whole.write(NEWER)
        harness.turn()
        assert harness.written(OTHER) == NEWER
        assert not harness.pump.dropping(), "the journal is opened anew"

    def test_a_fifo_that_cannot_be_read_is_given_up(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> int:
            raise OSError(5, "Input/output error")

        harness.begin("a").write(WHOLE)
        monkeypatch.setattr(JournalWriter, "take", fail)
        harness.turn()
        assert harness.pump.attached() == harness.attached() == set()


class TestForTheHousekeeper:
    def test_the_newest_segment_is_closed_where_it_can_be(self, harness: PumpHarness) -> None:
        assert not harness.pump.rotate(ONE)
        fifo = harness.begin("a")
        assert not harness.pump.rotate(ONE), "there is no journal yet"
        fifo.write(WHOLE + HALF)
        harness.turn()
        assert not harness.pump.rotate(ONE), "an entry is incomplete"
        fifo.write(REST)
        harness.turn()
        assert harness.pump.rotate(ONE)
        assert not harness.pump.rotate(ONE), "the new one is empty"

    def test_a_journal_is_removed_only_without_streams(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE)
        harness.turn()
        assert not harness.remove()
        assert harness.written() == WHOLE
        harness.pump.detach("a")
        assert harness.remove()
        assert harness.data.container_ids() == []


class TestThread:
    def test_a_call_after_its_end_is_answered(self, harness: PumpHarness) -> None:
        harness.pump.start()
        stopping = harness.pump.call(harness.pump.stop)
        late = [harness.pump.call(harness.pump.attached) for _ in range(3)]
        harness.pump.join()
        later = harness.pump.call(harness.pump.attached)
        assert stopping.result() is None
        with pytest.raises(StoppedError, match="the plugin is stopping"):
            later.result(5)
        assert all(call.exception(5) is None or isinstance(call.exception(), StoppedError) for call in late)

    def test_calls_are_done_in_it_one_after_the_other(self, harness: PumpHarness) -> None:
        harness.pump.start()
        done: list[int] = []
        calls = [harness.pump.call(done.append, number) for number in range(100)]
        assert harness.pump.call(threading.current_thread).result() is harness.pump
        assert all(call.done() for call in calls)
        assert done == list(range(100))

    def test_what_a_call_raises_is_its_callers(self, harness: PumpHarness) -> None:
        def fail() -> None:
            raise ValueError("the caller's")

        harness.pump.start()
        with pytest.raises(ValueError, match="the caller's"):
            harness.pump.call(fail).result()
        assert harness.pump.call(harness.pump.attached).result() == set()

    def test_bytes_wake_it_up(self, harness: PumpHarness) -> None:
        grown = threading.Event()
        fifo = harness.fifo("a")
        harness.on_change = lambda _: grown.set()
        harness.pump.start()
        harness.pump.call(harness.pump.attach, harness.attachment(fifo), 1 << 20, fifo.open()).result()
        fifo.write(WHOLE)
        assert grown.wait(120)
        assert harness.written() == WHOLE

    def test_a_journal_outlives_it(self, harness: PumpHarness) -> None:
        fifo = harness.begin("a")
        fifo.write(WHOLE + HALF)
        harness.turn()
        harness.pump.stop()
        following = pump_module.Pump(DataFolder(harness.data.path), harness.changed.append, harness.rotated.append)
        following.attach(harness.attachment(fifo), 1 << 20, fifo.open())
        fifo.write(REST)
        following.drain()
        assert harness.written() == WHOLE + HALF + REST


class TestStreamsThatWait:
    """A stream that is not to be read yet does not wake the pump again and again."""

    def test_one_that_is_left_alone(self, harness: PumpHarness, clock: Clock) -> None:
        fifo = harness.begin("a")
        other = harness.begin("b", OTHER)
        harness.stream("a").container.left_alone_until = clock.monotonic() + 5
        fifo.write(WHOLE)
        harness.turn()
        assert harness.pump.poll(0) == []
        other.write(WHOLE)
        harness.turn()
        assert harness.written(OTHER) == WHOLE
        assert harness.written() == b""
        clock.pass_by(6)
        harness.turn()
        assert harness.written() == WHOLE
        fifo.write(WHOLE)
        harness.turn()
        assert harness.written() == WHOLE * 2

    def test_one_of_a_throttled_container(self, harness: PumpHarness, clock: Clock) -> None:
        fifo = harness.begin("a")
        harness.pump.throttle({ONE})
        clock.pass_by(1)
        fifo.write(frames(300, size=100))
        harness.turn()
        first = len(harness.written())
        assert first < len(frames(300, size=100))
        harness.turn()
        assert harness.pump.poll(0) == []
        clock.pass_by(1)
        harness.turn()
        assert len(harness.written()) > first

    def test_one_that_is_closed_meanwhile(self, harness: PumpHarness, clock: Clock) -> None:
        fifo = harness.begin("a")
        harness.stream("a").container.left_alone_until = clock.monotonic() + 5
        fifo.write(WHOLE)
        harness.turn()
        assert harness.pump.detach("a")
        assert harness.written() == WHOLE
        clock.pass_by(6)
        harness.turn()

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
from tests.intake.pump_bench import ONE, OTHER, THIRD, Bench, Clock, Fifo, frames
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


def break_journal(bench: Bench, monkeypatch: pytest.MonkeyPatch, container: str) -> list[str]:
    """Let taking fail for one container, once for each text in the list that is returned."""
    failures = ["a defect"]
    take = JournalWriter.take

    def failing(writer: JournalWriter, fifo: int, limit: int) -> int:
        if failures and writer.folder == bench.data.container(container):
            raise RuntimeError(failures.pop())
        return take(writer, fifo, limit)

    monkeypatch.setattr(JournalWriter, "take", failing)
    return failures


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestTaking:
    def test_what_is_written_is_in_the_journal_and_told(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        bench.turn()
        assert bench.written() == WHOLE
        assert bench.changed == [ONE]
        assert bench.rotated == []

    def test_pipes_may_collect_as_long_as_the_one_that_fills_fastest(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses = {"slow": 0.004, "fast": 0.001}
        monkeypatch.setattr(Stream, "pause_after", lambda stream, _: pauses[stream.name])
        for name in pauses:
            bench.begin(name).write(WHOLE)
        assert bench.pump.handle(bench.pump.poll(0)) == 0.001
        assert bench.pump.handle([]) == 0

    def test_what_was_taken_says_for_how_long(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Stream, "pause_after", lambda _, taken: taken / 1e6)
        bench.begin("a").write(WHOLE)
        assert bench.pump.handle(bench.pump.poll(0)) == min(len(WHOLE) / 1e6, LONGEST_PAUSE)

    def test_what_comes_while_a_pipe_is_read_is_left_to_collect(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = bench.begin("a")
        fifo.write(frames(1, size=1 << 14))
        take = JournalWriter.take

        def take_while_more_comes(writer: JournalWriter, descriptor: int, limit: int) -> int:
            fifo.write(WHOLE)
            return take(writer, descriptor, limit)

        with monkeypatch.context() as busy:
            busy.setattr(JournalWriter, "take", take_while_more_comes)
            assert bench.pump.handle(bench.pump.poll(0))
        assert bench.written() == frames(1, size=1 << 14)
        bench.turn()
        assert bench.written() == frames(1, size=1 << 14) + WHOLE

    def test_a_container_that_never_prints_has_no_journal(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        bench.turn()
        assert bench.pump.detach(fifo.name)
        assert list(bench.data.containers.iterdir()) == []

    def test_a_rotation_is_told(self, bench: Bench) -> None:
        fifo = bench.begin("a", segment_size=1)
        fifo.write(WHOLE)
        bench.turn()
        assert bench.rotated == [ONE]
        assert bench.written() == WHOLE

    def test_the_newest_start_sets_the_size_of_segments(self, bench: Bench) -> None:
        older = bench.begin("older")
        older.write(WHOLE)
        bench.turn()
        bench.begin("newer", segment_size=1)
        older.write(NEWER)
        bench.turn()
        assert bench.rotated == [ONE]

    def test_collecting_takes_what_is_there_and_names_the_streams(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        bench.begin("b", OTHER)
        fifo.write(WHOLE)
        streams = bench.pump.collect(ONE)
        assert bench.written() == WHOLE
        assert [(stream.name, stream.closed) for stream in streams] == [("a", False)]
        bench.pump.detach("a")
        assert streams[0].closed
        assert bench.pump.collect(ONE) == []

    def test_draining_takes_what_all_hold_and_ends_none(self, bench: Bench) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            bench.begin(name, container).write(WHOLE)
        bench.pump.drain()
        assert bench.written(ONE) == bench.written(OTHER) == WHOLE
        assert bench.pump.attached() == {ONE, OTHER}


class TestAttaching:
    def test_a_second_time_changes_nothing_and_leaves_no_descriptor(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        descriptor = fifo.open()
        bench.pump.attach(bench.attachment(fifo), 1, descriptor)
        assert not is_open(descriptor)
        bench.turn()
        assert bench.written() == WHOLE
        assert bench.rotated == []

    def test_a_probe_ends_a_stream_whose_engine_is_gone(self, bench: Bench) -> None:
        fifo = bench.fifo("a")
        fifo.end()
        bench.attachments.save(bench.attachment(fifo))
        bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open())
        bench.turn()
        assert bench.pump.attached() == {ONE}, "there is no event for it"

        bench.pump.probe("a")
        assert bench.pump.attached() == set()
        assert bench.attached() == bench.fifos() == set()

    def test_a_probe_opens_no_journal_of_a_quiet_one(self, bench: Bench) -> None:
        write_journal(bench.data.container(ONE), WHOLE)
        bench.begin("a")
        before = open_descriptors()
        bench.pump.probe("a")
        assert open_descriptors() == before
        assert bench.writer() is None
        bench.turn()
        assert bench.attached() == {"a"}

    def test_a_probe_that_the_kernel_refuses_reads(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse_to_write(path: str, flags: int, *mode: int, **more: int) -> int:
            if flags & os.O_WRONLY:
                raise OSError(24, "Too many open files")
            return opened(path, flags, *mode, **more)

        write_journal(bench.data.container(ONE), WHOLE)
        for name in ("living", "gone"):
            bench.begin(name)
        bench._fifos[1].end()
        opened = os.open
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse_to_write)
            for name in ("living", "gone"):
                bench.pump.probe(name)
        assert bench.attached() == {"living"}

    def test_a_probed_stream_that_never_printed_leaves_no_journal(self, bench: Bench) -> None:
        fifo = bench.fifo("a")
        fifo.end()
        bench.attachments.save(bench.attachment(fifo))
        bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open())
        bench.pump.probe("a")
        assert bench.attached() == set()
        assert bench.data.container_ids() == []

    def test_a_probe_takes_what_an_engine_wrote_just_before_it_left(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = bench.begin("a")
        ask = Stream.has_ended

        def ask_when_it_has_left(stream: Stream) -> bool | None:
            fifo.write(WHOLE)
            fifo.end()
            return ask(stream)

        monkeypatch.setattr(Stream, "has_ended", ask_when_it_has_left)
        bench.pump.probe("a")
        bench.turn(2)
        assert bench.written() == WHOLE
        assert bench.attached() == set()

    def test_a_probe_that_the_kernel_refuses_ends_none_that_lives(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = bench.begin("a")
        monkeypatch.setattr(Stream, "has_ended", lambda _: None)
        bench.pump.probe("a")
        assert bench.attached() == bench.fifos() == {"a"}
        fifo.write(WHOLE)
        bench.turn()
        assert bench.written() == WHOLE

    def test_sinks_whose_beginning_cannot_be_told_keep_no_stream_from_beginning(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        fifo = bench.fifo("a")
        sinks = validate({"loki-url": "http://loki/"}, {}, schema()).sinks
        monkeypatch.setattr(keeper_module, "first_cursors", refuse)
        assert bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open(), sinks)
        fifo.write(WHOLE)
        bench.turn()
        assert bench.written() == WHOLE
        assert "cannot determine start offsets" in caplog.text

    def test_one_that_cannot_be_watched_leaves_no_descriptor(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = bench.fifo("a")
        descriptor = fifo.open()
        monkeypatch.setattr(StreamTable, "watch", refuse)
        with pytest.raises(OSError, match="No space left"):
            bench.pump.attach(bench.attachment(fifo), 1 << 20, descriptor)
        assert not is_open(descriptor)

    def test_a_probe_leaves_a_living_one(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        bench.pump.probe("a")
        fifo.write(WHOLE)
        bench.pump.probe("a")
        bench.turn()
        assert bench.written() == WHOLE
        assert bench.attached() == {"a"}

    def test_a_probe_of_an_unknown_one_does_nothing(self, bench: Bench) -> None:
        bench.pump.probe("none")
        assert bench.pump.attached() == set()

    def test_an_attachment_that_could_not_be_saved_is_saved_later(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = True
        save = Attachments.save

        def save_if_room(attachments: Attachments, attachment: Attachment) -> None:
            if full:
                raise OSError(28, "No space left on device")
            save(attachments, attachment)

        monkeypatch.setattr(Attachments, "save", save_if_room)
        for name in ("stays", "ends"):
            fifo = bench.fifo(name)
            bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open(), saved=False)
        bench.turn()
        assert bench.attached() == set()

        bench.pump.detach("ends")
        full = False
        bench.turn()
        assert bench.attached() == set(), "it is not tried in every round"
        clock.pass_by(1.1)
        bench.turn()
        assert bench.attached() == {"stays"}


class TestFirstCursors:
    def test_one_that_is_refused_is_written_when_there_is_room_also_after_the_streams_end(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = bench.data.container(ONE)
        sinks = validate({}, {"syslog-address": "udp://127.0.0.1:1"}, schema()).sinks
        write_journal(folder, WHOLE)
        fifo = bench.fifo("a")
        with monkeypatch.context() as patch:
            patch.setattr(keeper_module, "make_change", refuse)
            bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open(), sinks)
            fifo.write(NEWER)
            bench.turn()
            bench.pump.detach("a")
        clock.pass_by(1.1)
        bench.turn()
        assert bench.written() == WHOLE + NEWER
        cursor = read_cursor(folder, "syslog")
        assert cursor is not None
        assert cursor.offset == len(WHOLE)

    def test_one_of_a_journal_that_is_removed_is_given_up(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_journal(bench.data.container(ONE), WHOLE)
        fifo = bench.fifo("a")
        sinks = validate({"syslog-address": "udp://127.0.0.1:1"}, {}, schema()).sinks
        with monkeypatch.context() as patch:
            patch.setattr(keeper_module, "make_change", refuse)
            bench.pump.attach(bench.attachment(fifo), 1 << 20, fifo.open(), sinks)
            bench.pump.detach("a")
        assert bench.remove()
        clock.pass_by(1.1)
        bench.turn()
        assert bench.data.container_ids() == []


class TestEnds:
    def test_detaching_takes_all_first(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        assert bench.pump.detach("a")
        assert bench.written() == WHOLE
        assert bench.pump.attached() == bench.attached() == set()
        assert bench.fifos() == {"a"}, "the engine removes its FIFO itself"
        assert bench.changed[-1] == bench.rotated[-1] == ONE

    def test_detaching_what_is_not_attached_says_so(self, bench: Bench) -> None:
        assert not bench.pump.detach("a")

    def test_the_end_of_the_engine_ends_the_stream_and_cleans_up(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        fifo.end()
        bench.turn()
        assert bench.written() == WHOLE
        assert bench.pump.attached() == bench.attached() == bench.fifos() == set()
        assert bench.changed[-1] == bench.rotated[-1] == ONE

    def test_an_event_of_an_ended_stream_is_not_that_of_the_next_with_its_descriptor(self, bench: Bench) -> None:
        ended = bench.begin("ended")
        descriptor = bench.stream("ended").descriptor
        ended.end()
        begun = bench.fifo("begun")
        attachment = bench.attachment(begun, OTHER)
        bench.attachments.save(attachment)

        def follow() -> None:
            bench.pump.detach("ended")
            opened = begun.open()
            if opened != descriptor:  # what earlier tests left may be closed at any time, and its number is given first
                os.dup2(opened, descriptor, inheritable=False)
                os.close(opened)
            bench.pump.attach(attachment, 1 << 20, descriptor)

        bench.pump.call(follow)
        events = sorted(bench.pump.poll(0), key=lambda event: event[0] == descriptor)
        assert len(events) == 2
        bench.pump.handle(events)
        begun.write(WHOLE)
        bench.turn()
        assert bench.written(OTHER) == WHOLE
        assert bench.attached() == bench.fifos() - {"ended"} == {"begun"}

    def test_the_end_of_the_engine_of_a_quiet_stream(self, bench: Bench) -> None:
        bench.begin("a").end()
        bench.turn()
        assert bench.pump.attached() == bench.attached() == bench.fifos() == set()

    def test_an_entry_that_the_engine_left_incomplete_is_cut_off(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE + HALF)
        fifo.end()
        bench.turn(2)
        assert bench.written() == WHOLE

    def test_stopping_takes_all_and_keeps_attachments_and_fifos(self, bench: Bench) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            bench.begin(name, container).write(WHOLE)
        bench.pump.stop()
        assert bench.written(ONE) == bench.written(OTHER) == WHOLE
        assert bench.attached() == bench.fifos() == {"a", "b"}

    def test_stopping_does_not_wait_for_an_engine_that_never_ends_to_write(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        take = JournalWriter.take

        def take_while_more_comes(writer: JournalWriter, descriptor: int, limit: int) -> int:
            clock.pass_by(0.001)
            fifo.write(WHOLE)
            return take(writer, descriptor, min(limit, len(WHOLE)))

        monkeypatch.setattr(JournalWriter, "take", take_while_more_comes)
        monkeypatch.setattr(pump_module, "FULL_PIPE", len(WHOLE))
        bench.pump.stop()
        assert 2.9 < clock.now - 1_000 < 3.1

    def test_an_attachment_that_cannot_be_removed_ends_its_stream_all_the_same(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(30, "Read-only file system")

        fifo = bench.begin("a")
        quiet = bench.begin("b", OTHER)
        monkeypatch.setattr(Attachments, "remove", refuse)
        fifo.write(WHOLE)
        fifo.end()
        quiet.end()
        bench.turn(2)
        assert bench.pump.attached() == set()
        assert bench.fifos() == set()
        assert bench.changed[-1] in (ONE, OTHER)
        assert "Read-only file system" in caplog.text


def begin_two(bench: Bench) -> Fifo:
    """Begin a stream that ends within an entry, and a newer one that has to wait for its rest; gives the older."""
    older, newer = bench.begin("older"), bench.begin("newer")
    older.write(WHOLE + HALF)
    bench.turn()
    newer.write(NEWER)
    return older


class TestTwoStreamsOfOneContainer:
    def test_what_the_older_one_holds_comes_first(self, bench: Bench) -> None:
        older, newer = bench.begin("older"), bench.begin("newer")
        newer.write(NEWER)
        older.write(WHOLE)
        bench.pump.detach("newer")
        assert bench.written() == WHOLE + NEWER

    def test_the_older_one_comes_first_also_when_the_newer_one_was_ready_before(self, bench: Bench) -> None:
        older, newer = bench.begin("older"), bench.begin("newer")
        newer.write(NEWER)
        older.write(WHOLE)
        bench.turn()
        assert bench.written() == WHOLE + NEWER

    def test_another_container_is_not_waited_for(self, bench: Bench) -> None:
        bench.begin("older", OTHER).write(HALF)
        bench.turn()
        bench.begin("newer").write(NEWER)
        bench.turn()
        assert bench.written() == NEWER

    def test_the_newer_one_waits_for_the_end_of_an_entry(self, bench: Bench, clock: Clock) -> None:
        older = begin_two(bench)
        bench.turn(3)
        assert bench.written() == WHOLE + HALF

        clock.pass_by(1.9)
        older.write(REST)
        bench.turn(2)
        assert bench.written() == WHOLE + HALF + REST + NEWER
        assert bench.attached() == {"older", "newer"}

    def test_one_that_never_completes_its_entry_is_given_up_after_a_time(self, bench: Bench, clock: Clock) -> None:
        begin_two(bench)
        bench.turn()
        clock.pass_by(1.9)
        bench.turn()
        assert bench.written() == WHOLE + HALF

        clock.pass_by(0.2)
        bench.turn(2)
        assert bench.written() == WHOLE + NEWER
        assert bench.attached() == bench.fifos() == {"newer"}

    def test_the_time_counts_from_when_it_keeps_the_other_waiting(self, bench: Bench, clock: Clock) -> None:
        older, newer = bench.begin("older"), bench.begin("newer")
        older.write(WHOLE + HALF)
        bench.turn()
        clock.pass_by(5)
        newer.write(NEWER)
        bench.turn(2)
        assert bench.attached() == {"older", "newer"}

    def test_it_begins_anew_with_each_entry(self, bench: Bench, clock: Clock) -> None:
        older = begin_two(bench)
        bench.turn()
        clock.pass_by(1.5)
        older.write(REST + HALF)
        bench.turn()
        clock.pass_by(1.5)
        bench.turn()
        assert bench.attached() == {"older", "newer"}

    def test_detaching_the_newer_one_does_not_wait(self, bench: Bench) -> None:
        begin_two(bench)
        bench.pump.detach("newer")
        assert bench.written() == WHOLE + NEWER
        assert bench.pump.attached() == bench.attached() == set()

    def test_an_entry_that_an_ended_stream_left_is_cut_off_for_the_next(self, bench: Bench) -> None:
        older = bench.begin("older")
        older.write(WHOLE + HALF)
        bench.turn()
        bench.begin("newer").write(NEWER)
        bench.pump.detach("older")
        bench.turn()
        assert bench.written() == WHOLE + NEWER

    def test_one_that_is_superseded_and_quiet_is_retired_after_a_time(self, bench: Bench, clock: Clock) -> None:
        older, newer = bench.begin("older"), bench.begin("newer")
        older.write(WHOLE)
        bench.turn()
        newer.write(NEWER)
        bench.turn()
        clock.pass_by(9.5)
        bench.turn()
        assert bench.attached() == {"older", "newer"}

        clock.pass_by(1.1)
        bench.turn()
        assert bench.attached() == bench.fifos() == {"newer"}
        assert bench.pump.attached() == {ONE}

    def test_one_that_is_newer_than_the_writing_one_is_not_retired(self, bench: Bench, clock: Clock) -> None:
        older = bench.begin("older")
        bench.begin("newer")
        older.write(WHOLE)
        bench.turn()
        clock.pass_by(60)
        bench.turn()
        assert bench.attached() == {"older", "newer"}


class TestFailures:
    def test_a_failure_in_one_journal_costs_nothing_and_the_others_go_on(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, whole = bench.begin("a"), bench.begin("b", OTHER)
        broken.write(WHOLE + HALF)
        bench.turn()
        failures = break_journal(bench, monkeypatch, ONE)
        broken.write(REST)
        whole.write(NEWER)
        bench.turn()
        assert failures == []
        assert bench.written(OTHER) == NEWER
        assert bench.writer() is None

        whole.write(NEWER)
        bench.turn(3)
        assert bench.written(ONE) == WHOLE + HALF, "it is not tried again at once, for ever"
        assert bench.written(OTHER) == NEWER + NEWER

        clock.pass_by(0.2)
        bench.turn()
        assert bench.written(ONE) == WHOLE + HALF + REST
        assert "reopening the journal" in caplog.text

    def test_a_failure_does_not_end_a_round_for_all(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, container in (("a", ONE), ("b", OTHER), ("c", THIRD)):
            bench.begin(name, container).write(WHOLE)
        break_journal(bench, monkeypatch, ONE)
        bench.pump.drain()
        assert bench.written(OTHER) == bench.written(THIRD) == WHOLE

    @pytest.mark.usefixtures("clock")
    def test_a_failure_does_not_keep_the_pump_from_stopping(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            bench.begin(name, container).write(WHOLE)
        break_journal(bench, monkeypatch, ONE)
        bench.pump.start()
        bench.pump.call(bench.pump.stop).result()
        bench.pump.join()
        assert bench.written(OTHER) == WHOLE

    @pytest.mark.usefixtures("clock")
    def test_a_failure_of_a_probe_is_the_streams_own(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        write_journal(bench.data.container(ONE), WHOLE)
        bench.begin("a").end()
        failures = break_journal(bench, monkeypatch, ONE)
        bench.pump.probe("a")
        assert failures == []
        assert bench.attached() == {"a"}
        bench.turn()
        assert bench.attached() == set()
        assert bench.written() == WHOLE

    def test_a_failure_to_resume_does_not_end_the_pump(
        self, bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: JournalWriter) -> bool:
            raise RuntimeError("a defect")

        broken, whole = bench.begin("a"), bench.begin("b", OTHER)
        broken.write(WHOLE)
        bench.turn()
        journal = bench.writer()
        assert journal is not None
        journal.dropped.begin(b"")
        monkeypatch.setattr(JournalWriter, "try_to_resume", fail)
        assert bench.pump.dropping()
        clock.pass_by(1.1)
        whole.write(NEWER)
        bench.turn()
        assert bench.written(OTHER) == NEWER
        assert not bench.pump.dropping(), "the journal is opened anew"

    def test_a_fifo_that_cannot_be_read_is_given_up(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> int:
            raise OSError(5, "Input/output error")

        bench.begin("a").write(WHOLE)
        monkeypatch.setattr(JournalWriter, "take", fail)
        bench.turn()
        assert bench.pump.attached() == bench.attached() == set()


class TestForTheHousekeeper:
    def test_the_newest_segment_is_closed_where_it_can_be(self, bench: Bench) -> None:
        assert not bench.pump.rotate(ONE)
        fifo = bench.begin("a")
        assert not bench.pump.rotate(ONE), "there is no journal yet"
        fifo.write(WHOLE + HALF)
        bench.turn()
        assert not bench.pump.rotate(ONE), "an entry is incomplete"
        fifo.write(REST)
        bench.turn()
        assert bench.pump.rotate(ONE)
        assert not bench.pump.rotate(ONE), "the new one is empty"

    def test_a_journal_is_removed_only_without_streams(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE)
        bench.turn()
        assert not bench.remove()
        assert bench.written() == WHOLE
        bench.pump.detach("a")
        assert bench.remove()
        assert bench.data.container_ids() == []


class TestThread:
    def test_a_call_after_its_end_is_answered(self, bench: Bench) -> None:
        bench.pump.start()
        stopping = bench.pump.call(bench.pump.stop)
        late = [bench.pump.call(bench.pump.attached) for _ in range(3)]
        bench.pump.join()
        later = bench.pump.call(bench.pump.attached)
        assert stopping.result() is None
        with pytest.raises(StoppedError, match="the plugin is stopping"):
            later.result(5)
        assert all(call.exception(5) is None or isinstance(call.exception(), StoppedError) for call in late)

    def test_calls_are_done_in_it_one_after_the_other(self, bench: Bench) -> None:
        bench.pump.start()
        done: list[int] = []
        calls = [bench.pump.call(done.append, number) for number in range(100)]
        assert bench.pump.call(threading.current_thread).result() is bench.pump
        assert all(call.done() for call in calls)
        assert done == list(range(100))

    def test_what_a_call_raises_is_its_callers(self, bench: Bench) -> None:
        def fail() -> None:
            raise ValueError("the caller's")

        bench.pump.start()
        with pytest.raises(ValueError, match="the caller's"):
            bench.pump.call(fail).result()
        assert bench.pump.call(bench.pump.attached).result() == set()

    def test_bytes_wake_it_up(self, bench: Bench) -> None:
        grown = threading.Event()
        fifo = bench.fifo("a")
        bench.on_change = lambda _: grown.set()
        bench.pump.start()
        bench.pump.call(bench.pump.attach, bench.attachment(fifo), 1 << 20, fifo.open()).result()
        fifo.write(WHOLE)
        assert grown.wait(120)
        assert bench.written() == WHOLE

    def test_a_journal_outlives_it(self, bench: Bench) -> None:
        fifo = bench.begin("a")
        fifo.write(WHOLE + HALF)
        bench.turn()
        bench.pump.stop()
        following = pump_module.Pump(DataFolder(bench.data.path), bench.changed.append, bench.rotated.append)
        following.attach(bench.attachment(fifo), 1 << 20, fifo.open())
        fifo.write(REST)
        following.drain()
        assert bench.written() == WHOLE + HALF + REST


class TestStreamsThatWait:
    """A stream that is not to be read yet does not wake the pump again and again."""

    def test_one_that_is_left_alone(self, bench: Bench, clock: Clock) -> None:
        fifo = bench.begin("a")
        other = bench.begin("b", OTHER)
        bench.stream("a").container.left_alone_until = clock.monotonic() + 5
        fifo.write(WHOLE)
        bench.turn()
        assert bench.pump.poll(0) == []
        other.write(WHOLE)
        bench.turn()
        assert bench.written(OTHER) == WHOLE
        assert bench.written() == b""
        clock.pass_by(6)
        bench.turn()
        assert bench.written() == WHOLE
        fifo.write(WHOLE)
        bench.turn()
        assert bench.written() == WHOLE * 2

    def test_one_of_a_throttled_container(self, bench: Bench, clock: Clock) -> None:
        fifo = bench.begin("a")
        bench.pump.throttle({ONE})
        clock.pass_by(1)
        fifo.write(frames(300, size=100))
        bench.turn()
        first = len(bench.written())
        assert first < len(frames(300, size=100))
        bench.turn()
        assert bench.pump.poll(0) == []
        clock.pass_by(1)
        bench.turn()
        assert len(bench.written()) > first

    def test_one_that_is_closed_meanwhile(self, bench: Bench, clock: Clock) -> None:
        fifo = bench.begin("a")
        bench.stream("a").container.left_alone_until = clock.monotonic() + 5
        fifo.write(WHOLE)
        bench.turn()
        assert bench.pump.detach("a")
        assert bench.written() == WHOLE
        clock.pass_by(6)
        bench.turn()

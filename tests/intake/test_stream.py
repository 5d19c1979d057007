"""Streams and containers: pipes that grow when they are busy, and a journal's note that says whose it is."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from plugin.docker.info import Info
from plugin.errors import HeldError
from plugin.intake.stream import FULL_PIPE, Container, Stream
from plugin.journal import recovery
from plugin.journal.cursors.keeper import CursorKeeper
from plugin.journal.cursors.store import Cursor, read_cursor, write_cursor
from plugin.journal.layout import segment_path
from plugin.journal.metadata import read_metadata, write_metadata
from tests.intake.pump_harness import ONE, Fifo, frames, info_of
from tests.journal.entries import write_journal

WHOLE = frames(3)
HALF = frames(1, size=200)[:90]


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "a")
    made.connect()
    yield made
    made.end()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(ONE, tmp_path / "journal", 1 << 20, CursorKeeper())


@pytest.fixture
def stream(fifo: Fifo, container: Container) -> Stream:
    made = Stream(str(fifo.path), info_of(), fifo.open(), container)
    container.streams.append(made)
    return made


def pipe_size(stream: Stream) -> int:
    return fcntl.fcntl(stream.descriptor, fcntl.F_GETPIPE_SZ)


def test_it_counts_what_waits(fifo: Fifo, stream: Stream) -> None:
    assert stream.waiting() == 0
    fifo.write(b"12345")
    assert stream.waiting() == 5


def test_a_busy_pipe_is_enlarged_and_a_quiet_one_is_not(stream: Stream) -> None:
    usual = pipe_size(stream)
    assert not stream.is_busy((1 << 15) - 1)
    assert stream.is_busy(1 << 15)
    assert pipe_size(stream) == usual
    stream.enlarge()
    assert pipe_size(stream) == FULL_PIPE
    assert not stream.is_busy(1 << 15)


def test_a_pipe_that_may_not_be_enlarged_stays_and_is_asked_once(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*arguments: object) -> int:
        asked.append(arguments)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    stream.enlarge()
    assert not stream.is_busy(1 << 20)
    assert len(asked) == 1


def test_a_fifo_that_is_gone_or_cannot_be_removed_is_no_failure(
    stream: Stream, fifo: Fifo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream.remove_fifo()
    stream.remove_fifo()
    assert not fifo.path.exists()
    assert not caplog.records

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refuse)
    stream.remove_fifo()
    assert "Read-only file system" in caplog.text


def test_the_note_says_who_writes(container: Container, stream: Stream) -> None:
    assert container.writer_for(stream) is not None
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert (metadata.info, metadata.stream) == (info_of(), "a")
    assert container.owner is stream


def test_the_end_of_the_writing_stream_is_noted(
    container: Container, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    container.writer_for(stream)
    before = read_metadata(container.folder)
    monkeypatch.setattr("plugin.journal.metadata.time.time_ns", lambda: 1 << 62)
    container.release(stream)
    after = read_metadata(container.folder)
    assert before is not None
    assert after is not None
    assert (after.birth, after.last_seen) == (before.birth, 1 << 62)
    assert (before.ended, after.ended) == (False, True)
    assert stream.closed
    assert container.finish()
    assert container.writer is None


def test_a_damaged_note_is_written_anew(container: Container, stream: Stream, caplog: pytest.LogCaptureFixture) -> None:
    write_journal(container.folder, WHOLE)
    (container.folder / "info.json").write_bytes(b'{"info": "\xff"}')
    container.writer_for(stream)
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert metadata.stream == "a"
    assert "rewriting it" in caplog.text


def test_cursors_know_the_birth_of_a_journal_whose_note_is_lost(container: Container, stream: Stream) -> None:
    write_journal(container.folder, WHOLE)
    write_cursor(container.folder, "loki", Cursor(offset=len(WHOLE), resume=len(WHOLE), birth=12))
    container.writer_for(stream)
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert metadata.birth == 12


def test_a_journal_that_cannot_be_opened_is_not_taken_for_a_new_one(
    container: Container, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journal(container.folder, WHOLE)
    write_metadata(container.folder, info_of(), "before", 12)
    ahead = Cursor(offset=10_000, resume=10_000, birth=12)
    write_cursor(container.folder, "loki", ahead)
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "open_segment", fail)
        writer = container.writer_for(stream)
        assert writer is not None
        assert (writer.found, writer.began) == (None, False)
        container.place_cursors()
        assert read_cursor(container.folder, "loki") == ahead, "what it would have to fit is not known"

    assert writer.try_to_resume()
    container.place_cursors()
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert (metadata.birth, metadata.stream) == (12, "a")
    end = len(WHOLE)
    assert read_cursor(container.folder, "loki") == Cursor(offset=end, resume=end, birth=12)


def fail(*_: object) -> None:
    raise OSError(5, "Input/output error")


def test_a_journal_that_cannot_be_opened_for_want_of_descriptors_takes_no_stream_yet(
    container: Container, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    write_journal(container.folder, WHOLE)
    write_metadata(container.folder, info_of(), "before", 12)
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "open_segment", refuse)
        for _ in range(2):
            with pytest.raises(HeldError, match="Too many open files"):
                container.writer_for(stream)
    assert container.writer_for(stream) is not None
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert (metadata.birth, metadata.stream) == (12, "a")


def test_cursors_are_brought_in_line_before_anything_is_written(
    container: Container, fifo: Fifo, stream: Stream
) -> None:
    write_journal(container.folder, WHOLE + HALF)
    write_metadata(container.folder, info_of(), "gone", 12)
    write_cursor(container.folder, "loki", Cursor(offset=10_000, resume=9_000, records=5, birth=12))
    fifo.write(WHOLE)
    container.writer_for(stream)
    end = len(WHOLE)
    assert read_cursor(container.folder, "loki") == Cursor(offset=end, resume=end, records=5, birth=12)


def test_they_are_looked_at_once(container: Container, stream: Stream) -> None:
    container.writer_for(stream)
    moved = Cursor(offset=5_000, resume=5_000)
    write_cursor(container.folder, "loki", moved)
    container.place_cursors()
    container.writer_for(stream)
    assert read_cursor(container.folder, "loki") == moved


def test_a_new_journal_begins_with_all_cursors_that_an_older_one_left(container: Container, stream: Stream) -> None:
    container.folder.mkdir()
    write_metadata(container.folder, info_of(), "a", 12)
    write_cursor(container.folder, "loki", Cursor(offset=10_000, resume=10_000, birth=12))
    container.writer_for(stream)
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert metadata.birth > 12
    assert read_cursor(container.folder, "loki") == Cursor(offset=0, resume=0, birth=metadata.birth)


def test_a_note_that_cannot_be_written_stops_no_log_and_is_written_later(
    container: Container, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("plugin.journal.metadata.write_atomically", refuse)
        assert container.writer_for(stream) is not None
        assert not container.write_metadata()
        assert read_metadata(container.folder) is None
    assert container.write_metadata()
    assert not container.write_metadata(), "it is there"
    metadata = read_metadata(container.folder)
    assert metadata is not None
    assert metadata.stream == stream.name


def test_only_the_stream_that_wrote_it_may_complete_an_entry(container: Container, fifo: Fifo, stream: Stream) -> None:
    fifo.write(HALF)
    writer = container.writer_for(stream)
    assert writer is not None
    writer.take(stream.descriptor, 1 << 20)
    other = Stream("/run/b", info_of(), fifo.open(), container)
    container.streams.append(other)
    assert container.writer_for(other) is None
    assert container.writer_for(stream) is writer

    container.release(stream)
    assert container.writer_for(other) is writer
    assert segment_path(container.folder, 0).stat().st_size == 0
    container.release(other)


def test_what_a_stream_that_is_gone_left_incomplete_is_cut_off(
    container: Container, fifo: Fifo, stream: Stream
) -> None:
    fifo.write(WHOLE + HALF)
    writer = container.writer_for(stream)
    assert writer is not None
    writer.take(stream.descriptor, 1 << 20)
    writer.close()
    later = Container(ONE, container.folder, 1 << 20, CursorKeeper())
    other = Stream("/run/b", info_of(), fifo.open(), later)
    later.streams.append(other)
    assert later.writer_for(other) is not None
    assert segment_path(container.folder, 0).read_bytes() == WHOLE
    later.release(other)


def test_a_journal_of_which_all_was_removed_is_born_anew(container: Container, fifo: Fifo, stream: Stream) -> None:
    fifo.write(WHOLE)
    writer = container.writer_for(stream)
    assert writer is not None
    writer.take(stream.descriptor, 1 << 20)
    first = read_metadata(container.folder)
    container.reopen()
    container.writer_for(stream)
    assert read_metadata(container.folder) == first

    container.reopen()
    segment_path(container.folder, 0).unlink()
    container.writer_for(stream)
    second = read_metadata(container.folder)
    assert first is not None
    assert second is not None
    assert second.birth > first.birth


def test_the_end_of_a_stream_that_only_an_earlier_process_has_read_is_noted(
    container: Container, stream: Stream
) -> None:
    write_journal(container.folder, WHOLE + HALF)
    before = write_metadata(container.folder, info_of(), "a", 12)
    container.release(stream)
    after = read_metadata(container.folder)
    assert after is not None
    assert (after.birth, after.stream) == (12, "a")
    assert after.last_seen > before.last_seen
    assert segment_path(container.folder, 0).read_bytes() == WHOLE, "nothing can complete the last entry"


def test_one_that_never_wrote_leaves_the_journal_alone(container: Container, stream: Stream) -> None:
    write_journal(container.folder, WHOLE + HALF)
    before = write_metadata(container.folder, info_of(), "other", 12)
    container.release(stream)
    assert read_metadata(container.folder) == before
    assert container.writer is None
    assert segment_path(container.folder, 0).read_bytes() == WHOLE + HALF


class TestNames:
    """Who a container is holds from the place on at which a stream began, whatever it is called later."""

    @staticmethod
    def of_name(name: str) -> Info:
        return msgspec.structs.replace(info_of(), container_name=f"/{name}")

    def take_over(self, container: Container, tmp_path: Path, name: str, content: bytes = b"") -> None:
        fifo = Fifo(tmp_path / f"fifo-{name}")
        fifo.connect()
        stream = Stream(str(fifo.path), self.of_name(name), fifo.open(), container)
        container.streams.append(stream)
        if content:
            fifo.write(content)
        writer = container.writer_for(stream)
        assert writer is not None
        if content:
            writer.take(stream.descriptor, 1 << 20)
        container.release(stream)
        fifo.end()

    def test_a_container_that_was_renamed(self, container: Container, tmp_path: Path) -> None:
        for name in ("one", "two", "three"):
            self.take_over(container, tmp_path, name, WHOLE)
        metadata = read_metadata(container.folder)
        assert metadata is not None
        assert metadata.info.name == "three"
        assert [(earlier.info.name, earlier.upto) for earlier in metadata.earlier] == [
            ("one", len(WHOLE)),
            ("two", 2 * len(WHOLE)),
        ]

    def test_a_name_under_which_nothing_was_printed_is_not_noted(self, container: Container, tmp_path: Path) -> None:
        self.take_over(container, tmp_path, "one")
        self.take_over(container, tmp_path, "two", WHOLE)
        metadata = read_metadata(container.folder)
        assert metadata is not None
        assert (metadata.info.name, metadata.earlier) == ("two", ())

    def test_one_that_was_renamed_while_the_plugin_was_down(self, container: Container, tmp_path: Path) -> None:
        write_journal(container.folder, WHOLE)
        write_metadata(container.folder, self.of_name("old"), "before", 12)
        self.take_over(container, tmp_path, "new", WHOLE)
        metadata = read_metadata(container.folder)
        assert metadata is not None
        assert metadata.info_at(0) == (self.of_name("old"), len(WHOLE))
        assert metadata.info_at(len(WHOLE)) == (self.of_name("new"), None)

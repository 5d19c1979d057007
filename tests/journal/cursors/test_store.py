"""Cursors: what is read of those that are there, are not there, are damaged, or are of another journal."""

import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.config.options import SinkChoice, validate
from plugin.errors import DamagedCursorError, JournalError
from plugin.journal.cursors import store
from plugin.journal.cursors.store import (
    Cursor,
    any_written_since,
    cursor_in,
    cursor_path,
    floor,
    floor_of_any,
    instances_with_cursors,
    keep_damaged,
    move_cursor,
    read_cursor,
    times_written,
    write_cursor,
)
from plugin.sinks.registry import schema
from tests.journal.entries import fill, small_disk

HTTP = {"http-url": "http://127.0.0.1:1"}
SYSLOG = {"syslog-address": "udp://127.0.0.1:1"}
CURSOR = Cursor(offset=500, resume=400, records=5, dead=1, gap_bytes=9, last_success=77, birth=12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal's folder."""
    made = tmp_path / "journal"
    made.mkdir()
    return made


def leave(folder: Path, content: bytes) -> None:
    """Leave a file behind where the cursor of the sink ``http`` lies."""
    cursor_path(folder, "http").parent.mkdir(exist_ok=True)
    cursor_path(folder, "http").write_bytes(content)


def test_what_is_written_is_read(folder: Path) -> None:
    assert read_cursor(folder, "http") is None
    write_cursor(folder, "http", CURSOR)
    assert read_cursor(folder, "http") == CURSOR
    assert instances_with_cursors(folder) == ["http"]


class TestTimesWritten:
    @pytest.fixture
    def sinks(self) -> tuple[SinkChoice, ...]:
        """Two, of which the second has no cursor."""
        return validate(HTTP | SYSLOG, {}, schema()).sinks

    def written_long_ago(self, folder: Path) -> None:
        write_cursor(folder, "http", CURSOR)
        os.utime(cursor_path(folder, "http"), (1_000_000_000, 1_000_000_000))

    def test_a_cursor_that_is_moved_or_new_was_written_since(self, folder: Path, sinks: tuple[SinkChoice, ...]) -> None:
        self.written_long_ago(folder)
        times = times_written(folder, sinks)
        assert not any_written_since(times)
        write_cursor(folder, "syslog", CURSOR)
        assert any_written_since(times)

        times = times_written(folder, sinks[:1])
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            move_cursor(descriptor, "http", CURSOR)
        finally:
            os.close(descriptor)
        assert any_written_since(times)

    def test_one_that_was_written_just_before_may_have_been_written_since(
        self, folder: Path, sinks: tuple[SinkChoice, ...]
    ) -> None:
        write_cursor(folder, "http", CURSOR)
        assert any_written_since(times_written(folder, sinks)), "within a tick of the file system's clock"

    def test_no_sink_has_none(self, folder: Path) -> None:
        assert not any_written_since(times_written(folder, ()))


def test_it_is_moved_where_it_lies_and_made_where_there_is_none(folder: Path) -> None:
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        move_cursor(descriptor, "http", CURSOR)
        assert read_cursor(folder, "http") == CURSOR
        file = cursor_path(folder, "http").stat()
        for cursor in (Cursor(offset=2**62 - 1, resume=2**62 - 1, birth=2**63), Cursor(offset=1, resume=0)):
            move_cursor(descriptor, "http", cursor)
            assert read_cursor(folder, "http") == cursor
            moved = cursor_path(folder, "http").stat()
            assert (moved.st_ino, moved.st_size) == (file.st_ino, file.st_size)
    finally:
        os.close(descriptor)


def test_it_is_moved_on_a_full_disk() -> None:
    with small_disk(1 << 20) as disk:
        write_cursor(disk, "http", CURSOR)
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            write_cursor(disk, "http", Cursor(offset=600, resume=600))
        descriptor = os.open(disk, os.O_PATH | os.O_DIRECTORY)
        try:
            move_cursor(descriptor, "http", Cursor(offset=700, resume=700))
        finally:
            os.close(descriptor)
        assert read_cursor(disk, "http") == Cursor(offset=700, resume=700)


def test_none_is_ever_read_in_parts_while_it_is_moved(folder: Path) -> None:
    write_cursor(folder, "http", Cursor(offset=0, resume=0))
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    done = threading.Event()

    def move() -> None:
        for number in range(2_000):
            move_cursor(descriptor, "http", Cursor(offset=number << 40, resume=number << 40, records=number << 40))
        done.set()

    mover = threading.Thread(target=move)
    mover.start()
    try:
        while not done.is_set():
            cursor = read_cursor(folder, "http")
            assert cursor is not None
            assert cursor.records == cursor.offset
    finally:
        mover.join()
        os.close(descriptor)


def test_one_of_an_unknown_journal_may_be_of_any(folder: Path) -> None:
    write_cursor(folder, "http", Cursor(offset=500, resume=400, records=5))
    assert read_cursor(folder, "http") == Cursor(offset=500, resume=400, records=5, birth=0)
    assert cursor_in(folder, "http", 12) == Cursor(offset=500, resume=400, records=5, birth=0)


def test_one_of_another_journal_says_nothing_of_this_one(folder: Path) -> None:
    write_cursor(folder, "http", CURSOR)
    assert cursor_in(folder, "http", 12) == CURSOR
    assert cursor_in(folder, "http", 13) == Cursor(offset=0, resume=0, birth=13)
    assert cursor_in(folder, "other", 13) is None


def test_none_is_written_for_a_journal_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_cursor(tmp_path / "gone", "http", CURSOR)
    assert list(tmp_path.iterdir()) == []


def packed(**values: Any) -> bytes:
    """Make the content of a cursor's file, as its module describes it."""
    content = msgspec.msgpack.encode({"offset": 1, "resume": 1} | values)
    rest = len(content).to_bytes(2) + content.ljust(250, b"\0")
    return zlib.crc32(rest).to_bytes(4) + rest


def test_it_lies_there_as_described(folder: Path) -> None:
    leave(folder, packed(offset=7))
    assert read_cursor(folder, "http") == Cursor(offset=7, resume=1)
    write_cursor(folder, "http", CURSOR)
    assert cursor_path(folder, "http").read_bytes() == packed(**msgspec.structs.asdict(CURSOR))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 40,
        b"\xff",
        b"\x81\xa6off\xff",
        b"\x83\xa1x" + b"\x91" * 5_000,
        b"\0" * 256,
        packed()[:-1],
        packed(offset=7)[:12] + packed()[12:],
        packed(offset="1"),
        packed(offset=-1, resume=-1),
        packed(resume=2),
    ],
)
def test_a_damaged_one_is_told_from_one_that_cannot_be_read_now(
    folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(folder, content)
    with pytest.raises(DamagedCursorError, match=r"http\.msgpack is damaged"):
        read_cursor(folder, "http")
    monkeypatch.setattr(store, "read_regular", unreadable)
    with pytest.raises(JournalError, match=r"cannot use .*http\.msgpack") as caught:
        read_cursor(folder, "http")
    assert not isinstance(caught.value, DamagedCursorError)


def unreadable(_: Path) -> bytes:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_not_a_file_is_damaged_and_put_aside(folder: Path, make: Callable[[Path], object]) -> None:
    cursor_path(folder, "http").parent.mkdir(exist_ok=True)
    make(cursor_path(folder, "http"))
    with pytest.raises(DamagedCursorError, match="not a regular file"):
        read_cursor(folder, "http")
    assert keep_damaged(folder, "http").exists()
    write_cursor(folder, "http", CURSOR)
    assert read_cursor(folder, "http") == CURSOR


def test_a_damaged_one_is_kept_beside_until_it_is_replaced(folder: Path) -> None:
    leave(folder, b"\0" * 40)
    copy = keep_damaged(folder, "http")
    assert copy.name == "http.damaged"
    assert copy.read_bytes() == cursor_path(folder, "http").read_bytes() == b"\0" * 40
    assert instances_with_cursors(folder) == ["http"]


class TestFloor:
    @staticmethod
    def sinks(own: dict[str, str], defaults: dict[str, str] | None = None) -> tuple[SinkChoice, ...]:
        return validate(own, defaults, schema()).sinks

    def test_without_a_sink_nothing_is_needed(self, folder: Path) -> None:
        assert floor(folder, (), 12, running=True) is None

    def test_the_slowest_sink_counts_from_where_it_reads(self, folder: Path) -> None:
        write_cursor(folder, "http", CURSOR)
        write_cursor(folder, "syslog", Cursor(offset=900, resume=900, birth=12))
        assert floor(folder, self.sinks(HTTP | SYSLOG), 12, running=False) == 400

    @pytest.mark.parametrize("content", [b"\0", packed(birth=12)])
    def test_one_whose_cursor_is_damaged_or_of_another_journal_needs_all(self, folder: Path, content: bytes) -> None:
        leave(folder, content)
        assert floor(folder, self.sinks(HTTP), 13, running=False) == 0

    def test_one_of_the_containers_own_log_opts_needs_all_also_without_a_cursor(self, folder: Path) -> None:
        assert floor(folder, self.sinks(HTTP), 12, running=False) == 0

    def test_one_that_only_the_plugin_wide_log_opts_choose_needs_nothing_without_a_cursor(self, folder: Path) -> None:
        sinks = self.sinks(HTTP, SYSLOG)
        write_cursor(folder, "http", CURSOR)
        assert floor(folder, sinks, 12, running=False) == 400
        assert floor(folder, self.sinks({}, SYSLOG), 12, running=False) is None
        assert floor(folder, sinks, 12, running=True) == 0, "it is about to get one"

    def test_where_the_sinks_are_not_known_each_that_has_a_cursor_counts(self, folder: Path) -> None:
        assert floor_of_any(folder) is None
        write_cursor(folder, "http", CURSOR)
        write_cursor(folder, "syslog", Cursor(offset=900, resume=900, birth=13))
        assert floor_of_any(folder) == 400
        leave(folder, b"\0")
        assert floor_of_any(folder) == 0

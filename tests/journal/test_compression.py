"""Compression: closed segments take less room, and at no moment is one not there."""

import os
from pathlib import Path

import pytest
import zstandard

from plugin.journal.compression import compress_closed
from plugin.journal.layout import list_segments
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.writer import JournalWriter
from tests.journal.entries import append, encode, numbered, on_disk, pipe

CONTENTS = [encode(numbered(300, number * 300)) for number in range(3)]


@pytest.fixture
def journal(folder: Path) -> Path:
    """A journal of three segments."""
    writer = JournalWriter(folder, 1 << 30)
    with pipe() as fifo:
        for content in CONTENTS:
            writer.rotate()
            append(writer, fifo, content)
    writer.close()
    return folder


def forms(folder: Path) -> list[bool]:
    return [segment.compressed for segment in list_segments(folder)]


def test_all_but_the_newest_are_compressed(journal: Path) -> None:
    assert compress_closed(journal) == 2
    assert forms(journal) == [True, True, False]
    assert list(on_disk(journal).values()) == CONTENTS
    assert sorted(path.suffix for path in journal.iterdir()) == [".idx", ".idx", ".idx", ".log", ".zst", ".zst"]


def test_what_is_compressed_is_left_alone(journal: Path) -> None:
    compress_closed(journal)
    before = {path.name: path.stat().st_ino for path in journal.iterdir()}
    assert compress_closed(journal) == 0
    assert {path.name: path.stat().st_ino for path in journal.iterdir()} == before


def test_one_segment_and_none_are_left_alone(folder: Path) -> None:
    assert compress_closed(folder) == 0
    JournalWriter(folder, 1 << 20).close()
    assert compress_closed(folder) == 0
    assert forms(folder) == [False]


def test_the_time_of_writing_stays(journal: Path) -> None:
    oldest = list_segments(journal)[0]
    os.utime(oldest.path, ns=(5_000, 7_000))
    compress_closed(journal)
    assert os.stat(list_segments(journal)[0].path).st_mtime_ns == 7_000


def test_nobody_else_may_read_it(journal: Path) -> None:
    compress_closed(journal)
    assert {path.stat().st_mode & 0o777 for path in journal.glob("*.zst")} == {0o600}


def test_it_has_size_and_checksum_inside(journal: Path) -> None:
    compress_closed(journal)
    packed = Path(list_segments(journal)[0].path)
    parameters = zstandard.get_frame_parameters(packed.read_bytes())
    assert parameters.content_size == len(CONTENTS[0])
    assert parameters.has_checksum
    packed.write_bytes(packed.read_bytes()[:-1] + b"\0")
    with pytest.raises(zstandard.ZstdError, match="checksum"):
        on_disk(journal)


def test_what_a_killed_process_left_unfinished_is_removed(journal: Path) -> None:
    (journal / f"{0:020}.log.zst.part").write_bytes(b"half")
    (journal / f"{12345:020}.log.zst.part").write_bytes(b"half of one that is gone")
    compress_closed(journal)
    assert list(journal.glob("*.part")) == []
    assert list(on_disk(journal).values()) == CONTENTS


def test_one_that_is_there_in_both_forms_is_compressed_again(journal: Path) -> None:
    (journal / f"{0:020}.log.zst").write_bytes(b"perhaps not whole on disk")
    assert compress_closed(journal) == 2
    assert list(on_disk(journal).values()) == CONTENTS


def test_it_is_on_disk_before_the_plain_one_goes(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, unlink, replace = os.fsync, os.unlink, os.replace

    def note_fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).suffix}")
        fsync(descriptor)

    def note_replace(source: str, target: str) -> None:
        steps.append(f"replace {Path(target).suffix}")
        replace(source, target)

    def note_unlink(path: str) -> None:
        steps.append(f"unlink {Path(path).suffix}")
        unlink(path)

    for name, function in (("fsync", note_fsync), ("replace", note_replace), ("unlink", note_unlink)):
        monkeypatch.setattr(os, name, function)
    compress_closed(journal)
    assert steps == ["fsync .part", "replace .zst", "unlink .log"] * 2


@pytest.mark.parametrize("failing", ["fsync", "utime", "replace", "unlink"])
def test_a_failure_loses_nothing_and_is_made_up_for(
    journal: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            compress_closed(journal)
    assert list(on_disk(journal).values()) == CONTENTS
    compress_closed(journal)
    assert forms(journal) == [True, True, False]
    assert list(on_disk(journal).values()) == CONTENTS


def test_a_segment_that_is_cut_meanwhile_is_an_error_and_stays(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oldest = list_segments(journal)[0]
    fstat = os.fstat
    looks: list[int] = []

    def cut(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        looks.append(descriptor)
        if len(looks) == 2:  # the first one is whether it is a file at all
            os.truncate(oldest.path, 10)
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", cut)
        with pytest.raises(zstandard.ZstdError):
            compress_closed(journal)
    assert forms(journal) == [False, False, False]


def test_a_reading_that_began_before_reads_all(journal: Path) -> None:
    reading = LogReading(journal, LogQuery())
    compress_closed(journal)
    read = b""
    while frames := reading.read():
        read += frames
    read += reading.finish()
    reading.close()
    assert read.count(b"line ") == 900

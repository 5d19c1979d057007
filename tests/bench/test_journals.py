"""Prepared journals: what is delivered from them is known to the line and to the byte."""

from pathlib import Path

import pytest

from bench.journals import lend, write_journals
from bench.lines import LINE_SIZE, numbered_line
from bench.receiver import MARKER
from plugin.docker.frames import HEADER_SIZE, decode_entry, entry_size
from plugin.journal.cursors.store import Cursor, write_cursor
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.metadata import read_metadata


def lines_of(folder: Path) -> list[bytes]:
    content = b"".join(Path(segment.path).read_bytes() for segment in list_segments(folder))
    found = []
    position = 0
    while position < len(content):
        end = position + HEADER_SIZE + entry_size(content, position)
        found.append(decode_entry(content, position + HEADER_SIZE, end).line)
        position = end
    return found


def test_lines_differ_and_have_their_size_and_one_marker() -> None:
    lines = [numbered_line(number) for number in range(1_000)]
    assert len(set(lines)) == 1_000
    assert {len(line) for line in lines} == {LINE_SIZE}
    assert {line.count(MARKER) for line in lines} == {1}


@pytest.mark.parametrize("containers", [1, 3])
def test_lines_are_shared_out_over_the_containers(tmp_path: Path, containers: int) -> None:
    journals = write_journals(tmp_path / "journals", containers, 1_000)
    found = [lines_of(journal.folder) for journal in journals]
    assert [line for of_one in found for line in of_one] == [numbered_line(number) for number in range(1_000)]
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_journal_is_lent_with_all_that_delivery_needs(tmp_path: Path) -> None:
    journals = write_journals(tmp_path / "journals", 1, 10)
    data = DataFolder(tmp_path / "data")
    (lent,) = lend(journals, data, "loki", {"loki-url": "http://127.0.0.1"})
    assert data.container_ids() == [lent.folder.name]
    note = read_metadata(lent.folder)
    assert note is not None
    assert note.info.options == {"loki-url": "http://127.0.0.1"}
    assert lines_of(lent.folder) == lines_of(journals[0].folder)


def test_it_is_delivered_when_the_cursor_is_at_the_end(tmp_path: Path) -> None:
    journals = write_journals(tmp_path / "journals", 1, 10)
    (lent,) = lend(journals, DataFolder(tmp_path / "data"), "loki", {})
    assert not lent.is_delivered()
    write_cursor(lent.folder, "loki", Cursor(offset=lent.end, resume=lent.end))
    assert lent.is_delivered()

    (other,) = lend(journals, DataFolder(tmp_path / "data"), "loki", {}, delivered=True)
    assert other.is_delivered()

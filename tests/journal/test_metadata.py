"""``info.json``: what a journal knows of its container."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.info import Info
from plugin.errors import JournalError
from plugin.journal.metadata import JournalMetadata, container_label, read_metadata, write_metadata

INFO = Info(container_id="abc", config={"max-size": "1m"}, container_name="/web", container_labels={"ключ": "значение"})


def test_what_is_written_is_read(folder: Path) -> None:
    folder.mkdir()
    before = time.time_ns()
    metadata = write_metadata(folder, INFO, "fifo", 12)
    assert read_metadata(folder) == metadata
    assert metadata.birth == 12
    assert before <= metadata.last_seen <= time.time_ns()
    assert metadata.info == INFO
    assert metadata.stream == "fifo"


def test_the_newest_one_holds(folder: Path) -> None:
    folder.mkdir()
    first = write_metadata(folder, INFO, "fifo", 12)
    second = write_metadata(folder, INFO, "other", 12)
    assert second.last_seen >= first.last_seen
    assert read_metadata(folder) == second


def test_without_a_journal_there_is_none(folder: Path) -> None:
    assert read_metadata(folder) is None
    folder.mkdir()
    assert read_metadata(folder) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"info": {}}',
        b"\xff\xfe",
        b'{"birth": 1e400}',
        b"\0" * 99,
        b'{"stream": "\xff"}',
        b'{"none": ' + b"[" * 5_000,
    ],
)
def test_a_damaged_one_is_a_journal_error(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "info.json").write_bytes(content)
    with pytest.raises(JournalError, match=r"cannot use .*info\.json"):
        read_metadata(folder)


def test_one_that_cannot_be_read_is_a_journal_error(folder: Path) -> None:
    (folder / "info.json").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"cannot use .*info\.json"):
        read_metadata(folder)


@given(st.binary(max_size=60))
def test_random_bytes_are_survived(content: bytes) -> None:
    with TemporaryDirectory() as path:
        (Path(path) / "info.json").write_bytes(content)
        try:
            assert isinstance(read_metadata(Path(path)), JournalMetadata)
        except JournalError:
            return


def test_the_log_names_a_container_by_name_and_short_id_or_by_id_alone(tmp_path: Path) -> None:
    folder = tmp_path / INFO.container_id
    folder.mkdir()
    assert container_label(folder) == INFO.id
    write_metadata(folder, INFO, "fifo", 12)
    assert container_label(folder) == f"{INFO.name} ({INFO.id})"
    (folder / "info.json").write_bytes(b"{")
    assert container_label(folder) == INFO.id

"""``peavey ls`` lists the containers that have a journal."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin.__main__ import main
from plugin.commands import ls
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.intake.attachments import Attachment, Attachments
from plugin.journal.cursors.store import Cursor, write_cursor
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from tests.journal.entries import encode, write_journal

SECOND = 1_000_000_000
A, B = "aa" * 32, "bb" * 32


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A container that has stopped, and one that runs and has a sink that has everything but its last line."""
    made = DataFolder(tmp_path / "data")
    made.create()
    for container, name in ((A, "web"), (B, "db")):
        info = Info(container_id=container, container_name=f"/{name}", container_image_name="nginx")
        content = encode([Entry("stdout", time * SECOND, b"line") for time in (1, 2, 3)])
        write_journal(made.container(container), content)
        write_metadata(made.container(container), info, "fifo", 1)
    offset = len(content) * 2 // 3
    write_cursor(made.container(B), "loki", Cursor(offset=offset, resume=offset, birth=1))
    Attachments(made.streams).save(Attachment(file="/run/f", info=info, started=1))
    return made


def test_running_ones_come_first_with_all_that_is_known(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--data", str(data.path), "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    (sink,) = first.pop("sinks")
    assert first == {
        "container_id": B,
        "container_name": "db",
        "image": "nginx",
        "state": "running",
        "journal_bytes": sink["lag_bytes"] * 3,
        "first_line": "1970-01-01T00:00:01.000000000Z",
        "last_line": "1970-01-01T00:00:03.000000000Z",
    }
    assert (sink["sink"], sink["lag_lines"]) == ("loki", 1)
    assert sink["lag_seconds"] > 1e9
    assert (second["container_name"], second["state"], second["sinks"]) == ("web", "stopped", [])


@pytest.mark.parametrize("columns", ["80", "160"])
def test_a_table_fits_the_terminal(
    data: DataFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(ls, "time", SimpleNamespace(time_ns=lambda: 40_000 * SECOND))  # how wide ages are depends on it
    assert main(["ls", "--data", str(data.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert [line.split()[0] for line in lines[1:]] == ["db", "web"]
    assert ("nginx" in lines[1]) is (columns == "160")


def test_those_that_are_named_or_run(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--data", str(data.path), "--json", "w*"]) == 0
    assert [json.loads(line)["container_name"] for line in capsys.readouterr().out.splitlines()] == ["web"]
    assert main(["ls", "--data", str(data.path), "--json", "--running"]) == 0
    assert [json.loads(line)["container_name"] for line in capsys.readouterr().out.splitlines()] == ["db"]


def test_an_empty_journal_is_listed_too(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    data.container("cc" * 32).mkdir()
    assert main(["ls", "--data", str(data.path), "--json", "cc"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["first_line"], found["last_line"], found["journal_bytes"]) == (None, None, 0)


def test_into_a_pipe_it_is_plain_and_whole(
    data: DataFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    info = Info(container_id=A, container_name="/" + "n" * 300, container_image_name="i" * 300)
    write_metadata(data.container(A), info, "fifo", 1)
    assert main(["ls", "--data", str(data.path)]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "container",
        "id",
        "image",
        "state",
        "size",
        "first",
        "line",
        "last",
        "line",
        "sinks,",
        "behind",
        "by",
    ]
    assert [row.split()[0] for row in rows] == ["db", "n" * 300]
    assert [row.split()[2] for row in rows] == ["nginx", "i" * 300]
    assert "\x1b" not in "".join([heading, *rows])

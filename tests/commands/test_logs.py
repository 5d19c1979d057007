"""``peavey logs``: which container is meant, and what is said of arguments that make no sense."""

from pathlib import Path

import pytest

from plugin.__main__ import main
from plugin.commands.logs import find_container
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.errors import JournalError
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from tests.journal.entries import encode, numbered, part, write_journal

SECOND = 1_000_000_000
A, B, C = "aa" + "0" * 62, "aa" + "1" * 62, "cc" + "0" * 62


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def journal(data: DataFolder, container: str, name: str, content: bytes = b"") -> None:
    """Leave a journal behind."""
    write_journal(data.container(container), content)
    write_metadata(data.container(container), Info(container_id=container, container_name=f"/{name}"), "fifo", 1)


def logs(data: DataFolder, *arguments: str) -> int:
    return main(["logs", "--data", str(data.path), *arguments])


class TestFinding:
    @pytest.fixture(autouse=True)
    def _journals(self, data: DataFolder) -> None:
        for container, name in ((A, "web"), (B, "db"), (C, "aa0")):
            journal(data, container, name)

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [(A, A), (B[:12], B), ("aa1", B), ("c", C), ("web", A), ("/web", A), ("db", B), ("aa0", C), ("aa00", A)],
    )
    def test_by_id_by_name_and_by_the_beginning_of_the_id(self, data: DataFolder, wanted: str, expected: str) -> None:
        assert find_container(data, wanted) == expected

    @pytest.mark.parametrize("wanted", ["none", "", "/", "we", "aa2", A + "0", "..", "*"])
    def test_what_fits_none_is_told_with_the_folder(self, data: DataFolder, wanted: str) -> None:
        with pytest.raises(JournalError) as caught:
            find_container(data, wanted)
        assert str(caught.value) == (
            f"no journal of a container '{wanted}' in {data.path} (--data names another data folder)"
        )

    def test_what_fits_several_is_told_with_their_ids(self, data: DataFolder) -> None:
        with pytest.raises(JournalError, match=f"^'aa' matches 2 containers: {A[:12]}, {B[:12]}$"):
            find_container(data, "aa")
        journal(data, "dd" * 32, "web")
        with pytest.raises(JournalError, match=f"^'web' matches 2 containers: {A[:12]}, dddddddddddd$"):
            find_container(data, "web")

    def test_a_damaged_note_hides_its_own_name_only(self, data: DataFolder) -> None:
        (data.container(A) / "info.json").write_bytes(b'{"info": "\xff"}')
        assert find_container(data, "db") == B
        assert find_container(data, A[:20]) == A
        with pytest.raises(JournalError):
            find_container(data, "web")

    def test_an_id_that_is_the_beginning_of_another_is_meant(self, data: DataFolder) -> None:
        journal(data, "aa", "short")
        assert find_container(data, "aa") == "aa"


class TestPrinting:
    def test_both_outputs_go_where_they_came_from(
        self, data: DataFolder, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        sent = [Entry("stdout", 1, b"out"), Entry("stderr", 2, b"\xff"), part(b"incomplete", 3)]
        journal(data, A, "web", encode(sent))
        assert logs(data, "web") == 0
        assert capfdbinary.readouterr() == (b"out\nincomplete", b"\xff\n")

    def test_times_are_printed_in_front(self, data: DataFolder, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        journal(data, A, "web", encode([Entry("stdout", 1_769_860_800 * SECOND + 1, b"out")]))
        assert logs(data, "-t", "web") == 0
        assert capfdbinary.readouterr().out == b"2026-01-31T12:00:00.000000001Z out\n"

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            ([], [0, 1, 2, 3]),
            (["-n", "all"], [0, 1, 2, 3]),
            (["-n", "2"], [2, 3]),
            (["-n", "0"], []),
            (["-n", "-1"], [0, 1, 2, 3]),
            (["--tail=9"], [0, 1, 2, 3]),
            (["--since", "0.000000003"], [2, 3]),
            (["--until", "0.000000002"], [0, 1]),
            (["--until", "1969-01-01"], []),
            (["--since", "10m"], []),
            (["--follow"], [0, 1, 2, 3]),
        ],
    )
    def test_the_lines_that_were_asked_for(
        self, data: DataFolder, capfdbinary: pytest.CaptureFixture[bytes], flags: list[str], expected: list[int]
    ) -> None:
        journal(data, A, "web", encode(numbered(4)))
        assert logs(data, *flags, "web") == 0
        assert [int(line.split()[1]) for line in capfdbinary.readouterr().out.splitlines()] == expected


class TestErrors:
    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["-n", "many"], "--tail: 'many' is neither a number nor 'all'"),
            (["--tail", "1.5"], "--tail: '1.5' is neither a number nor 'all'"),
            (["--tail", ""], "--tail: '' is neither a number nor 'all'"),
            (["--since", "yesterday"], "--since: 'yesterday' is not a time (examples: "),
            (["--until", "25:00"], "--until: '25:00' is not a time (examples: "),
        ],
    )
    def test_an_argument_that_makes_no_sense_is_named(
        self, data: DataFolder, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
    ) -> None:
        journal(data, A, "web")
        assert logs(data, *flags, "web") == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"peavey: {message}")
        assert err.count("\n") == 1

    def test_no_container_is_wrong_usage(self, data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            logs(data)
        assert caught.value.code == 2
        assert "CONTAINER" in capsys.readouterr().err

    def test_a_data_folder_that_is_not_there_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["logs", "--data", str(tmp_path / "none"), "web"]) == 1
        assert capsys.readouterr().err.startswith("peavey: there is no data folder")

    def test_one_that_cannot_be_read_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "containers").touch()
        assert main(["logs", "--data", str(tmp_path), "web"]) == 1
        assert capsys.readouterr().err == f"peavey: [Errno 20] Not a directory: '{tmp_path / 'containers'}'\n"

    def test_the_folder_is_also_taken_from_the_environment(
        self, data: DataFolder, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        journal(data, A, "web", encode(numbered(1)))
        monkeypatch.setenv("PEAVEY_DATA", str(data.path))
        monkeypatch.setenv("PEAVEY_DISK_LIMIT", "of no concern here")
        assert main(["logs", "web"]) == 0
        assert capfdbinary.readouterr().out == b"line 0 \n"

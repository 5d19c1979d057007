"""``peavey logs``: which container is meant, and what is said of arguments that make no sense."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from plugin.__main__ import main
from plugin.browse.selection import Wanted, find_container, known_journals, select
from plugin.commands.following import Follower, lines_of
from plugin.commands.line_printer import harmless
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.errors import JournalError
from plugin.journal.change_counters import GrowthTeller
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.journal.readback import LogQuery, LogReading
from tests.journal.entries import encode, numbered, part, write_journal
from tests.testbed.server import REPOSITORY, plugin_environment

SECOND = 1_000_000_000
A, B, C = "aa" + "0" * 62, "aa" + "1" * 62, "cc" + "0" * 62


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


@pytest.fixture(autouse=True)
def _at_the_same_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search lowers that of its process, which is the tests' own here."""
    monkeypatch.setattr(os, "nice", lambda _: 0)


def journal(
    data: DataFolder,
    container: str,
    name: str,
    content: bytes = b"",
    birth: int = 1,
    labels: dict[str, str] | None = None,
) -> None:
    """Leave a journal behind."""
    write_journal(data.container(container), content)
    info = Info(container_id=container, container_name=f"/{name}", container_labels=labels)
    write_metadata(data.container(container), info, "fifo", birth)


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

    def test_the_newest_of_a_name_is_meant(self, data: DataFolder) -> None:
        journal(data, "dd" * 32, "web", birth=5)
        assert find_container(data, "web") == "dd" * 32

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
            (["--until-stop"], [0, 1, 2, 3]),
            (["--follow", "--until", "0.000000002"], [0, 1]),
            (["-g", "[12]"], [1, 2]),
            (["-g", "[12]", "-v"], [0, 3]),
            (["-g", "line", "-n", "2"], [2, 3]),
            (["-g", "1|3", "-C", "1"], [0, 1, 2, 3]),
            (["--stream", "stderr"], []),
            (["--until-stop", "-g", "2"], [2]),
        ],
    )
    def test_the_lines_that_were_asked_for(
        self, data: DataFolder, capfdbinary: pytest.CaptureFixture[bytes], flags: list[str], expected: list[int]
    ) -> None:
        journal(data, A, "web", encode(numbered(4)))
        assert logs(data, *flags, "web") == 0
        assert [int(line.split()[1]) for line in capfdbinary.readouterr().out.splitlines()] == expected


PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


class TestSeveral:
    @pytest.fixture(autouse=True)
    def _journals(self, data: DataFolder) -> None:
        for container, name, times, labels in (
            (A, "web-1", (1, 4), {PROJECT: "shop", SERVICE: "web", "team": "a"}),
            (B, "web-2", (2, 5), {PROJECT: "shop", SERVICE: "web"}),
            (C, "db", (3, 6), {PROJECT: "shop", SERVICE: "db"}),
            ("dd" * 32, "other.1.xyz", (7,), {"com.docker.swarm.service.name": "other"}),
        ):
            sent = [Entry("stderr" if time % 2 else "stdout", time, b"%d" % time) for time in times]
            journal(data, container, name, encode(sent), labels=labels)

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["web*"], "1245"),
            (["web-1", "db"], "1346"),
            (["--project", "shop"], "123456"),
            (["--service", "db", "--service", "other"], "367"),
            (["--project", "shop", "--service", "web"], "1245"),
            (["--label", "team"], "14"),
            (["--label", "team=b", "--all"], ""),
            (["web*", "--label", "team=a"], "14"),
            (["--all"], "1234567"),
            (["--all", "-n", "3"], "567"),
            (["--all", "-n", "2", "-g", "[1-6]"], "56"),
            (["--all", "-g", "[36]"], "36"),
            (["--all", "--stream", "stdout"], "246"),
            (["--all", "--until-stop"], "1234567"),
            (["other"], "7"),
            (["web"], "1245"),
        ],
        ids=" ".join,
    )
    def test_they_are_chosen_and_merged_by_time(
        self, data: DataFolder, capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
    ) -> None:
        assert logs(data, "--no-prefix", "--json", *arguments) == 0
        assert "".join(json.loads(line)["line"] for line in capfd.readouterr().out.splitlines()) == expected

    def test_names_stand_in_front_and_all_is_on_one_output(
        self, data: DataFolder, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert logs(data, "web-1", "db") == 0
        assert capfd.readouterr() == ("web-1 | 1\ndb    | 3\nweb-1 | 4\ndb    | 6\n", "")

    def test_json_has_all_that_is_known(self, data: DataFolder, capfd: pytest.CaptureFixture[str]) -> None:
        journal(data, "ee" * 32, "app", encode([Entry("stderr", SECOND, b"ERROR \xff"), part(b"rest", 2 * SECOND)]))
        assert logs(data, "--json", "app") == 0
        assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == [
            {
                "time": "1970-01-01T00:00:01.000000000Z",
                "container_id": "ee" * 32,
                "container_name": "app",
                "stream": "stderr",
                "level": "error",
                "line": "ERROR \ufffd",
            },
            {
                "time": "1970-01-01T00:00:02.000000000Z",
                "container_id": "ee" * 32,
                "container_name": "app",
                "stream": "stdout",
                "line": "rest",
                "incomplete": True,
            },
        ]

    def test_levels_are_those_at_the_beginning_of_lines(
        self, data: DataFolder, capfd: pytest.CaptureFixture[str]
    ) -> None:
        sent = [Entry("stdout", n, text) for n, text in enumerate((b"INFO a", b"WARN b", b"c", b"level=fatal d"), 1)]
        journal(data, "ee" * 32, "app", encode(sent))
        assert logs(data, "--level", "warn", "app") == 0
        assert capfd.readouterr().out == "WARN b\nlevel=fatal d\n"

    def test_matches_that_do_not_adjoin_are_parted(self, data: DataFolder, capfd: pytest.CaptureFixture[str]) -> None:
        journal(data, "ee" * 32, "app", encode([Entry("stdout", n, b"%d" % n) for n in range(1, 10)]))
        assert logs(data, "-g", "2|3|8", "-C", "1", "app") == 0
        assert capfd.readouterr().out.split() == ["1", "2", "3", "4", "--", "7", "8", "9"]

    def test_older_containers_of_the_name_are_told(self, data: DataFolder, capfd: pytest.CaptureFixture[str]) -> None:
        journal(data, "ee" * 32, "db", encode([Entry("stdout", 9, b"new")]), birth=9)
        assert logs(data, "db") == 0
        out, errors = capfd.readouterr()
        assert out == "new\n"
        assert errors.startswith(
            f"peavey: 'db' is the newest container of this name; older ones, by id: {C[:12]} (1970-01-01T00:00 to "
        )


class TestFollowing:
    def test_new_containers_that_fit_are_followed_and_restarts(self, data: DataFolder) -> None:
        journal(data, A, "web-1", encode(numbered(1)))
        wanted = Wanted(names=("web*",))
        joined: list[str] = []
        query = LogQuery(follow=True)
        follower = Follower(data, wanted, query, lambda one: joined.append(one.name), until_stop=False)
        journals = known_journals(data)
        begun = follower.begin(journals, select(journals, wanted, data).chosen)
        assert [line.text for _, reading in begun.values() for line in lines_of(reading)] == [b"line 0 "]
        rounds = follower.rounds()
        try:
            journal(data, A, "web-1", encode(numbered(1, 1)))
            journal(data, B, "web-2", encode(numbered(1, 2)))
            journal(data, C, "db", encode(numbered(1, 3)))
            found: list[bytes] = []
            while len(found) < 2:
                found += [line.text for _, line in next(rounds)]
        finally:
            follower.close()
        assert found == [b"line 1 ", b"line 2 "]
        assert joined == ["web-2"]

    def test_what_did_not_grow_is_not_read(self, data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        for container, name in ((A, "a"), (B, "b")):
            journal(data, container, name, encode(numbered(1)))
        growth = GrowthTeller(data)
        growth.tell(C)
        wanted = Wanted(everything=True)
        follower = Follower(data, wanted, LogQuery(follow=True), lambda _: None, until_stop=False)
        journals = known_journals(data)
        begun = follower.begin(journals, select(journals, wanted, data).chosen)
        for _, reading in begun.values():
            list(lines_of(reading))
        rounds = follower.rounds()
        next(rounds)  # looks at all
        read: list[str] = []
        whole = LogReading.read

        def noted(reading: LogReading) -> bytes:
            read.append(reading._folder.name)
            return whole(reading)

        monkeypatch.setattr(LogReading, "read", noted)
        assert next(rounds) == []
        assert read == []
        journal(data, B, "b", encode(numbered(1, 1)))
        growth.tell(B)
        assert [line.text for _, line in next(rounds)] == [b"line 1 "]
        assert set(read) == {B}
        follower.close()


class TestOnATerminal:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (b"plain \ttab \xc3\xa4", b"plain \ttab \xc3\xa4"),
            (b"\x1b[2Jx\r\x07", rb"\x1b[2Jx\r\x07"),
            ("a\u202eb\u2066\x9b".encode(), rb"a\u202eb\u2066\x9b"),
            (b"\xff\xfe", rb"\xff\xfe"),
        ],
        ids=["plain", "escapes", "direction", "no text"],
    )
    def test_what_would_be_acted_upon_is_written_out(self, text: bytes, shown: bytes) -> None:
        assert harmless(text) == shown

    @pytest.mark.parametrize(
        ("flags", "expected"), [([], b"a\\x1b[2J"), (["--raw"], b"a\x1b[2J")], ids=["harmless", "raw"]
    )
    def test_the_command_knows_a_terminal(self, data: DataFolder, flags: list[str], expected: bytes) -> None:
        journal(data, A, "web", encode([Entry("stdout", 1, b"a\x1b[2J")]))
        journal(data, B, "db", encode([Entry("stdout", 2, b"b")]))
        printed = on_terminal(data, *flags, "--all")
        assert expected in printed
        assert b"\x1b[36mweb | \x1b[0m" in printed
        assert b"\x1b[3" not in on_terminal(data, "--all", NO_COLOR="1")


def on_terminal(data: DataFolder, *arguments: str, **environ: str) -> bytes:
    """Run the command on a terminal; returns what it printed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "plugin", "logs", "--data", str(data.path), *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=plugin_environment({"TERM": "xterm", **environ}), stdout=theirs, check=True
    )
    os.close(theirs)
    printed = b""
    try:
        while piece := os.read(ours, 1 << 16):
            printed += piece
    except OSError:
        pass
    finally:
        os.close(ours)
    assert done.returncode == 0
    return printed


class TestErrors:
    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["-n", "many"], "--tail: 'many' is neither a number nor 'all'"),
            (["--tail", "1.5"], "--tail: '1.5' is neither a number nor 'all'"),
            (["--tail", ""], "--tail: '' is neither a number nor 'all'"),
            (["--since", "yesterday"], "--since: 'yesterday' is not a time (examples: "),
            (["-g", "(a"], "'(a' is not a regular expression (RE2 syntax): missing ): (a"),
            (["-v"], "-v needs a pattern: -g PATTERN"),
            (["-C", "-1", "-g", "a"], "-C: -1 is below 0"),
            (["-f", "-C", "1", "-g", "a"], "-C does not go with --follow"),
            (["--level", "warm"], "--level: 'warm' is not a level (did you mean 'warn'?)"),
            (["--label", "none"], "no container with a journal in "),
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

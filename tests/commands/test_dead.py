"""``peavey dead`` lists what destinations refused, sends it again and forgets it."""

import base64
import fcntl
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from plugin.__main__ import main
from plugin.config.profiles import Profile, Profiles, Redirect, Route
from plugin.config.schema import SinkOptions
from plugin.delivery import dead_letter_replay
from plugin.delivery.dead_letter_replay import read_lines
from plugin.delivery.dead_letters import bury, dead_letters_path
from plugin.docker.info import Info
from plugin.journal.accepted_profiles import write_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.journal.redirects import write_redirect
from plugin.sinks.base import MisconfiguredError, Origin, PartlyRefusedError, Record, RejectError, RetryError, Sink
from plugin.sinks.registry import make_sink
from plugin.sinks.syslog.options import SyslogOptions

WEB, DB = "a" * 64, "b" * 64
WHEN = 1_700_000_000_000_000_000


class Receiving(Sink[Origin]):
    """A sink whose destination takes every line but ``bad``, and may be down or go down at ``stop``."""

    declaration = SyslogOptions
    got: list[tuple[str, bytes, int]] = []  # noqa: RUF012 (emptied for each test)
    parts: list[tuple[str, int, bool]] = []  # noqa: RUF012
    fault: Exception | None = None
    closed = 0

    def __init__(self, options: SinkOptions) -> None:
        self.options = options

    def prepare(self, origin: Origin) -> Origin:
        return origin

    def encode(self, records: Sequence[Record]) -> bytes:
        (record,) = records
        self.record = record
        if record.line == b"odd":
            raise ZeroDivisionError
        return record.line

    async def send(self, payload: bytes) -> None:
        if payload.startswith(b"bad"):
            raise RejectError("still too bad")
        if payload == b"stop":
            raise RetryError("connection lost")
        if Receiving.fault is not None:
            raise Receiving.fault
        if payload == b"busy":
            bury(Here.data.container(WEB), "syslog", record(b"newer"), "refused meanwhile", WHEN)
        Receiving.got.append((self.record.prepared.info.name, payload, self.record.time_nano))
        Receiving.parts.append((self.record.part_id, self.record.part_ordinal, self.record.part_last))

    async def close(self) -> None:
        Receiving.closed += 1


class Here:
    """What all tests look at."""

    data: DataFolder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder with two containers that have a syslog sink."""
    Here.data = data = DataFolder(tmp_path / "data")
    data.create()
    for container_id, name in ((WEB, "/web"), (DB, "/db")):
        data.container(container_id).mkdir()
        options = {"syslog-address": "udp://127.0.0.1:9"}
        write_metadata(
            data.container(container_id),
            Info(container_id=container_id, container_name=name, config=options),
            "stream",
            1,
        )
    Receiving.got = []
    Receiving.parts = []
    Receiving.fault = None
    Receiving.closed = 0
    monkeypatch.setattr(dead_letter_replay, "make_sink", lambda choice: Receiving(choice.options))
    monkeypatch.delenv("PEAVEY_DATA", raising=False)
    monkeypatch.delenv("PEAVEY_LOG_OPTS", raising=False)


def record(line: bytes, time: int = WHEN, **part: object) -> Record:
    return Record(None, "stdout", time, line, 100, 200, 200, **part)  # type: ignore[arg-type]


def refuse(container_id: str, *lines: bytes, sink: str = "syslog", reason: str = "too bad") -> None:
    for line in lines:
        bury(Here.data.container(container_id), sink, record(line), reason, WHEN)


def dead(*arguments: str) -> int:
    return main(["dead", "--data", str(Here.data.path), *arguments])


def lines_of(container_id: str, sink: str = "syslog") -> list[str]:
    return [json.loads(line)["line"] for line in read_lines(Here.data.container(container_id), sink)]


def lines_of_notes(container_id: str) -> list[int]:
    letters = map(json.loads, read_lines(Here.data.container(container_id), "syslog"))
    return [letter["among"] for letter in letters if "among" in letter]


class TestListing:
    def test_without_any_it_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert dead() == 0
        assert capsys.readouterr().out == "no dead letters\n"

    def test_each_has_container_sink_time_reason_and_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"hello", reason="not JSON")
        assert dead() == 0
        row = capsys.readouterr().out.splitlines()[-1]
        assert row.split() == ["web", "syslog", "2023-11-14T22:13:20.000000000Z", "not", "JSON", "hello"]

    def test_a_long_line_is_shortened_and_control_characters_are_escaped(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refuse(WEB, b"\x1b[2J" + b"x" * 500)
        dead()
        out = capsys.readouterr().out
        assert r"\x1b[2Jxxx" in out
        assert "\x1b" not in out
        assert "x…" in out

    def test_a_note_says_that_it_is_one(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        bury(Here.data.container(WEB), "syslog", record(b"hello"), "refused 3 records", WHEN, 1_200)
        dead()
        shown = " ".join(capsys.readouterr().out.split())
        assert "refused 3 records (some of the 1,200 lines from here on)" in shown

    def test_they_can_be_chosen_by_container_and_by_sink(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one")
        refuse(WEB, b"two", sink="audit")
        refuse(DB, b"three")
        for arguments, expected in (
            (["--container", "web"], {"one", "two"}),
            (["--container", DB[:12]], {"three"}),
            (["--sink", "syslog"], {"one", "three"}),
            (["--container", "web", "--sink", "audit"], {"two"}),
        ):
            assert dead("--json", *arguments) == 0
            assert {json.loads(line)["line"] for line in capsys.readouterr().out.splitlines()} == expected

    def test_as_json_they_are_whole(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"\xff\x00" * 300)
        dead("--json")
        assert json.loads(capsys.readouterr().out) == {
            "container_id": WEB,
            "container_name": "web",
            "sink": "syslog",
            "refused": "2023-11-14T22:13:20.000000000Z",
            "reason": "too bad",
            "time": "2023-11-14T22:13:20.000000000Z",
            "stream": "stdout",
            "offset_bytes": 100,
            "line_base64": base64.b64encode(b"\xff\x00" * 300).decode(),
        }

    def test_a_container_that_is_not_there_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert dead("--container", "nobody") == 1
        assert "no journal of a container 'nobody'" in capsys.readouterr().err

    def test_a_data_folder_that_is_not_there_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["dead", "--data", "/nowhere"]) == 1
        assert capsys.readouterr().err == "peavey: there is no data folder /nowhere\n"

    def test_a_damaged_letter_hides_no_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one")
        with dead_letters_path(Here.data.container(WEB), "syslog").open("ab") as file:
            file.write(b'{"torn": \n')
        refuse(WEB, b"two")
        assert dead("--json") == 0
        assert len(capsys.readouterr().out.splitlines()) == 2


class TestAgain:
    def test_what_is_acknowledged_is_dead_no_longer(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one", b"two")
        refuse(DB, b"three\xff")
        assert dead("--again") == 0
        assert Receiving.got == [("web", b"one", WHEN), ("web", b"two", WHEN), ("db", b"three\xff", WHEN)]
        assert Receiving.closed == 2
        assert capsys.readouterr().out == "web, sink syslog: 2 sent\ndb, sink syslog: 1 sent\n"
        dead()
        assert capsys.readouterr().out == "no dead letters\n"

    def test_a_part_of_a_line_is_one_again(self) -> None:
        part = record(b"x", part_id="p", part_ordinal=3, part_last=True)
        bury(Here.data.container(WEB), "syslog", part, "too bad", WHEN)
        refuse(WEB, b"whole")
        assert dead("--again") == 0
        assert Receiving.parts == [("p", 3, True), ("", 0, False)]

    def test_what_is_refused_again_stays_and_holds_up_no_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one", b"bad", b"two", b"bad too")
        assert dead("--again") == 1
        assert [line for _, line, _ in Receiving.got] == [b"one", b"two"]
        assert lines_of(WEB) == ["bad", "bad too"]
        assert capsys.readouterr().out == "web, sink syslog: 2 sent, 2 still dead: still too bad\n"

    def test_what_is_refused_in_part_again_stays(self) -> None:
        refuse(WEB, b"one", b"two")
        Receiving.fault = PartlyRefusedError("it refused 1 record", 1)
        assert dead("--again") == 1
        assert lines_of(WEB) == ["one", "two"]

    def test_a_note_is_not_sent_and_stays(self, capsys: pytest.CaptureFixture[str]) -> None:
        bury(Here.data.container(WEB), "syslog", record(b"hello"), "refused 3 records", WHEN, 1_200)
        refuse(WEB, b"one")
        assert dead("--again") == 1
        assert [line for _, line, _ in Receiving.got] == [b"one"]
        assert "a note of 1200 records, of which the destination has taken some: refused 3" in capsys.readouterr().out
        assert len(lines_of_notes(WEB)) == 1

    def test_a_destination_that_is_down_is_tried_once_and_all_stay(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one", b"two")
        for fault in (RetryError("down"), MisconfiguredError("401")):
            Receiving.fault = fault
            assert dead("--again") == 1
            assert lines_of(WEB) == ["one", "two"]
            assert f"0 sent, 2 still dead: {fault}" in capsys.readouterr().out

    def test_one_that_goes_down_meanwhile_leaves_the_rest(self) -> None:
        refuse(WEB, b"one", b"bad", b"stop", b"two")
        assert dead("--again") == 1
        assert lines_of(WEB) == ["bad", "stop", "two"]

    def test_a_defect_of_the_sink_loses_none(self) -> None:
        refuse(WEB, b"one", b"two")
        Receiving.fault = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            dead("--again")
        assert lines_of(WEB) == ["one", "two"]

    def test_a_defect_of_the_sink_at_one_line_holds_up_no_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"odd", b"two")
        assert dead("--again") == 1
        assert lines_of(WEB) == ["odd"]
        assert "web, sink syslog: 1 sent, 1 still dead: bug in the sink (Zero" in capsys.readouterr().out

    def test_what_delivery_buries_meanwhile_stays(self) -> None:
        refuse(WEB, b"busy", b"bad")
        assert dead("--again") == 1
        assert lines_of(WEB) == ["newer", "bad"]

    def test_what_a_killed_command_put_aside_is_sent_as_well(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"aside")
        path = dead_letters_path(Here.data.container(WEB), "syslog")
        path.rename(path.with_suffix(".again"))
        dead("--json")
        assert json.loads(capsys.readouterr().out)["line"] == "aside"
        refuse(WEB, b"newer")
        assert dead("--again") == 0
        assert {line for _, line, _ in Receiving.got} == {b"aside", b"newer"}
        assert os.listdir(path.parent) == []

    def test_a_damaged_letter_stays(self) -> None:
        path = dead_letters_path(Here.data.container(WEB), "syslog")
        path.parent.mkdir()
        path.write_bytes(b"torn\n")
        refuse(WEB, b"one")
        assert dead("--again") == 1
        assert path.read_bytes() == b"torn\n"

    def test_a_sink_that_the_log_opts_do_not_name_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one", sink="audit")
        assert dead("--again") == 1
        assert (
            "web, sink audit: 0 sent, 1 still dead: the log-opts in force name no sink 'audit'"
            in capsys.readouterr().out
        )
        assert lines_of(WEB, "audit") == ["one"]

    def test_plugin_wide_log_opts_can_name_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse(WEB, b"one", sink="audit")
        log_opts = {"sink": "audit=syslog", "audit.syslog-address": "udp://127.0.0.1:9"}
        monkeypatch.setenv("PEAVEY_LOG_OPTS", json.dumps(log_opts))
        assert dead("--again") == 0
        assert [line for _, line, _ in Receiving.got] == [b"one"]

    def test_profiles_and_redirects_can_name_it(self) -> None:
        """The plugin's own log-opts are known from its last run."""
        options = {"syslog-address": "udp://127.0.0.1:9"}
        profiles = Profiles(profiles={"standard": Profile(options=options)}, routes=(Route(use=("standard",)),))
        write_accepted(Here.data, profiles, {"sink": "wide=syslog", "wide.syslog-address": "udp://127.0.0.1:9"})
        info = Info(container_id=WEB, container_name="/web", config={})
        write_metadata(Here.data.container(WEB), info, "stream", 1)
        refuse(WEB, b"one", sink="standard.syslog")
        refuse(DB, b"two", sink="wide")
        assert dead("--again") == 0
        write_redirect(Here.data.container(DB), Redirect(number=1, options=options, since=1))
        refuse(DB, b"three", sink="redirect-1.syslog")
        write_accepted(Here.data, Profiles(), {})
        assert dead("--again", "--sink", "redirect-1.syslog") == 0
        assert [line for _, line, _ in Receiving.got] == [b"one", b"two", b"three"]

    def test_log_opts_that_can_no_longer_be_used_are_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        info = Info(container_id=WEB, container_name="/web", config={"syslog-address": "nonsense://"})
        write_metadata(Here.data.container(WEB), info, "stream", 1)
        refuse(WEB, b"one")
        assert dead("--again") == 1
        assert "1 still dead: log-opt 'syslog-address'" in capsys.readouterr().out
        assert lines_of(WEB) == ["one"]

    def test_a_container_without_info_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one")
        (Here.data.container(WEB) / "info.json").write_bytes(b"torn")
        assert dead("--again") == 1
        assert f"{WEB[:12]}, sink syslog: 0 sent, 1 still dead: its info.json" in capsys.readouterr().out

    def test_two_at_once_are_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one")
        with (Here.data.path / "dead.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert dead("--again") == 1
            assert dead("--forget") == 1
        assert "another process sends or forgets dead letters" in capsys.readouterr().err
        assert lines_of(WEB) == ["one"]

    def test_it_reaches_a_real_sink(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dead_letter_replay, "make_sink", make_sink)
        refuse(WEB, b"one")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            config = {"syslog-address": f"udp://127.0.0.1:{receiver.getsockname()[1]}"}
            info = Info(container_id=WEB, container_name="/web", config=config)
            write_metadata(Here.data.container(WEB), info, "stream", 1)
            assert dead("--again") == 0
            assert receiver.recv(1024).endswith(b"one\n")
        assert capsys.readouterr().out == "web, sink syslog: 1 sent\n"


class TestForgetting:
    def test_they_are_deleted(self, capsys: pytest.CaptureFixture[str]) -> None:
        refuse(WEB, b"one", b"two")
        refuse(DB, b"three")
        assert dead("--forget", "--container", "web") == 0
        assert capsys.readouterr().out == "web, sink syslog: 2 forgotten\n"
        assert lines_of(WEB) == []
        assert lines_of(DB) == ["three"]

    def test_also_what_a_killed_command_put_aside(self) -> None:
        refuse(WEB, b"one")
        path = dead_letters_path(Here.data.container(WEB), "syslog")
        path.rename(path.with_suffix(".again"))
        assert dead("--forget") == 0
        assert os.listdir(path.parent) == []

    def test_without_any_it_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert dead("--forget") == 0
        assert capsys.readouterr().out == "no dead letters\n"


def test_a_reason_may_hold_anything() -> None:
    refuse(WEB, b"one", reason="\udcff")
    (line,) = read_lines(Here.data.container(WEB), "syslog")
    assert msgspec.json.decode(line)["reason"] == "?"

"""``peavey status`` shows what the plugin answers."""

import http.server
import json
import os
import pty
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from rich.text import Text

from plugin.__main__ import main
from plugin.commands.pager import Scroller
from plugin.commands.status_selection import Selection, selected
from plugin.commands.status_tables import render_status
from plugin.errors import PeaveyError
from plugin.status.model import (
    ContainerStatus,
    Delivery,
    DestinationState,
    Disk,
    FilteredRecords,
    Status,
    WorkerStatus,
    at,
)
from tests.status.examples import NOW, SECOND, container, destination, sink, status
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import REPOSITORY, plugin_environment


def text_of(
    given: Status, before: Status | None = None, width: int | None = None, selection: Selection | None = None
) -> str:
    return "\n".join(line.plain for line in render_status(given, before, width, selection))


def row_of(text: str, start: str) -> str:
    (row,) = [line for line in text.splitlines() if line.startswith(start)]
    return " ".join(row.split())


def quiet(number: int = 0, **changes: object) -> ContainerStatus:
    """A container of which nothing was lost."""
    return container(number, **({"sinks": [sink(dead_letters=0, gap_bytes=0)]} | changes))


def delivered(number: int, **changes: object) -> ContainerStatus:
    """A container that has stopped, and of which all is delivered."""
    done = sink(dead_letters=0, gap_bytes=0, lag_bytes=0, lag_lines=0, lag_seconds=0.0)
    return container(number, streams=0, sinks=[done], **changes)


class TestText:
    def test_the_summary_has_version_containers_disk_and_delivery(self) -> None:
        text = text_of(status())
        assert "peavey 1.2.3, up 1h 2m; containers: 1 running, 0 stopped\n" in text
        assert "disk: journals take 3.0 MB of 10.0 GB, 50.0 GB free (1.0 GB kept free)\n" in text
        assert "delivery: 1 of 1 processes run\n" in text

    def test_a_row_has_a_container_and_its_sink(self) -> None:
        row = row_of(text_of(status()), "web-0")
        assert row == "web-0 000000000000 loki 5.0 MB 3.0 MB 2.5 MB, 30s 31,000 12,345 - 31s"

    def test_each_sink_has_a_row_with_the_name_on_a_terminal_once(self) -> None:
        given = status(containers=[quiet(sinks=[sink(), sink("audit", lag_bytes=0, lag_seconds=0.0)])])
        assert row_of(text_of(given, width=80), " " * 9) == "audit (loki) - 12,345 31s"
        rows = [line for line in text_of(given).splitlines() if line.startswith("web-0 ")]
        assert [row.split()[2] for row in rows] == ["loki", "audit"]

    def test_a_sink_of_a_profile_is_told_from_the_containers_own(self) -> None:
        given = status(containers=[quiet(sinks=[sink(), sink("standard.loki")])])
        rows = [line for line in text_of(given).splitlines() if line.startswith("web-0 ")]
        assert [row.split()[2] for row in rows] == ["loki", "standard.loki"]

    def test_a_container_without_sinks_has_a_row(self) -> None:
        assert row_of(text_of(status(containers=[container(sinks=[])])), "web-0").endswith("- 5.0 MB 3.0 MB - - - - -")

    def test_running_ones_come_before_stopped_ones_by_name(self) -> None:
        waiting = {"sinks": [sink(dead_letters=0, gap_bytes=0)]}
        given = [
            quiet(1, name="b"),
            quiet(2, name="c", streams=0, **waiting),
            quiet(3, name="a"),
            quiet(4, name="d", streams=0, **waiting),
        ]
        text = text_of(status(containers=given))
        places = [text.index(f"\n{word} ") for word in ("running", "a", "b", "stopped", "c", "d")]
        assert places == sorted(places)

    def test_those_in_trouble_come_first(self) -> None:
        text = text_of(status(containers=[quiet(1, name="a"), quiet(2, name="b", throttled=True)]))
        assert text.index("\nb ") < text.index("\na ")
        assert "  b (000000000000): slowed down, since too much waits to be delivered (overflow=throttle)\n" in text

    def test_stopped_ones_that_are_delivered_are_only_counted(self) -> None:
        given = status(containers=[quiet(), *(delivered(number) for number in range(1, 91))])
        text = text_of(given)
        assert "90 stopped, with nothing left to deliver" in text
        assert "web-90" not in text
        assert "web-90" in text_of(given, selection=Selection(everything=True))
        assert row_of(text_of(given, selection=Selection(names=("web-90",))), "web-90").endswith("12,345 - 31s")

    def test_what_is_lost_comes_before_all_tables(self) -> None:
        text = text_of(status(containers=[container(dropped_lines=7, dropped_bytes=700)]))
        assert "  web-0 (000000000000): 7 lines dropped for want of room on the disk\n" in text
        assert "  web-0 (000000000000): sink loki: 2 dead letters (peavey dead)\n" in text
        assert "  web-0 (000000000000): sink loki: 4.1 kB lost before they could be delivered\n" in text
        assert text.index("needs attention:") < text.index("sink loki:") < text.index("destination  ")

    def test_many_troubles_are_cut_unless_they_are_asked_for(self) -> None:
        given = status(containers=[container(number) for number in range(30)])
        assert "and 40 more: peavey status --failing" in text_of(given)
        assert "more: " not in text_of(given, selection=Selection(failing=True))

    def test_what_was_kept_back_on_purpose_shows(self) -> None:
        kept = [
            FilteredRecords(stage="filter", reason="exclude", records=70_000),
            FilteredRecords(stage="sample", reason="sample", records=7_000),
        ]
        assert row_of(text_of(status(containers=[container(sinks=[sink(filtered=kept)])])), "web-0").endswith(
            "12,345 77,000 31s"
        )

    def test_a_destination_that_works(self) -> None:
        row = row_of(text_of(status(containers=[quiet()])), "loki@http")
        assert row == "loki@http://loki:3100 ok 0badcafe 1 2.5 MB, 30s 12,345 2 31s"

    @pytest.mark.parametrize("state", ["failing", "misconfigured"])
    def test_a_destination_that_fails_says_since_when_why_and_what_waits(self, state: str) -> None:
        failing = destination(
            failing_since=at(NOW - 300 * SECOND), last_error="no route", state=DestinationState(state)
        )
        text = text_of(status(destinations=[failing]))
        assert f"  loki@http://loki:3100: {state} for 5m 0s: no route\n" in text
        assert "    2.5 MB of 1 container wait for it, the oldest line for 30s\n" in text

    def test_one_that_refuses_all_is_told(self) -> None:
        text = text_of(status(destinations=[destination(state=DestinationState.REFUSING)]))
        assert "  loki@http://loki:3100: refusing: 2 dead letters (peavey dead)\n" in text

    def test_several_delivery_processes_make_one_destination(self) -> None:
        failing = destination(share=1, state=DestinationState.FAILING, failing_since=at(NOW), last_error="no route")
        text = text_of(status(destinations=[destination(), failing]))
        assert row_of(text, "loki@http").split()[1:5] == ["failing", "0badcafe", "2", "2.5"]

    def test_what_somebody_must_mend_is_said(self) -> None:
        delivery = Delivery(
            wanted=2, alive=1, workers=[WorkerStatus(share=0, pid=1, started=at(1), reported=at(NOW - 60 * SECOND))]
        )
        disk = Disk(used_bytes=1, limit_bytes=None, free_bytes=0, keep_free_bytes=None, dropping=True)
        text = text_of(status(delivery=delivery, disk=disk, faults=["abc loki: no such file"]))
        assert "  delivery: only 1 of 2 processes run\n" in text
        assert "  delivery: process 0 last reported 1m 0s ago\n" in text
        assert "  the disk is FULL: lines are dropped\n" in text
        assert "  abc loki: no such file\n" in text

    def test_with_the_one_before_there_are_rates(self) -> None:
        before = status(
            now=at(NOW - 2 * SECOND),
            containers=[container(received_bytes=3_000_000, sinks=[sink(records=2_345)])],
            destinations=[destination(records=12_325)],
        )
        text = text_of(status(), before)
        assert "5.0 MB +1.0 MB/s" in text
        assert "12,345 +5,000/s" in text
        assert "12,345 +10/s" in text
        assert "+1.0 MB/s  2.5 MB, 30s  +5,000/s" in text_of(status(), before, width=80)

    def test_at_80_columns_all_fits_and_no_error_is_cut(self) -> None:
        error = "401 Unauthorized: " + "the token of tenant 'shop' has expired; " * 8
        failing = destination(
            instance="standard.loki",
            address="https://logs.example.com:3100/loki/api/v1/push",
            state=DestinationState.MISCONFIGURED,
            failing_since=at(NOW - 300 * SECOND),
            last_error=error,
        )
        names = ["shop-web-frontend-with-a-name-that-is-long-1", "x"]
        given = status(containers=[container(n, name=name) for n, name in enumerate(names)], destinations=[failing])
        text = text_of(given, width=80)
        assert max(map(len, text.splitlines())) <= 80
        assert " ".join(error.split()) in " ".join(text.split())
        assert "shop-web-frontend" in text

    def test_to_a_pipe_nothing_is_cut(self) -> None:
        name = "n" * 500
        assert row_of(text_of(status(containers=[container(name=name)])), "nnn").startswith(f"{name} ")

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        evil = "\x1b[2J[red]"
        bad = destination(state=DestinationState.FAILING, last_error=evil)
        for width in (80, None):
            text = text_of(status(containers=[quiet(name=evil)], destinations=[bad], faults=[evil]), width=width)
            assert "\x1b" not in text
            assert text.count(r"\x1b[2J[red]") == 3


class TestSelection:
    GIVEN = status(
        containers=[
            quiet(1, name="web-1", sinks=[sink(dead_letters=0, gap_bytes=0, destination="bad")]),
            quiet(2, name="web-2"),
            delivered(3, name="old"),
            quiet(4, name="db", sinks=[]),
        ],
        destinations=[
            destination(),
            destination(id="bad", state=DestinationState.FAILING, failing_since=at(NOW), last_error="no route"),
        ],
    )

    def names(self, **wanted: Any) -> tuple[list[str], list[str]]:
        found = selected(self.GIVEN, Selection(**wanted))
        return [one.name for one in found.containers], [one.id for one in found.destinations]

    def test_all_by_default(self) -> None:
        assert self.names() == (["web-1", "web-2", "old", "db"], ["0badcafe", "bad"])

    def test_those_that_run(self) -> None:
        assert self.names(running=True) == (["web-1", "web-2", "db"], ["0badcafe", "bad"])

    def test_those_in_trouble(self) -> None:
        assert self.names(failing=True) == (["web-1"], ["bad"])

    def test_by_name_pattern_and_id(self) -> None:
        assert self.names(names=("web-2",)) == (["web-2"], ["0badcafe"])
        assert self.names(names=("web*", "db"))[0] == ["web-1", "web-2", "db"]
        assert self.names(names=(f"{3:064x}",)) == (["old"], ["0badcafe"])

    def test_a_name_that_means_none_is_told(self) -> None:
        with pytest.raises(PeaveyError, match="the plugin has no container 'wbe'"):
            self.names(names=("wbe",))


class Answering:
    """Something that answers ``/status`` on a socket, as a plugin would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = 200
        self.content = msgspec.json.encode(status())


@pytest.fixture
def answering() -> Iterator[Answering]:
    with short_folder() as folder:
        answering = Answering(folder / "p.sock")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(answering.code)
                self.end_headers()
                self.wfile.write(answering.content)

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "local"

        with socketserver.UnixStreamServer(str(answering.path), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            yield answering
            server.shutdown()
            thread.join()


def run(answering: Answering, *arguments: str) -> int:
    return main(["status", "--socket", str(answering.path), *arguments])


class TestCommand:
    def test_it_prints_tables(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(answering) == 0
        assert "web-0" in capsys.readouterr().out

    def test_it_prints_json(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(answering, "--json") == 0
        assert msgspec.json.decode(capsys.readouterr().out, type=Status) == status()

    def test_json_can_be_of_some_containers(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        answering.content = msgspec.json.encode(status(containers=[container(1), container(2)]))
        assert run(answering, "--json", "web-2") == 0
        shown = json.loads(capsys.readouterr().out)
        assert [one["container_name"] for one in shown["containers"]] == ["web-2"]

    def test_json_has_units_in_names_and_times_as_rfc_3339(
        self, answering: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(answering, "--json") == 0
        shown = json.loads(capsys.readouterr().out)
        (one,) = shown["containers"]
        assert shown["now"] == "2023-11-14T22:13:20Z"
        assert one["sinks"][0]["last_success"] == "2023-11-14T22:12:49Z"
        assert one["sinks"][0]["destination"] == shown["destinations"][0]["id"]
        assert shown["destinations"][0]["address"] == "http://loki:3100"
        numbers = set(_names_of_numbers(shown))
        units = ("_bytes", "_seconds", "_lines")
        counts = {"wanted", "alive", "share", "pid", "streams", "records", "dead_letters", "containers", "batches"}
        assert {name for name in numbers if not name.endswith(units)} <= counts | {"retries", "counts"}

    def test_json_of_another_version_is_printed_as_it_is(
        self, answering: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answering.content = b'{"new": 1}'
        assert run(answering, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"new": 1}
        assert run(answering) == 1
        assert "is the plugin another version" in capsys.readouterr().err

    def test_fields_that_are_new_are_passed_over(
        self, answering: Answering, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answering.content = answering.content[:-1] + b',"new":1}'
        assert run(answering) == 0
        assert "web-0" in capsys.readouterr().out

    def test_an_older_plugin_is_told(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        answering.code = 404
        assert run(answering) == 1
        assert "the plugin there has no status" in capsys.readouterr().err

    def test_a_plugin_that_cannot_tell_is_told(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        answering.code, answering.content = 500, b"internal error (OSError)\n"
        assert run(answering) == 1
        assert "status 500: internal error (OSError)" in capsys.readouterr().err

    def test_without_a_plugin_it_says_what_it_looked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["status", "--socket", "/nowhere/p.sock"]) == 1
        assert capsys.readouterr().err.startswith(
            "peavey: no peavey answers on this host; looked for\n  /nowhere/p.sock"
        )

    def test_a_bad_interval_is_told(self, answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(answering, "--watch", "--interval", "often") == 1
        assert "--interval: 'often' is not a duration" in capsys.readouterr().err


def _names_of_numbers(shown: object, name: str = "") -> Iterator[str]:
    if isinstance(shown, dict):
        for key, value in shown.items():
            yield from _names_of_numbers(value, key)
    elif isinstance(shown, list):
        for value in shown:
            yield from _names_of_numbers(value, name)
    elif isinstance(shown, int | float) and not isinstance(shown, bool):
        yield name


def watch(answering: Answering, *arguments: str, stdout: int, stdin: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "plugin", "status", "--watch", "--interval", "200ms"]
    return subprocess.Popen(
        [*command, "--socket", str(answering.path), *arguments],
        cwd=REPOSITORY,
        env=plugin_environment({"TERM": "xterm", "COLUMNS": "200", "LINES": "50"}),
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
    )


class TestWatching:
    def test_json_comes_line_by_line(self, answering: Answering) -> None:
        with watch(answering, "--json", stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            process.kill()
        assert [msgspec.json.decode(line, type=Status) for line in lines] == [status()] * 3

    def test_into_a_pipe_the_tables_come_one_after_the_other(self, answering: Answering) -> None:
        with watch(answering, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            seen = 0
            while seen < 2:
                seen += b"web-0" in process.stdout.readline()
            process.kill()

    def test_on_a_terminal_it_goes_on_when_the_plugin_cannot_answer(self, answering: Answering) -> None:
        ours, theirs = pty.openpty()
        try:
            with watch(answering, stdout=theirs) as process:
                read_until(ours, b"web-0")
                answering.code = 500
                read_until(ours, b"status 500")
                answering.code = 200
                read_until(ours, b"web-0")
                process.kill()
        finally:
            os.close(ours)
            os.close(theirs)

    def test_on_a_terminal_it_scrolls_and_ends_with_q(self, answering: Answering) -> None:
        answering.content = msgspec.json.encode(status(containers=[quiet(number) for number in range(100)]))
        ours, theirs = pty.openpty()
        try:
            with watch(answering, stdout=theirs, stdin=theirs) as process:
                read_until(ours, b"web-0 ")
                os.write(ours, b"G")
                read_until(ours, b"web-99 ")
                os.write(ours, b"q")
                assert process.wait(60) == 0
        finally:
            os.close(ours)
            os.close(theirs)


class TestScrolling:
    LINES: ClassVar = [Text(str(number)) for number in range(20)]

    def after(self, *keys: bytes) -> list[str]:
        scroller = Scroller()
        for key in keys:
            assert scroller.press(key, 20, 6)
        return [line.plain for line in scroller.seen(self.LINES, 6)]

    def test_what_fits_is_all_there(self) -> None:
        assert Scroller().seen(self.LINES[:6], 6) == self.LINES[:6]

    def test_what_does_not_says_where_it_is(self) -> None:
        assert self.after() == ["0", "1", "2", "3", "4", "lines 1-5 of 20; q quits, arrows and space scroll"]

    @pytest.mark.parametrize(
        ("keys", "top"),
        [(b"j", 1), (b"jjk", 1), (b"k", 0), (b" ", 6), (b" b", 0), (b"G", 15), (b"Gj", 15), (b"Gg", 0)],
        ids=repr,
    )
    def test_keys_move_and_stay_within(self, keys: bytes, top: int) -> None:
        assert self.after(*(bytes([key]) for key in keys))[0] == str(top)

    @pytest.mark.parametrize("key", [b"q", b"\x1b", b"\x03"])
    def test_it_ends(self, key: bytes) -> None:
        assert not Scroller().press(key, 20, 6)

    def test_fewer_lines_bring_it_back(self) -> None:
        scroller = Scroller()
        scroller.press(b"G", 20, 6)
        assert scroller.seen(self.LINES[:3], 6) == self.LINES[:3]


def read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        seen += os.read(terminal, 1 << 16)

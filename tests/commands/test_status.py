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
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from plugin.__main__ import main
from plugin.commands.status_tables import render_status
from plugin.status.model import Delivery, Disk, FilteredRecords, Status, WorkerStatus
from tests.status.examples import NOW, SECOND, container, destination, sink, status
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import REPOSITORY, plugin_environment


def text_of(given: Status, before: Status | None = None) -> str:
    out = StringIO()
    Console(file=out, width=250, markup=False, highlight=False).print(render_status(given, before))
    return out.getvalue()


def row_of(text: str, start: str) -> str:
    (row,) = [line for line in text.splitlines() if line.startswith(start)]
    return " ".join(row.split())


class TestTables:
    def test_the_summary_has_version_disk_and_delivery(self) -> None:
        text = text_of(status())
        assert "peavey 1.2.3, up 1h 2m" in text
        assert "disk: journals take 3.0 MB of 10.0 GB, 50.0 GB free (1.0 GB kept free)" in text
        assert "delivery: 1 of 1 processes run\n" in text

    def test_a_row_has_a_container_and_its_sink(self) -> None:
        row = row_of(text_of(status()), "web-0")
        assert row == ("web-0 000000000000 running loki 5.0 MB 3.0 MB - 2.5 MB 31,000 30s 12,345 2 4.1 kB 31s ago")

    def test_each_sink_has_a_row(self) -> None:
        text = text_of(status(containers=[container(sinks=[sink(), sink("audit", lag_bytes=0, lag_seconds=0.0)])]))
        assert row_of(text, " ") == "audit (loki) 0 B 31,000 - 12,345 2 4.1 kB 31s ago"
        assert text.count("web-0") == 1

    def test_a_container_without_sinks_has_a_row(self) -> None:
        assert row_of(text_of(status(containers=[container(sinks=[], streams=0)])), "web-0").endswith(
            "stopped - 5.0 MB 3.0 MB -"
        )

    def test_what_is_dropped_and_throttled_shows(self) -> None:
        text = text_of(status(containers=[container(dropped_lines=7, dropped_bytes=700, throttled=True)]))
        assert "throttled" in text
        assert "7 lines" in text

    def test_what_was_kept_back_on_purpose_shows_where_there_is_any(self) -> None:
        kept = [
            FilteredRecords(stage="filter", reason="exclude", records=70_000),
            FilteredRecords(stage="sample", reason="sample", records=7_000),
        ]
        assert "filtered" not in text_of(status())
        text = text_of(status(containers=[container(sinks=[sink(filtered=kept)])]))
        assert "filtered" in text
        assert row_of(text, "web-0").endswith("4.1 kB 77,000 31s ago")

    def test_a_destination_that_works(self) -> None:
        assert row_of(text_of(status()), "loki ") == "loki 0badcafe ok 1 17 12,345 777 kB 3 2"

    @pytest.mark.parametrize(("misconfigured", "state"), [(False, "failing for 5m 0s"), (True, "misconfigured, 5m 0s")])
    def test_a_destination_that_fails_says_since_when_and_why(self, misconfigured: bool, state: str) -> None:
        failing = destination(failing_since=NOW - 300 * SECOND, last_error="no route", misconfigured=misconfigured)
        text = text_of(status(destinations=[failing]))
        assert state in text
        assert "no route" in text

    def test_what_somebody_must_mend_is_said(self) -> None:
        delivery = Delivery(
            wanted=2, alive=1, workers=[WorkerStatus(share=0, pid=1, started=1, reported=NOW - 60 * SECOND)]
        )
        disk = Disk(used=1, limit=None, free=0, keep_free=None, dropping=True)
        text = text_of(status(delivery=delivery, disk=disk, faults=["abc loki: no such file"]))
        assert "delivery: 1 of 2 processes run, process 0 last reported 1m 0s ago" in text
        assert "FULL: lines are dropped" in text
        assert "abc loki: no such file" in text

    def test_with_the_one_before_there_are_rates(self) -> None:
        before = status(
            now=NOW - 2 * SECOND,
            containers=[container(received=3_000_000, sinks=[sink(records=2_345)])],
            destinations=[destination(bytes=377_000)],
        )
        text = text_of(status(), before)
        assert "5.0 MB +1.0 MB/s" in text
        assert "12,345 +5,000/s" in text
        assert "777 kB +200 kB/s" in text

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        evil = "\x1b[2J[red]"
        text = text_of(
            status(containers=[container(name=evil)], destinations=[destination(last_error=evil)], faults=[evil])
        )
        assert "\x1b" not in text
        assert text.count(r"\x1b[2J[red]") == 3


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


def watch(answering: Answering, *arguments: str, stdout: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "plugin", "status", "--watch", "--interval", "200ms"]
    return subprocess.Popen(
        [*command, "--socket", str(answering.path), *arguments],
        cwd=REPOSITORY,
        env=plugin_environment({"TERM": "xterm", "COLUMNS": "200", "LINES": "50"}),
        stdin=subprocess.DEVNULL,
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


def read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        seen += os.read(terminal, 1 << 16)

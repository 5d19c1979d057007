"""``peavey try``: what log-opts make of lines, without sending anything."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from plugin.__main__ import main
from plugin.config.profiles import Redirect
from plugin.config.profiles_file import read_profiles
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.journal.accepted_profiles import write_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.journal.redirects import write_redirect
from plugin.sinks.registry import schema
from tests.journal.entries import encode, write_journal

WEB = "aa" * 32
LINES = ["GET /health", "java.lang.IllegalStateException: of bob@example.com", "\tat a.B.c(B.java:1)", "GET /buy"]
GIVEN = ["multiline=java", "exclude=/health", "redact=email", "redact-with=#"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(LINES))
    return path


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    frames = encode(Entry("stderr" if n == 3 else "stdout", n, line.encode()) for n, line in enumerate(LINES))
    write_journal(made.container(WEB), frames)
    given = dict(one.split("=") for one in GIVEN)
    write_metadata(made.container(WEB), Info(container_id=WEB, container_name="/web", config=given), "fifo", 1)
    return made


def tried(capsys: pytest.CaptureFixture[str], source: object, *arguments: str) -> list[dict[str, Any]]:
    assert main(["try", str(source), *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def opts(*given: str) -> list[str]:
    return [word for one in given for word in ("--log-opt", one)]


def test_records_are_json_and_what_is_dropped_says_why(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dropped, trace, kept = tried(capsys, file, *opts(*GIVEN))

    assert (dropped["line"], dropped["dropped"]) == ("GET /health", {"stage": "filter", "reason": "exclude"})
    assert trace["line"] == "java.lang.IllegalStateException: of #\n\tat a.B.c(B.java:1)"
    assert (kept["line"], kept["stream"], "dropped" in kept) == ("GET /buy", "stdout", False)


def test_fields_and_levels_are_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"level":"warn","msg":"hello","n":1}\n')
    (made,) = tried(capsys, file, *opts("parse=json", "add-field.name={{.Name}}"))

    assert (made["line"], made["severity"], made["level"]) == ("hello", 13, "warn")
    assert made["fields"] == {"level": "warn", "n": 1, "name": "try"}


def test_a_containers_journal_has_its_streams(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    made = tried(capsys, "web", "--data", str(data.path), *opts("add-field.name={{.Name}}"))

    assert [one["line"] for one in made] == LINES
    assert [one["stream"] for one in made] == ["stdout", "stdout", "stdout", "stderr"]
    assert made[0]["fields"] == {"name": "web"}


def test_a_containers_own_log_opts_count_without_others(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(tried(capsys, WEB[:12], "--data", str(data.path))) == 3


def test_stdin_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc")))

    assert [one["line"] for one in tried(capsys, "-", *opts("exclude=b"), "-n", "2")] == ["a", "b"]


def test_the_view_shows_lines_before_and_after(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(file), "--diff", *opts(*GIVEN)]) == 0

    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "- GET /health",
        "# dropped by filter (exclude)",
        "- java.lang.IllegalStateException: of bob@example.com",
        r"- \tat a.B.c(B.java:1)",
        "+ java.lang.IllegalStateException: of #",
        r"+ \tat a.B.c(B.java:1)",
        "  GET /buy",
    ]
    assert captured.err.startswith("4 lines, 2 records, dropped: 1 filter (exclude), ")
    assert captured.err.endswith(" lines/s\n")


def test_a_notice_is_made_of_no_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(file), "--diff", *opts("rate-limit=1/s")]) == 0

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "+ peavey: 3 records dropped here by rate-limit=1/s",
        '+   {"dropped":3}',
    ]


def test_without_any_stage_lines_are_as_they_are(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [one["line"] for one in tried(capsys, file)] == LINES


def test_all_faults_are_told_at_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(file), *opts("multiline=jav", "redakt=email", "include=(")]) == 1

    error = capsys.readouterr().err
    assert "did you mean 'java'?" in error
    assert "unknown log-opt 'redakt' (did you mean 'redact'?)" in error
    assert "'(' is not a regular expression" in error


def test_the_log_opts_of_one_sink_are_taken(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = opts("sink=http,audit=http", "http-url=http://a", "audit.http-url=http://b", "audit.exclude=GET")

    assert [("dropped" in one) for one in tried(capsys, file, *given)] == [False] * 4
    assert [("dropped" in one) for one in tried(capsys, file, *given, "--sink", "audit")] == [True, False, False, True]
    assert main(["try", str(file), *given, "--sink", "other"]) == 1
    assert "no sink is called 'other' (there are: http, audit)" in capsys.readouterr().err


def test_a_log_opt_needs_a_value(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(file), "--log-opt", "exclude"]) == 1
    assert "--log-opt 'exclude' has no value (expected: NAME=VALUE)" in capsys.readouterr().err


def test_an_unknown_source_is_told(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", "nothing", "--data", str(data.path)]) == 1
    assert "no journal of a container 'nothing'" in capsys.readouterr().err


PROFILES = """
profiles:
  standard: {http-url: "http://h", exclude: /health}
  audit: {http-url: "http://h", redact: email, redact-with: "#"}
routes:
  - when: {name: web}
    use: [audit, standard]
"""


def test_profiles_and_routes_are_those_of_the_file_that_is_named(
    file: Path, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "peavey.yaml"
    path.write_text(PROFILES)
    monkeypatch.setenv("PEAVEY_CONFIG", str(path))

    made = tried(capsys, file, *opts("profile=standard"))
    assert [one["dropped"]["reason"] for one in made if "dropped" in one] == ["exclude"]
    assert [one["line"] for one in tried(capsys, file)] == LINES, "no route is for it"
    made = tried(capsys, "web", "--data", str(data.path))
    assert len(made) == 3, "the container's own log-opts hold for the sinks of its route"
    assert main(["try", "web", "--data", str(data.path), *opts("include=GET"), "--sink", "standard.http"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 4
    assert shown.err.startswith(
        "sink standard.http: 4 lines, 1 records, dropped: 1 filter (exclude), 2 filter (include)"
    )

    assert main(["try", str(file), *opts("profile=standart", "dedupe=x")]) == 1
    error = capsys.readouterr().err
    assert "unknown profile 'standart' (did you mean 'standard'?)" in error
    assert "dedupe" in error
    path.unlink()
    assert main(["try", str(file)]) == 1
    assert f"PEAVEY_CONFIG: there is no file '{path}'" in capsys.readouterr().err


def test_without_one_what_is_in_force_counts(
    data: DataFolder, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "peavey.yaml"
    path.write_text(PROFILES)
    write_accepted(data, read_profiles(path, schema(), {}), {"exclude": "buy"})

    given = ("--data", str(data.path), *opts("profile=audit"))
    made = tried(capsys, file, *given)
    assert [one["line"] for one in made if "dropped" not in one] == [
        "GET /health",
        "java.lang.IllegalStateException: of #",
        "\tat a.B.c(B.java:1)",
    ]


def test_a_redirect_counts_as_well(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    redirect = Redirect(number=1, options={"http-url": "http://h", "exclude": "buy"}, since=1)
    write_redirect(data.container(WEB), redirect)

    made = tried(capsys, "web", "--data", str(data.path))
    assert [one["line"] for one in made if "dropped" in one] == ["GET /buy"]


STAGES = (
    "[{json: {expressions: {level: , msg: , trace: }}}, {labels: {level: }}, {structured_metadata: {trace: }},"
    " {output: {source: msg}}]"
)


def test_pipeline_stages_show_labels(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"level":"warn","msg":"hello","trace":"7"}\nplain\n')
    given = opts("loki-url=http://localhost:1", f"loki-pipeline-stages={STAGES}", "labels=a")
    made, plain = tried(capsys, file, *given)

    assert (made["line"], made["fields"], made["labels"]["level"]) == ("hello", {"trace": "7"}, "warn")
    assert made["labels"]["source"] == "stdout"
    assert (plain["line"], "level" in plain["labels"]) == ("plain", False)


def test_the_view_shows_labels_of_pipeline_stages(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"level":"warn","msg":"hello"}\nplain\n')
    assert main(["try", str(file), "--diff", *opts("loki-url=http://h", f"loki-pipeline-stages={STAGES}")]) == 0
    shown = capsys.readouterr().out
    assert "+ hello" in shown
    assert '"level":"warn"' in shown
    assert "\n  plain\n" in shown


def test_the_view_shows_lines_that_a_pipeline_stage_has_joined(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("> one\n  two\n> three\nfour\n")
    stages = "[{multiline: {firstline: '^>'}}]"
    assert main(["try", str(file), "--diff", *opts("loki-url=http://h", f"loki-pipeline-stages={stages}")]) == 0
    shown = capsys.readouterr().out
    assert shown == "- > one\n-   two\n+ > one\n+   two\n- > three\n- four\n+ > three\n+ four\n"
